// Watches a run: prints its lines as they come, shows its progress at the bottom of the terminal, and describes its
// end.

import { hintOf, whyFailed } from '../../client/answer-words.ts';
import { ApiProblem, ServerUnreachable } from '../../client/api-problem.ts';
import { wholeWords } from '../../client/took.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { byRequester } from '../../domain/outcome/cancel-request.ts';
import { stepLabel } from '../../domain/outcome/step-label.ts';
import { isFinished } from '../../domain/run.ts';
import { exitCodes, Refusal } from '../exit-code.ts';
import { lostRun, onLost } from '../session/lost-data-dir.ts';
import type { Session } from '../session/session.ts';
import type { Interrupts } from '../session/stop-signal.ts';
import type { Output } from '../terminal/output.ts';
import { createStatusLine } from '../terminal/status-line.ts';
import { breakWords, createLinePrinter, followLog } from './log-lines.ts';
import { createRunProgress } from './run-progress.ts';
import { createStepLabels } from './step-labels.ts';
import { nameSubRuns } from './sub-runs.ts';

type Run = AnswerOf<'getRun'>;

const redrawMs = 200;
const waitedMs = 2_000;

export type WatchedRun = {
  readonly runId: string;
  readonly jobId: string;
  /** Empty if the job has no steps. */
  readonly steps: readonly string[];
  /** The signals that the user has sent, including those from before the run was created. */
  readonly interrupts: Interrupts;
};

/**
 * Ctrl-C cancels the run, a second one kills it. If a server drives the run and does not react, a third one ends the
 * command and leaves the run. A command without a server leaves the run if its data dir disappears.
 * @throws ApiProblem, ServerUnreachable, Refusal if the run is left
 */
export async function watchRun(
  session: Session,
  { runId, jobId, steps, interrupts }: WatchedRun,
  output: Output,
): Promise<{ readonly run: Run; readonly isInterrupted: boolean }> {
  const { client } = session;
  const path = { run_id: runId };
  const over = new AbortController();
  const status = createStatusLine(!output.isQuiet);
  const labels = createStepLabels(client, runId);
  const progress = createRunProgress(
    { run_id: runId, job_id: jobId },
    {
      steps,
      labels,
      output,
      isShown: status.isShown,
      command: session.command,
      onStep: (words) => {
        if (output.isVerbose) status.above(() => output.say(words));
      },
      onQuestion: (words) => status.above(() => output.say(words)),
    },
  );
  const print = createLinePrinter(output, {
    labelOf: steps.length > 0 ? ({ step_id: stepId }) => labels.of(stepId) : null,
    showsTime: false,
    to: output.isJson ? 'stderr' : 'same',
    separatesAttempts: true,
  });
  const leaving = new AbortController();
  let count = 0;
  interrupts.answer(() => {
    count += 1;
    if (count > 2 && !session.isEphemeral()) {
      leaving.abort();
      return;
    }
    const isForced = count > 1;
    const words = isForced ? `killing ${runId}` : `cancelling ${runId}; Ctrl-C again kills it`;
    status.above(() => output.warn(words));
    void cancel(session, runId, isForced).then((failure) => {
      if (failure === null) return;
      status.above(() => output.warn(failure.words));
      if (failure.mustLeave) leaving.abort();
    });
  });
  if (output.isVerbose) output.say(`${runId} of ${jobId}, ${session.where}`);
  const events = progress.follow(client, over.signal).catch(() => undefined);
  const redraw = setInterval(() => status.show(progress.text()), redrawMs);
  // Without a status line, one line says why the run waits.
  const explain = setInterval(() => {
    const why = progress.whyWaiting();
    if (why === null || status.isShown) return;
    output.say(`${jobId} waits: ${why}`);
    clearInterval(explain);
  }, waitedMs);
  const endLook = onLost(session, runId, () => leaving.abort());
  try {
    await followLog(client, runId, {
      print: async (line) => {
        await labels.learn(line.step_id);
        status.above(() => print([line]));
      },
      signal: leaving.signal,
      onBreak: (error) => status.above(() => output.warn(breakWords(error))),
    });
    if (leaving.signal.aborted) throw leftRun(session, runId);
    return { run: await client.call('getRun', { path }), isInterrupted: count > 0 };
  } finally {
    endLook();
    clearInterval(redraw);
    clearInterval(explain);
    status.close();
    interrupts.release();
    over.abort();
    await events;
  }
}

function leftRun(session: Session, runId: string): Refusal {
  if (session.lost()) return lostRun(session, runId);
  return new Refusal(
    `${runId} is still running; \`${session.command('cancel', runId)}\` stops it.`,
    exitCodes.interrupted,
  );
}

type CancelFailure = { readonly words: string; readonly mustLeave: boolean };

/** @returns why the run does not end; null if it has ended or is being ended */
async function cancel({ client, isEphemeral }: Session, runId: string, force: boolean): Promise<CancelFailure | null> {
  const path = { run_id: runId };
  try {
    const { status } = await client.call('cancelRun', { path, query: { force } });
    if (status !== 'running' || !isEphemeral()) return null;
    // The processes of the run have ended. Only a full disk can still keep the run from ending.
    const { waiting } = await client.call('getRun', { path });
    return waiting === null ? null : { words: `${runId} is being cancelled: ${waiting}`, mustLeave: true };
  } catch (error) {
    if (error instanceof ApiProblem && error.slug === 'run-already-finished') return null;
    const words = `${runId} could not be cancelled: ${error instanceof Error ? error.message : ''}`;
    // Without a server, nothing else would end this command.
    return { words, mustLeave: error instanceof ServerUnreachable || isEphemeral() };
  }
}

/** Prints to standard error how the run ended. */
export async function describeEnd(session: Session, run: Run, output: Output): Promise<void> {
  const isGood = run.status === 'success';
  const took = run.started_at && run.finished_at ? ` in ${wholeWords(run)}` : '';
  const by = run.status === 'cancelled' ? byRequester(run) : '';
  const word = `${output.paint(isGood ? 'good' : 'bad', run.status)}${by}`;
  const why = whyFailed(run);
  const isTold = !run.exit_code || why.includes(`code ${run.exit_code}`);
  const code = isTold ? '' : ` (exit code ${run.exit_code})`;
  if (!isGood && isFinished(run.status)) output.warn(`${word}${took}${code}${why && `: ${why}`}`);
  else output.say(`${word}${took}${allowedFailures(run)}`);
  const hint = hintOf(run);
  if (hint !== undefined) (isGood ? output.say : output.warn)(`hint: ${hint}`);
  nameSubRuns(run, session, output);
  if (run.result) output.say(`result: ${JSON.stringify(run.result.value)}`);
  try {
    for (const { id, name } of await artifactsOf(session, run.run_id))
      output.say(`artifact ${name}: ${session.command('artifacts', 'get', id)}`);
  } catch (error) {
    // The result of the run is known and decides the exit code, so this is only a warning.
    if (!(error instanceof ServerUnreachable)) throw error;
    output.warn(`the artifacts of the run cannot be listed: ${error.message}`);
  }
  output.say(output.paint('faint', `${run.run_id}: ${session.command('runs', run.run_id)}`));
}

/** Names the failed steps of a run that succeeded. They have `continue_on_error`. */
function allowedFailures({ status, steps }: Run): string {
  const failed = steps.filter((step) => step.status === 'failed' && step.instance_of === null);
  if (status !== 'success' || failed.length === 0) return '';
  const names = failed.length > 3 ? `${failed.length} steps` : failed.map((step) => stepLabel(step)).join(', ');
  return `; ${names} failed, which the job allows`;
}

/** A token that may run a job may lack the scope to see its artifacts. */
async function artifactsOf({ client }: Session, runId: string): Promise<AnswerOf<'listArtifacts'>['artifacts']> {
  try {
    return (await client.call('listArtifacts', { query: { run_id: runId } })).artifacts;
  } catch (error) {
    if (error instanceof ApiProblem && error.slug === 'permission-denied') return [];
    throw error;
  }
}
