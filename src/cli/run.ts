// `flwd run JOB`, and `flwd JOB`: runs a job and shows what it prints, until it has ended.

import { randomUUID } from 'node:crypto';
import type { AnswerOf } from '../contract/operations.ts';
import { isFinished } from '../domain/run.ts';
import type { Options } from './command.ts';
import type { Call } from './command-line.ts';
import { loadConfiguration } from './configuration.ts';
import { type ExitCode, exitCodes, Refusal } from './exit-code.ts';
import { findJob, type Job, jobsOf, withJobs } from './known-jobs.ts';
import { createOutput, type Output } from './output.ts';
import { readRunRequest } from './run-request.ts';
import { describeEnd, watchRun } from './run-watch.ts';
import { hasInstance, isOfThisMachine, type Session, withSession } from './session.ts';

type Run = AnswerOf<'getRun'>;

export async function run(options: Options, operands: readonly string[], call: Call): Promise<ExitCode> {
  if (operands.length === 0) throw new Refusal('which job? flwd run JOB; flwd jobs lists them');
  const output = createOutput(options);
  const extra = readExtra(options);
  // A slip in the name of a job makes no instance.
  if (isOfThisMachine(options) && !hasInstance(loadConfiguration(options).config))
    await withJobs(options, (jobs) => findJob(jobs, operands, call.isImplicit));
  return withSession(
    options,
    async (session) => {
      const job = await findJob(jobsOf(session), operands, call.isImplicit);
      const request = await readRunRequest(job, call, output);
      const created = await session.client.call('createRun', {
        body: { ...request, ...extra },
        // Where the answer is lost on the way, asking again makes no second run.
        headers: { 'idempotency-key': randomUUID() },
      });
      session.attend(created.run_id);
      if (options.has('detach')) return detach(session, created.run_id, output);
      return watchToItsEnd(session, job, created.run_id, output);
    },
    { mayCreate: true },
  );
}

/** @throws Refusal */
function readExtra(options: Options) {
  const labels = (options.get('label') ?? []).map((text) => {
    const at = text.indexOf('=');
    if (at < 1) throw new Refusal(`--label ${text} is no KEY=VALUE`);
    return [text.slice(0, at), text.slice(at + 1)] as const;
  });
  const [priority] = options.get('priority') ?? [];
  if (priority !== undefined && !/^[+-]?\d{1,3}$/.test(priority))
    throw new Refusal(`--priority ${priority} is no whole number from -100 to 100`);
  return {
    ...(labels.length > 0 && { labels: Object.fromEntries(labels) }),
    ...(priority !== undefined && { priority: Number(priority) }),
  };
}

async function watchToItsEnd(session: Session, job: Job, runId: string, output: Output): Promise<ExitCode> {
  const { run: ended, isInterrupted } = await watchRun(session, { runId, job, output });
  if (output.isJson) output.json(ended);
  else await describeEnd(session, ended, output);
  if (isInterrupted) return exitCodes.interrupted;
  return ended.status === 'success' ? exitCodes.done : exitCodes.runFailed;
}

/** Its processes go on without this one; what comes after them needs a server, or the next command. */
async function detach(session: Session, runId: string, output: Output): Promise<ExitCode> {
  let run = await session.client.call('getRun', { path: { run_id: runId } });
  if (session.isBrief()) {
    if (!isUnderWay(run)) {
      output.say(`waiting for ${runId} to start: no server has ${session.where}`);
      run = await untilUnderWay(session, runId);
    }
    if (!isFinished(run.status))
      output.say('no server is there to see to its end: the next flwd command on it does, or flwd serve');
  }
  if (output.isJson) output.json(run);
  else output.text(`${runId}\n`);
  return exitCodes.done;
}

function isUnderWay({ status, steps }: Run): boolean {
  return isFinished(status) || steps.some((step) => step.status === 'running');
}

async function untilUnderWay({ client }: Session, runId: string): Promise<Run> {
  const leave = new AbortController();
  try {
    const events = client.stream('getRunEvents', { path: { run_id: runId }, signal: leave.signal });
    for await (const { event } of events) if (event === 'step.started' || event === 'run.finished') break;
    return await client.call('getRun', { path: { run_id: runId } });
  } finally {
    leave.abort();
  }
}
