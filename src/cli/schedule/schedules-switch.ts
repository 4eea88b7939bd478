// `flwd schedules pause SCHEDULE` and `flwd schedules resume SCHEDULE`.

import type { JsonObject } from '../../domain/job.ts';
import type { Options } from '../command.ts';
import type { Call } from '../command-line.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { oneOperand } from '../option-values.ts';
import { withSession } from '../session/session.ts';
import { createOutput } from '../terminal/output.ts';
import { noteNoServer } from './schedules.ts';

export async function run(options: Options, operands: readonly string[], { command }: Call): Promise<ExitCode> {
  const id = oneOperand(operands, `flwd ${command.name} SCHEDULE; flwd schedules lists the schedules`);
  const enabled = command.name === 'schedules resume';
  const output = createOutput(options);
  return withSession(options, async (session) => {
    const { client } = session;
    const path = { schedule_id: id };
    const { job_id, cron, timezone, args, catch_up, jitter, tenant, name, labels } = await client.call('getSchedule', {
      path,
    });
    const given: JsonObject = JSON.parse(JSON.stringify(args));
    const body = { job_id, cron, timezone, catch_up, jitter, tenant, name, labels, enabled, args: given };
    const schedule = await client.call('replaceSchedule', { path, body });
    if (output.isJson) output.json(schedule);
    else output.text(`${enabled ? 'resumed' : 'paused'} ${id}\n`);
    if (enabled) noteNoServer(session, output);
    return exitCodes.done;
  });
}
