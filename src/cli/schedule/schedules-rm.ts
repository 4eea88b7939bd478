// `flwd schedules rm SCHEDULE`: removes a schedule.

import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { oneOperand } from '../option-values.ts';
import { withSession } from '../session/session.ts';
import { createOutput } from '../terminal/output.ts';

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const id = oneOperand(operands, 'flwd schedules rm SCHEDULE; flwd schedules lists the schedules');
  const output = createOutput(options);
  return withSession(options, async ({ client }) => {
    await client.request('deleteSchedule', { path: { schedule_id: id } });
    output.say(`removed ${id}`);
    return exitCodes.done;
  });
}
