// Starts a run, and either shows it until it ends or leaves it running.

import { randomUUID } from 'node:crypto';
import { isKept } from '../../client/shown-steps.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { isFinished, startingWords } from '../../domain/run.ts';
import { traceOfEnvironment } from '../../domain/trigger/trace.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { readValue } from '../option-values.ts';
import type { Session } from '../session/session.ts';
import { keepInterrupts } from '../session/stop-signal.ts';
import type { Output } from '../terminal/output.ts';
import { describeEnd, type WatchedRun, watchRun } from './run-watch.ts';

type Run = AnswerOf<'getRun'>;

/** Starts a run with `start`, and prints its output until the run ends. With `--detach`, only starts the run. */
export async function startAndWatch(
  session: Session,
  start: () => Promise<string>,
  { options, output }: { readonly options: Options; readonly output: Output },
): Promise<ExitCode> {
  const begin = async (): Promise<string> => {
    const runId = await start();
    session.ensureStarted(runId);
    return runId;
  };
  if (options.has('detach')) return detach(session, await begin(), output);
  const interrupts = keepInterrupts({ isOwn: session.isOwn() });
  const run = await session.client.call('getRun', { path: { run_id: await begin() } });
  const { run_id: runId, job_id: jobId, steps } = run;
  const toRun = steps.length > 1 ? steps.filter((step) => !isKept(run, step)).map(({ step_id: id }) => id) : [];
  return watchToItsEnd(session, { runId, jobId, steps: toRun, interrupts }, output);
}

export async function watchToItsEnd(session: Session, watched: WatchedRun, output: Output): Promise<ExitCode> {
  const { run: ended, isInterrupted } = await watchRun(session, watched, output);
  if (output.isJson) output.json(ended);
  else await describeEnd(session, ended, output);
  if (isInterrupted) return exitCodes.interrupted;
  return ended.status === 'success' ? exitCodes.done : exitCodes.runFailed;
}

/**
 * Returns the headers of a request that starts a run. With the idempotency key, a request that is repeated after its
 * answer was lost creates no second run. With `traceparent`, the run joins the trace of this command.
 * @throws Refusal
 */
export function startHeaders(options: Options): Readonly<Record<string, string>> {
  const key = readValue(options, 'idempotency-key') ?? randomUUID();
  if (/^[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?$/.test(key))
    return { 'idempotency-key': key, ...traceOfEnvironment(process.env) };
  throw new Refusal('--idempotency-key takes 1 to 255 printable ASCII characters, without spaces at its ends');
}

/**
 * Leaves the run. Its processes continue without this command, but only a server or the next command can start what
 * comes after them.
 */
export async function detach(session: Session, runId: string, output: Output): Promise<ExitCode> {
  let run = await session.client.call('getRun', { path: { run_id: runId } });
  if (session.isEphemeral()) {
    if (!isUnderWay(run)) {
      output.say(`waiting for ${runId} to start: no server is running on ${session.where}`);
      run = await untilUnderWay(session, runId);
    }
    if (run.status === 'pending')
      output.say(
        `it waits: ${run.waiting}; \`${session.command('logs', runId, '--follow')}\` or \`${session.command('serve')}\` starts it later`,
      );
    else if (run.steps.some((step) => step.status === 'waiting_approval'))
      output.say(`it waits for approval: ${session.command('approve', runId)}`);
    else if (!isFinished(run.status))
      output.say(
        `no server is running to finish it: the next flwd command on this instance finishes it, or \`${session.command('serve')}\``,
      );
  }
  if (output.isJson) output.json(run);
  else output.text(`${runId}\n`);
  return exitCodes.done;
}

function isUnderWay({ status, steps }: Run): boolean {
  return isFinished(status) || steps.some((step) => ['running', 'waiting_approval'].includes(step.status));
}

/** After one of these events, nothing has to be started for the run before a process ends or a person decides. */
const goesOnAlone = new Set(['step.started', 'step.waiting_approval', 'run.finished']);

/** Returns also when a limit keeps the run from starting. */
async function untilUnderWay({ client }: Session, runId: string): Promise<Run> {
  const leave = new AbortController();
  try {
    const events = client.stream('getRunEvents', { path: { run_id: runId }, signal: leave.signal });
    for await (const { event, data } of events) {
      if (goesOnAlone.has(event)) break;
      if (event === 'run.waiting' && data.status === 'pending' && data.message !== startingWords) break;
    }
    return await client.call('getRun', { path: { run_id: runId } });
  } finally {
    leave.abort();
  }
}
