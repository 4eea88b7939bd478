// `flwd schedules hold SCHEDULE` and `flwd schedules release SCHEDULE`.

import type { Options } from '../command.ts';
import type { Call } from '../command-line.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { oneOperand, readInstant } from '../option-values.ts';
import { withSession } from '../session/session.ts';
import { createOutput } from '../terminal/output.ts';
import { noteNoServer } from './schedules.ts';

export async function run(options: Options, operands: readonly string[], { command }: Call): Promise<ExitCode> {
  const id = oneOperand(operands, `flwd ${command.name} SCHEDULE; flwd schedules lists the schedules`);
  const path = { schedule_id: id };
  const after = readInstant(options, 'after');
  const output = createOutput(options);
  return withSession(options, async (session) => {
    const { client } = session;
    if (command.name === 'schedules hold') {
      const held = await client.call('holdSchedule', { path });
      if (output.isJson) output.json(held);
      else output.text(`held ${id}\n`);
      return exitCodes.done;
    }
    const released = await client.call('releaseSchedule', { path, body: { ...(after !== undefined && { after }) } });
    const [next] = released.next_fires;
    if (output.isJson) output.json(released);
    else output.text(`released ${id}\n`);
    if (next) output.say(`${released.job_id} runs next at ${next.local}`);
    if (!released.enabled) output.warn(`${id} still starts nothing: it is disabled`);
    if (released.denied) output.warn(`${id} still starts nothing: ${released.denied.detail}`);
    noteNoServer(session, output);
    return exitCodes.done;
  });
}
