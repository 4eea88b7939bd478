// One attempt of a step as a process. It begins with the launch, or with the restart that resumes it. It ends when no
// process is left and all output is in the log. advance.ts decides what this end means for the run.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { noResources } from '../../../domain/resources.ts';
import type { Termination } from '../../../domain/run.ts';
import type { AttemptProcess } from '../../../exec/executor.ts';
import type { KvAnswer, KvRequest } from '../../../exec/kv/kv-request.ts';
import { type KvRequests, serveKvRequests } from '../../../exec/kv/kv-requests.ts';
import type { Redactor } from '../../../exec/redact/redact.ts';
import { lackOfRoom } from '../../../lib/files/disk-room.ts';
import { firstLineOf } from '../../../lib/files/first-line.ts';
import type { Logger } from '../../../lib/logger.ts';
import { readErrorLines } from '../failure/error-lines.ts';
import type { FailedAttempt } from '../failure/failed-attempt.ts';
import { failureHint } from '../failure/failure-hint.ts';
import { hintForSuccess } from '../failure/program-hints.ts';
import type { RunLog } from '../run-log.ts';
import { type AttemptStart, startOrResume } from './attempt-start.ts';
import { cancelled, failed, type Interruption, nothingDone, type Outcome, outcomeOf, readBack } from './outcome.ts';
import { createOutput } from './output.ts';

export type Attempt = ReturnType<typeof startAttempt>;

/** The outcome of an attempt that this process has detached. This promise never settles. */
const never = new Promise<never>(() => undefined);

type AttemptOptions = AttemptStart & {
  readonly runLog: RunLog;
  readonly redactor: Redactor;
  readonly log: Logger;
  /** Rejects once the run is detached. */
  readonly answerKv: (request: KvRequest) => Promise<KvAnswer>;
  readonly mayHaveLost: () => boolean;
  /** Why the attempt is out of time; undefined when it is not. */
  readonly overdue: () => Interruption | undefined;
  /** Called when a signal was sent to this many processes. */
  readonly onSignal: (signal: string, processes: number) => void;
};

export function startAttempt(o: AttemptOptions) {
  const { attemptDir, redactor } = o;
  const { cancel } = o.plan.job;
  const { promise: gone, resolve: markGone } = Promise.withResolvers<void>();
  const output = createOutput(o);
  const graceEnd = new AbortController();
  let process: AttemptProcess | undefined;
  let interruption: Interruption | undefined;
  let termination: Promise<Termination> | undefined;
  let hasEnded = false;
  let isDetached = false;

  function terminate(attempt: AttemptProcess): void {
    termination = attempt.terminate({ ...cancel, graceEnd: graceEnd.signal, onSignal: o.onSignal });
  }

  async function follow(): Promise<Outcome> {
    const attempt = await startOrResume(o, () => interruption !== undefined);
    if (!attempt) return { ...nothingDone, ...(interruption ?? cancelled) };
    process = attempt;
    if (interruption) terminate(attempt);
    void gone.then(serveKv(o).close);
    await output.follow(attempt, o.mode);
    const end = await attempt.ended;
    if (isDetached) return never;
    hasEnded = true;
    markGone();
    // This is measured before the output is drained, because draining may make room again.
    const lack = lackOfRoom(o.context.runsDir);
    await output.drain();
    if (end.kind === 'not-started' && end.cause) logError(o, end.cause, 'an attempt could not be started');
    const found = await o.withRetry(() => readBack(attemptDir, redactor));
    const lines = readErrorLines(output.lastErrors());
    const outcome = outcomeOf(end, found, {
      // An earlier server may have ended the attempt because its time was up, and died before it could store that.
      interruption: interruption ?? (o.mode === 'resume' && end.kind === 'signalled' ? o.overdue() : undefined),
      lines,
      redactor,
      resources: o.plan.resources ?? noResources,
      termination: (await termination) ?? null,
      endedBeforeAtMs: attempt.endedBeforeAtMs,
    });
    return explain(outcome, { lines, lackOfRoom: lack }, o);
  }

  /** Ends the processes, which would otherwise continue with nobody watching them. */
  async function giveUp(error: unknown): Promise<Outcome> {
    if (isDetached) return never;
    logError(o, error, 'an attempt failed because of an internal error');
    if (process) terminate(process);
    const proof = (await termination) ?? null;
    hasEnded = true;
    markGone();
    const why = failed(process ? 'lost' : 'start_failed', 'an internal error ended it; the server log says why');
    return { ...nothingDone, ...why, termination: proof };
  }

  return {
    /** Resolves when no process of the attempt is left. */
    gone,
    /** Resolves when all output is in the log. An internal error counts as a failure. Never settles after `detach`. */
    outcome: follow().catch(giveUp).finally(markGone),
    /** Ends the attempt as the job's `cancel` says. Returns false when it has ended or is already being ended. */
    interrupt(why: Interruption): boolean {
      if (interruption || hasEnded || isDetached) return false;
      interruption = why;
      if (process) terminate(process);
      return true;
    },
    /** Cuts the grace period short if the attempt is being ended. */
    endGracePeriod: (): void => graceEnd.abort(),
    /** Stops watching the attempt: its shim keeps it alive, and the next start stores what it leaves. */
    detach(): void {
      isDetached = true;
      output.close();
      markGone();
    },
    hasEnded: (): boolean => hasEnded,
  };
}

/** Adds a hint, unless the outcome has a hint already. */
function explain(
  outcome: Outcome,
  found: Pick<FailedAttempt, 'lines' | 'lackOfRoom'>,
  { plan, run, action, context }: AttemptOptions,
): Outcome {
  const { reason, message, exitCode } = outcome;
  const { isolation } = run.security;
  if (outcome.status === 'success') return withHint(outcome, hintForSuccess({ ...found, isolation }));
  if (outcome.status !== 'failed' || reason === null || message === null || outcome.hint !== undefined) return outcome;
  // The path comes from the output of the script, so it need not be valid.
  const own = (path: string): string => join(context.snapshotDir(plan.revision), path);
  const files = {
    isBesideConfig: (path: string): boolean => existsSync(own(path)),
    firstLineOf: (path: string): string => firstLineOf(own(path)),
  };
  const { command } = action;
  const { args } = run;
  return withHint(
    outcome,
    failureHint({ ...found, ...files, reason, message, exitCode, command, args, plan, isolation }),
  );
}

function withHint(outcome: Outcome, hint: string | undefined): Outcome {
  return hint === undefined ? outcome : { ...outcome, hint };
}

function serveKv(o: AttemptOptions): KvRequests {
  const { at, runLog } = o;
  const onError = (error: unknown): void => logError(o, error, 'requests to the key-value store could not be answered');
  const onOverfull = (): void => {
    const text =
      'flwd_kv_get, flwd_kv_set and flwd_kv_delete wait: there are too many files in the folder of FLWD_OUTPUT_FILE';
    runLog.note(at, text).catch(onError);
  };
  return serveKvRequests({ attemptDir: o.attemptDir, answer: o.answerKv, onOverfull, onError });
}

function logError({ log, at }: AttemptOptions, error: unknown, message: string): void {
  log.error({ step_id: at.stepId, attempt: at.attempt, err: error }, message);
}
