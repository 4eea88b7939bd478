// `flwd run JOB` and `flwd JOB`: runs a job and prints its output until it ends.

import { defined } from '../../lib/defined.ts';
import type { Options } from '../command.ts';
import type { Call } from '../command-line.ts';
import { type ExitCode, Refusal } from '../exit-code.ts';
import { findJob } from '../job/find-job.ts';
import { jobsOf, withJobs } from '../job/known-jobs.ts';
import { readLabels, readValue } from '../option-values.ts';
import { ownName } from '../own-name.ts';
import { loadConfiguration } from '../session/configuration.ts';
import { hasInstance, isOfThisMachine, withSession } from '../session/session.ts';
import { keepInterrupts } from '../session/stop-signal.ts';
import { createOutput } from '../terminal/output.ts';
import { readRunRequest } from './run-request.ts';
import { detach, startHeaders, watchToItsEnd } from './started-run.ts';

export async function run(options: Options, operands: readonly string[], call: Call): Promise<ExitCode> {
  if (operands.length === 0)
    throw new Refusal(`${ownName} run needs a job: ${ownName} run JOB; ${ownName} jobs lists the jobs`);
  const output = createOutput(options);
  const extra = readExtra(options);
  const headers = startHeaders(options);
  // A typo in the name of a job must not create an instance.
  if (isOfThisMachine(options) && !hasInstance(loadConfiguration(options).config))
    await withJobs(options, (jobs) => findJob(jobs, operands, call.isImplicit));
  return withSession(
    options,
    async (session) => {
      const job = await findJob(jobsOf(session), operands, call.isImplicit);
      const request = await readRunRequest(job, call, { client: session.client, output });
      const create = async (): Promise<string> => {
        const { run_id: runId } = await session.client.call('createRun', { body: { ...request, ...extra }, headers });
        session.ensureStarted(runId);
        return runId;
      };
      if (options.has('detach')) return detach(session, await create(), output);
      const interrupts = keepInterrupts({ isOwn: session.isOwn() });
      const runId = await create();
      const steps = job.composition === 'steps' ? job.steps.map(({ step_id: id }) => id) : [];
      return watchToItsEnd(session, { runId, jobId: job.id, steps, interrupts }, output);
    },
    { mayCreate: true },
  );
}

/** @throws Refusal */
function readExtra(options: Options) {
  const priority = readValue(options, 'priority');
  if (priority !== undefined && !/^[+-]?\d{1,3}$/.test(priority))
    throw new Refusal(`--priority ${priority} is not a whole number from -100 to 100`);
  return defined({ labels: readLabels(options), priority: priority === undefined ? undefined : Number(priority) });
}
