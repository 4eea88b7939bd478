// What a command does with a run that it has started: shows it to its end, or leaves it running.

import type { AnswerOf } from '../../contract/operations.ts';
import { isFinished } from '../../domain/run.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import type { Session } from '../session/session.ts';
import type { Output } from '../terminal/output.ts';
import { describeEnd, type WatchedRun, watchRun } from './run-watch.ts';

type Run = AnswerOf<'getRun'>;

export async function watchToItsEnd(session: Session, watched: WatchedRun, output: Output): Promise<ExitCode> {
  const { run: ended, isInterrupted } = await watchRun(session, watched, output);
  if (output.isJson) output.json(ended);
  else await describeEnd(session, ended, output);
  if (isInterrupted) return exitCodes.interrupted;
  return ended.status === 'success' ? exitCodes.done : exitCodes.runFailed;
}

/** Its processes go on without this one; what comes after them needs a server, or the next command. */
export async function detach(session: Session, runId: string, output: Output): Promise<ExitCode> {
  let run = await session.client.call('getRun', { path: { run_id: runId } });
  if (session.isEphemeral()) {
    if (!isUnderWay(run)) {
      output.say(`waiting for ${runId} to start: no server has ${session.where}`);
      run = await untilUnderWay(session, runId);
    }
    if (run.steps.some((step) => step.status === 'waiting_approval'))
      output.say(`it waits for an approval: ${session.command('approve', runId)}`);
    else if (!isFinished(run.status))
      output.say(
        `no server is there to see to its end: the next flwd command on it does, or ${session.command('serve')}`,
      );
  }
  if (output.isJson) output.json(run);
  else output.text(`${runId}\n`);
  return exitCodes.done;
}

function isUnderWay({ status, steps }: Run): boolean {
  return isFinished(status) || steps.some((step) => ['running', 'waiting_approval'].includes(step.status));
}

/** From then on there is nothing to start until something ends, or somebody decides. */
const goesOnAlone = new Set(['step.started', 'step.waiting_approval', 'run.finished']);

async function untilUnderWay({ client }: Session, runId: string): Promise<Run> {
  const leave = new AbortController();
  try {
    const events = client.stream('getRunEvents', { path: { run_id: runId }, signal: leave.signal });
    for await (const { event } of events) if (goesOnAlone.has(event)) break;
    return await client.call('getRun', { path: { run_id: runId } });
  } finally {
    leave.abort();
  }
}
