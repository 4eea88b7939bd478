// `flwd rerun RUN`: starts a run again, from its beginning or from a step, as a new run.

import type { Client } from '../../client/client.ts';
import type { BodyOf } from '../../contract/operations.ts';
import type { Options } from '../command.ts';
import type { ExitCode } from '../exit-code.ts';
import { oneOperand, readValue } from '../option-values.ts';
import { withSession } from '../session/session.ts';
import { createOutput, type Output } from '../terminal/output.ts';
import { findRunId } from './named-run.ts';
import { readBase, toJson } from './run-request.ts';
import { startAndWatch, startHeaders } from './started-run.ts';

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const word = oneOperand(operands, 'flwd rerun RUN; flwd runs lists the runs');
  const output = createOutput(options);
  const body = await readRequest(options);
  const headers = startHeaders(options);
  return withSession(options, async (session) => {
    const { client } = session;
    const earlier = await findRunId(session, word, { output, orLastOf: true });
    const create = async (): Promise<string> => {
      const { run_id: id } = await client.call('rerunRun', { path: { run_id: earlier }, body, headers });
      if (body.revision === undefined) await noteChange(client, id, output);
      return id;
    };
    return startAndWatch(session, create, { options, output });
  });
}

/** A fixed job is often run again to see that it works now. */
async function noteChange(client: Client, runId: string, output: Output): Promise<void> {
  const run = await client.call('getRun', { path: { run_id: runId } }).catch(() => null);
  const job = run && (await client.call('getJob', { path: { job_id: run.job_id } }).catch(() => null));
  if (job && job.revision !== run.source.revision)
    output.say('the job has changed since that run: this one uses the old version, and --latest the new one');
}

/** @throws Refusal */
async function readRequest(options: Options): Promise<BodyOf<'rerunRun'>> {
  const from = readValue(options, 'from');
  const args = toJson(await readBase(options));
  return {
    ...(from !== undefined && { from: from === 'start' || from === 'failed' ? from : { step: from } }),
    ...(options.has('latest') && { revision: 'latest' }),
    ...(Object.keys(args).length > 0 && { args }),
  };
}
