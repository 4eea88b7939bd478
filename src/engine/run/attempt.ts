// One attempt of a step as a process: from its launch, or its take-up after a restart, until nothing is left of it and all
// that it printed is in the log. What its end means for the run is the run controller's.

import { join } from 'node:path';
import type { CommandAction, JsonObject, JsonValue } from '../../domain/job.ts';
import { noResources, outOfMemoryMessage, type Resources } from '../../domain/resources.ts';
import type { Run, RunPlan, StepReason, Termination } from '../../domain/run.ts';
import { readOutputs } from '../../exec/collect/outputs.ts';
import { readResult } from '../../exec/collect/results.ts';
import type { LimitHost } from '../../exec/host/limit-host.ts';
import type { ForkServer } from '../../exec/proc/fork-server.ts';
import { type AttemptEnd, type AttemptProcess, attend, launch, removed } from '../../exec/proc/launch.ts';
import { resumeAttempt } from '../../exec/proc/resume-attempt.ts';
import type { RunCallers } from '../../exec/proc/run-callers.ts';
import type { Redactor } from '../../exec/redact/redact.ts';
import { lackOfRoom } from '../../lib/files/disk-room.ts';
import type { Logger } from '../../lib/logger.ts';
import { unwritable } from '../../store/storage-error.ts';
import { createOutput } from './output.ts';
import type { RunLog } from './run-log.ts';

/** What ends an attempt that does not end by itself, and how its step then reads. */
export type Interruption =
  | { readonly status: 'cancelled'; readonly reason: null; readonly message: null }
  | { readonly status: 'failed'; readonly reason: StepReason; readonly message: string };

export const cancelled: Interruption = { status: 'cancelled', reason: null, message: null };

/** How an attempt ended. A failing job is data, never an exception. */
export type Outcome = {
  readonly status: 'success' | 'failed' | 'cancelled';
  readonly reason: StepReason | null;
  readonly message: string | null;
  readonly exitCode: number | null;
  readonly result: { readonly value: JsonValue } | null;
  /** As shown, and with the secrets that they hold. */
  readonly outputs: Readonly<Record<string, string>>;
  readonly openOutputs: Readonly<Record<string, string>>;
  readonly termination: Termination | null;
};

/** What there is of a step that nothing was started for. */
export const nothingDone = {
  exitCode: null,
  result: null,
  outputs: {},
  openOutputs: {},
  termination: null,
} as const;

export type Attempt = {
  /** The process tree is gone. */
  readonly gone: Promise<void>;
  /**
   * All is in the log. An error of flwd is a failure too, with the process tree ended. Never settles after `detach`.
   */
  readonly outcome: Promise<Outcome>;
  /** Ends it by the job's ladder. False when it has ended, or is being ended already. */
  readonly interrupt: (why: Interruption) => boolean;
  /** What is being ended has no more time for it. */
  readonly hasten: () => void;
  /** Lets go of it: the shim goes on, and what it left is for the next start to store. */
  readonly detach: () => void;
  readonly hasEnded: () => boolean;
};

export type AttemptContext = {
  readonly forkServer: ForkServer;
  readonly runsDir: string;
  readonly snapshotDir: (revision: string) => string;
  /** Host folders that no job may see, whatever its profile shows: the server's own files. */
  readonly masked: () => readonly string[];
  readonly passthrough: (plan: RunPlan) => readonly string[];
  readonly limitHost: LimitHost;
  readonly runCallers: Pick<RunCallers, 'enter' | 'leave' | 'lose'>;
};

export function startAttempt(o: {
  readonly run: Pick<Run, 'run_id' | 'job_id' | 'tenant' | 'args'>;
  readonly plan: RunPlan;
  readonly at: { readonly stepId: string; readonly attempt: number };
  readonly action: CommandAction;
  readonly variables: Readonly<Record<string, string>>;
  readonly secrets: ReadonlyMap<string, string>;
  readonly workspaceDir: string;
  readonly attemptDir: string;
  readonly redactor: Redactor;
  readonly runLog: RunLog;
  readonly context: AttemptContext;
  readonly log: Logger;
  readonly mode: 'launch' | 'take-up';
  readonly withRetry: <T>(work: () => T | Promise<T>) => Promise<T>;
  /** Why its time is over. */
  readonly overdue: () => Interruption | undefined;
  /** A signal was sent, to so many processes. */
  readonly onSignal: (signal: string, processes: number) => void;
}): Attempt {
  const { run, plan, at, attemptDir, redactor, context, withRetry } = o;
  const resources = plan.resources ?? noResources;
  const about = { step_id: at.stepId, attempt: at.attempt };
  const { promise: gone, resolve: markGone } = Promise.withResolvers<void>();
  const output = createOutput({ at, redactor, runLog: o.runLog, withRetry });
  let process: AttemptProcess | undefined;
  let interruption: Interruption | undefined;
  let termination: Promise<Termination> | undefined;
  const hurry = new AbortController();
  let hasEnded = false;
  let isDetached = false;

  function terminate(attempt: AttemptProcess): void {
    const { signal, graceMs } = plan.job.cancel;
    termination = attempt.terminate({ signal, graceMs, hurry: hurry.signal, onSignal: o.onSignal });
  }

  /** undefined: it was ended while the disk had no room for it. */
  async function start(): Promise<AttemptProcess | undefined> {
    if (o.mode === 'take-up') {
      const resumed = await withRetry(() => resumeAttempt(attemptDir));
      if (resumed) return resumed;
      // What it printed is stored, so it had begun.
      if ((await o.runLog.open()).spoolOffset(at) > 0) return attend(attemptDir, Promise.resolve(), removed);
    }
    const spec = {
      runId: run.run_id,
      jobId: run.job_id,
      ...at,
      tenant: run.tenant,
      attemptDir,
      workspaceDir: o.workspaceDir,
      snapshotDir: context.snapshotDir(plan.revision),
      job: plan.job,
      action: o.action,
      variables: o.variables,
      args: withoutSecrets({ ...run.args, ...plan.resolvedArgs }, plan.job.secretArgs),
      secrets: o.secrets,
      profile: plan.profile,
      network: plan.network,
      isSandboxed: plan.isSandboxed ?? true,
      read: plan.read,
      write: plan.write,
      passthrough: context.passthrough(plan),
      limits: { resources, host: context.limitHost },
    };
    return withRetry(() => {
      if (interruption) return undefined;
      const lack = lackOfRoom(context.runsDir);
      if (lack !== null) throw unwritable(lack);
      return launch({ ...spec, masked: showsHost(plan) ? context.masked() : [] }, context.forkServer);
    });
  }

  /** What is disabled is the server's own user in all it does, and can read `cli.token`. */
  const isCaller = plan.profile !== 'disabled';

  async function follow(): Promise<Outcome> {
    const { runCallers } = context;
    if (isCaller) runCallers.enter(attemptDir, plan.network === 'all');
    const starting = start();
    if (isCaller)
      starting
        .then((attempt) => attempt?.ended)
        .then(
          () => runCallers.leave(attemptDir),
          () => runCallers.lose(attemptDir),
        );
    const attempt = await starting;
    if (!attempt) return { ...nothingFound, ...(interruption ?? cancelled), termination: null };
    process = attempt;
    if (interruption) terminate(attempt);
    await output.follow(attempt.spoolPath, o.mode);
    const end = await attempt.ended;
    if (isDetached) return never;
    hasEnded = true;
    markGone();
    await output.drain();
    if (end.kind === 'not-started' && end.cause)
      o.log.error({ ...about, err: end.cause }, 'an attempt could not be started');
    const found = await withRetry(() => readBack(attemptDir, redactor));
    return verdict(end, found, {
      // A former server may have ended it for its time, and died before it could say so.
      interruption: interruption ?? (o.mode === 'take-up' && end.kind === 'signalled' ? o.overdue() : undefined),
      lastError: output.lastError(),
      redactor,
      resources,
      termination: (await termination) ?? null,
    });
  }

  /** What is still alive would go on unwatched. */
  async function giveUp(error: unknown): Promise<Outcome> {
    if (isDetached) return never;
    o.log.error({ ...about, err: error }, 'an attempt could not be attended');
    if (process) terminate(process);
    const proof = (await termination) ?? null;
    hasEnded = true;
    markGone();
    return {
      ...nothingFound,
      ...failed(process ? 'lost' : 'start_failed', 'the engine could not attend to it'),
      termination: proof,
    };
  }

  return {
    gone,
    outcome: follow().catch(giveUp).finally(markGone),
    interrupt(why) {
      if (interruption || hasEnded || isDetached) return false;
      interruption = why;
      if (process) terminate(process);
      return true;
    },
    hasten: () => hurry.abort(),
    detach() {
      isDetached = true;
      output.close();
      markGone();
    },
    hasEnded: () => hasEnded,
  };
}

/** Whether it shows more of the host than every secure sandbox does: only then is there something to mask. */
function showsHost({ profile, read, write }: Pick<RunPlan, 'profile' | 'read' | 'write'>): boolean {
  return profile === 'permissive' || read.length > 0 || write.length > 0;
}

/** Of an attempt that this process has let go of. */
const never = new Promise<never>(() => undefined);

type Found = Pick<Outcome, 'result' | 'outputs' | 'openOutputs'> & { readonly invalid: string | null };

const nothingFound = { exitCode: null, result: null, outputs: {}, openOutputs: {} } as const;

function failed(reason: StepReason, message: string, exitCode: number | null = null) {
  return { status: 'failed', reason, message, exitCode } as const;
}

/** What a script left behind, after its last process is gone. */
function readBack(attemptDir: string, redactor: Redactor): Found {
  const outDir = join(attemptDir, 'out');
  const result = readResult(outDir);
  const outputs = readOutputs(outDir);
  const invalid = [result, outputs].find((part) => part.kind === 'invalid');
  const openOutputs = outputs.kind === 'outputs' ? outputs.outputs : {};
  return {
    result: result.kind === 'value' ? { value: redactor.json(result.value) } : null,
    outputs: redactor.json(openOutputs),
    openOutputs,
    invalid: invalid ? redactor.text(invalid.message) : null,
  };
}

/** How an attempt's end, and what was found after it, read as its step's end. */
function verdict(
  end: AttemptEnd,
  { invalid, ...found }: Found,
  o: {
    readonly interruption: Interruption | undefined;
    readonly lastError: string | undefined;
    readonly redactor: Redactor;
    readonly resources: Resources;
    readonly termination: Termination | null;
  },
): Outcome {
  const given = { ...found, termination: o.termination };
  const exitCode = end.kind === 'exited' ? end.code : null;
  const { interruption, termination } = o;
  if (interruption && termination && termination.remaining > 0) {
    return { ...given, ...failed('lost', `${termination.remaining} of its processes could not be ended`) };
  }
  // A script may catch the signal and exit as it likes: what ended it is still the interruption.
  if (interruption && end.kind !== 'lost') return { ...given, exitCode, ...interruption };
  if (end.kind === 'not-started') return { ...given, ...failed('start_failed', o.redactor.text(end.message)) };
  if (end.kind === 'lost') return { ...given, ...failed('lost', end.message ?? lostMessage) };
  if (end.outOfMemory) return { ...given, ...failed('out_of_memory', outOfMemoryMessage(o.resources), exitCode) };
  if (end.kind === 'signalled') return { ...given, ...failed('signal', `ended by signal ${end.signal}`) };
  if (end.code !== 0) return { ...given, ...failed('exit', exitMessage(end.code, o.lastError), end.code) };
  if (invalid !== null) return { ...given, ...failed('invalid_result', invalid, 0) };
  return { ...given, status: 'success', reason: null, message: null, exitCode: 0 };
}

const lostMessage = 'the process ended without a trace; the machine or its shim was stopped';

function exitMessage(code: number, lastError: string | undefined): string {
  return lastError ? `exited with code ${code}: ${lastError}` : `exited with code ${code}`;
}

function withoutSecrets(args: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(args).filter(([name]) => !names.includes(name)));
}
