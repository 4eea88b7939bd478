// `flwd schedules run SCHEDULE`: runs the job of a schedule now, and prints its output until it ends.

import type { Options } from '../command.ts';
import type { ExitCode } from '../exit-code.ts';
import { oneOperand } from '../option-values.ts';
import { startAndWatch, startHeaders } from '../run/started-run.ts';
import { withSession } from '../session/session.ts';
import { createOutput } from '../terminal/output.ts';

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const id = oneOperand(operands, 'flwd schedules run SCHEDULE; flwd schedules lists the schedules');
  const output = createOutput(options);
  const headers = startHeaders(options);
  return withSession(options, async (session) => {
    const { client } = session;
    const path = { schedule_id: id };
    const { job_id: jobId } = await client.call('getSchedule', { path });
    const start = async () => (await client.call('runSchedule', { path, headers })).run_id;
    return startAndWatch(session, { jobId, start }, { options, output });
  });
}
