// One attempt of a run, from its launch (or its take-up after a restart) to the row that says how it ended:
// shim → spool → redaction → log → result, outputs, artifacts → one transaction.

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type JobDefinition, type JsonObject, stepIdOfSingle } from '../domain/job.ts';
import { noResources, outOfMemoryMessage, type Resources, workspaceOverMessage } from '../domain/resources.ts';
import type { Run, RunMove, RunPlan, Termination } from '../domain/run.ts';
import { adopt } from '../exec/adopt.ts';
import type { ForkServer } from '../exec/fork-server.ts';
import { type AttemptEnd, type AttemptProcess, launch } from '../exec/launch.ts';
import type { LimitHost } from '../exec/limit-host.ts';
import { createRedactor, type Redactor } from '../exec/redact.ts';
import { type WorkspaceWatch, watchWorkspace } from '../exec/workspace-size.ts';
import { type Clock, toTimerDelay } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { outlast } from '../lib/shortage.ts';
import { formatDuration } from '../lib/units.ts';
import type { Store } from '../store/open.ts';
import type { RunChange } from '../store/runs.ts';
import { isStorageFault } from '../store/storage-fault.ts';
import { type ArtifactLimits, type Collected, collect } from './collect.ts';
import { assertUnmoved, GrantMoved } from './granted-paths.ts';
import { createOutput } from './output.ts';
import { removeRunFolder } from './run-folders.ts';

export type ExecuteContext = {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly forkServer: ForkServer;
  readonly runsDir: string;
  readonly snapshotDir: (revision: string) => string;
  /** Host folders that no job may see, whatever its profile shows: the server's own files. */
  readonly masked: readonly string[];
  readonly passthrough: (plan: RunPlan) => readonly string[];
  readonly limitHost: LimitHost;
  readonly artifactLimits: ArtifactLimits;
};

export type Execution = {
  readonly runId: string;
  /** The process tree is gone. */
  readonly gone: Promise<void>;
  /** The run's last row is written. */
  readonly finished: Promise<void>;
  /** Ends it by the job's ladder. Calling it again changes nothing. */
  readonly cancel: () => void;
  /** Lets go of it: the shim goes on, the next start takes it up. Never rejects. */
  readonly detach: () => Promise<void>;
};

export type ExecutionSource = {
  readonly run: Pick<Run, 'run_id' | 'job_id' | 'tenant' | 'attempt' | 'args'>;
  readonly plan: RunPlan;
  readonly secrets: ReadonlyMap<string, string>;
  readonly startedAtMs: number;
};

/** What ended an attempt that did not end by itself. */
type Interruption = 'cancelled' | 'timed-out' | 'over-quota';

/** Of a script that has ended only the row is missing: a server that stops waits so long for it. */
const finishingMs = 1_500;

export function execute(source: ExecutionSource, context: ExecuteContext, mode: 'launch' | 'take-up'): Execution {
  const { run, plan } = source;
  const { store, clock } = context;
  const log = context.log.child({ run_id: run.run_id, job_id: run.job_id });
  const runDir = join(context.runsDir, run.run_id);
  const attemptDir = attemptDirOf(run, context);
  const workspaceDir = join(runDir, 'workspace');
  const redactor = createRedactor(source.secrets.values());
  const timeoutMs = timeoutOf(plan.job);
  const resources = plan.resources ?? noResources;

  const { promise: gone, resolve: markGone } = Promise.withResolvers<void>();
  let process: AttemptProcess | undefined;
  let interruption: Interruption | undefined;
  let termination: Promise<Termination> | undefined;
  let hasEnded = false;
  let workspace: WorkspaceWatch | undefined;
  let foundBytes = 0;
  let deadline: NodeJS.Timeout | undefined;
  const detaching = new AbortController();
  const output = createOutput({ run, redactor, store, maxSizeBytes: plan.job.logs.maxSizeBytes, log, patiently });

  /** A disk that is full decides nothing about a run. After `detach` it throws: the rest is the next start's. */
  function patiently<T>(work: () => T | Promise<T>): Promise<T> {
    return outlast(work, {
      isPassing: isStorageFault,
      signal: detaching.signal,
      onWait: (error) => log.warn({ err: error }, 'what a run has left cannot be stored yet'),
    });
  }

  function interrupt(why: Interruption): void {
    if (interruption || hasEnded || detaching.signal.aborted) return;
    interruption = why;
    if (process) terminate(process);
  }

  function terminate(attempt: AttemptProcess): void {
    const { signal, graceMs } = plan.job.cancel;
    termination = attempt.terminate({ signal, graceMs, onSignal: announceSignal });
  }

  function announceSignal(signal: string, processes: number): void {
    const message = `sent ${signal} to ${processes} ${processes === 1 ? 'process' : 'processes'}`;
    store.db
      .transact(async (tx) => {
        tx.emit({
          type: 'run.cancelling',
          runId: run.run_id,
          jobId: run.job_id,
          tenant: run.tenant,
          data: { signal, message },
        });
      })
      .catch((error: unknown) => log.error({ err: error }, 'an event of the cancel was not written'));
  }

  /** A timer cannot wait for longer than 24.8 days: a later deadline is waited for in turns. */
  function awaitDeadline(atMs: number): void {
    const leftMs = atMs - clock.now();
    const delayMs = toTimerDelay(leftMs);
    deadline = setTimeout(() => (leftMs > delayMs ? awaitDeadline(atMs) : interrupt('timed-out')), delayMs);
  }

  function watchSize(): void {
    const limitBytes = resources.workspaceBytes;
    if (limitBytes === null) return;
    workspace = watchWorkspace({
      dir: workspaceDir,
      limitBytes,
      onOver(bytes) {
        foundBytes = bytes;
        interrupt('over-quota');
      },
      onFault: (error) => log.error({ err: error }, 'the size of a workspace is not watched any more'),
    });
  }

  async function start(): Promise<AttemptProcess> {
    if (mode === 'take-up') {
      const adopted = await patiently(() => adopt(attemptDir));
      if (adopted) return adopted;
    }
    await patiently(() => assertUnmoved(plan));
    const spec = {
      runId: run.run_id,
      jobId: run.job_id,
      stepId: stepIdOfSingle,
      tenant: run.tenant,
      attempt: run.attempt,
      attemptDir,
      workspaceDir,
      snapshotDir: context.snapshotDir(plan.revision),
      job: plan.job,
      args: withoutSecrets({ ...run.args, ...plan.resolvedArgs }, plan.job.secretArgs),
      secrets: source.secrets,
      profile: plan.profile,
      network: plan.network,
      read: plan.read,
      write: plan.write,
      masked: context.masked,
      passthrough: context.passthrough(plan),
      limits: { resources, host: context.limitHost },
    };
    return launch(spec, context.forkServer);
  }

  async function attend(): Promise<void> {
    const attempt = await start();
    process = attempt;
    if (interruption) terminate(attempt);
    if (timeoutMs !== null) awaitDeadline(source.startedAtMs + timeoutMs);
    watchSize();
    await output.follow(attempt.spoolPath, mode);
    const end = await attempt.ended;
    clearTimeout(deadline);
    workspace?.close();
    if (detaching.signal.aborted) return;
    hasEnded = true;
    markGone();
    await output.drain();
    const collected = await patiently(() =>
      collect({
        workspaceDir,
        attemptDir,
        job: plan.job,
        run,
        redactor,
        store,
        limits: context.artifactLimits,
        clock,
        log,
      }),
    );
    for (const warning of collected.warnings) await output.note('warn', warning);
    await output.close();
    await finish(end, collected, await termination);
    void removeRunFolder(runDir, log);
  }

  async function finish(end: AttemptEnd, collected: Collected, proof: Termination | undefined): Promise<void> {
    const atMs = clock.now();
    if (end.kind === 'not-started' && end.cause) log.error({ err: end.cause }, 'an attempt could not be started');
    const { move, change } = verdict(end, {
      collected,
      interruption,
      timeoutMs,
      lastError: output.lastError(),
      redactor,
      resources,
      foundBytes,
    });
    await patiently(() =>
      output.commit(async (tx) => {
        if (collected.artifacts.length > 0) await store.artifacts.add(tx, collected.artifacts);
        await store.runs.move(tx, run.run_id, move, { ...change, atMs, termination: proof ?? null });
      }),
    );
    if (move === 'fail') log.warn({ reason: change.reason, error: change.error?.message }, 'a run failed');
  }

  /** Ends a run that a fault of flwd keeps from being attended. */
  async function abandon(error: unknown): Promise<void> {
    if (detaching.signal.aborted) return;
    log.error({ err: error }, 'an attempt could not be attended');
    clearTimeout(deadline);
    workspace?.close();
    // What is still alive would go on unwatched.
    if (process) terminate(process);
    const proof = (await termination) ?? null;
    hasEnded = true;
    markGone();
    // A log that an earlier process left open is sealed, too.
    await output
      .note('error', 'the engine could not attend to the run')
      .then(() => output.close())
      .catch(() => undefined);
    const reason = process ? 'lost' : 'start_failed';
    const message = error instanceof GrantMoved ? error.message : 'the engine could not attend to the run';
    const change = { reason, error: { message, step_id: stepIdOfSingle }, termination: proof } as const;
    await patiently(() =>
      output.commit(async (tx) => {
        await store.runs.move(tx, run.run_id, 'fail', { ...change, atMs: clock.now() });
      }),
    );
    void removeRunFolder(runDir, log);
  }

  const finished = attend()
    .catch(abandon)
    .catch((error: unknown) => {
      if (!detaching.signal.aborted) log.error({ err: error }, 'the end of a run was not written');
    })
    .finally(markGone);

  return {
    runId: run.run_id,
    gone,
    finished,
    cancel: () => interrupt('cancelled'),
    async detach() {
      clearTimeout(deadline);
      workspace?.close();
      if (hasEnded) await Promise.race([finished, delay(finishingMs, undefined, { ref: false })]);
      detaching.abort();
      await output.release().catch((error: unknown) => log.warn({ err: error }, 'the log of a run was left as it was'));
      markGone();
    },
  };
}

/** Ends what a former process left of a run that cannot be attended. */
export async function endUnattended(
  { run, plan }: Pick<ExecutionSource, 'plan'> & { readonly run: Pick<Run, 'run_id' | 'attempt'> },
  context: Pick<ExecuteContext, 'runsDir'>,
): Promise<Termination | null> {
  return (await adopt(attemptDirOf(run, context))?.terminate(plan.job.cancel)) ?? null;
}

function attemptDirOf(run: Pick<Run, 'run_id' | 'attempt'>, context: Pick<ExecuteContext, 'runsDir'>): string {
  return join(context.runsDir, run.run_id, String(run.attempt));
}

/** How an attempt's end, and what was found after it, read as the run's last move. */
function verdict(
  end: AttemptEnd,
  o: {
    readonly collected: Collected;
    readonly interruption: Interruption | undefined;
    readonly timeoutMs: number | null;
    readonly lastError: string | undefined;
    readonly redactor: Redactor;
    readonly resources: Resources;
    /** How large the workspace was when it was found to be over its limit. */
    readonly foundBytes: number;
  },
): { move: RunMove; change: Omit<RunChange, 'atMs'> } {
  const { collected, interruption, timeoutMs } = o;
  const step_id = stepIdOfSingle;
  const given = { result: collected.result, outputs: collected.outputs };
  const fail = (reason: RunChange['reason'], message: string, exitCode: number | null = null) =>
    ({ move: 'fail', change: { ...given, reason: reason ?? null, exitCode, error: { message, step_id } } }) as const;

  // A script may catch the signal and exit as it likes: what ended it is still the interruption.
  if (interruption === 'cancelled' && end.kind !== 'lost') {
    return { move: 'cancel', change: { ...given, exitCode: end.kind === 'exited' ? end.code : null } };
  }
  if (interruption === 'timed-out') return fail('timeout', `did not end within ${formatDuration(timeoutMs ?? 0)}`);
  if (interruption === 'over-quota')
    return fail('quota_exceeded', workspaceOverMessage(o.resources.workspaceBytes ?? 0, o.foundBytes));
  if (end.kind === 'not-started') return fail('start_failed', o.redactor.text(end.message));
  if (end.kind === 'lost')
    return fail('lost', 'the process ended without a trace; the machine or its shim was stopped');
  if (end.outOfMemory)
    return fail('out_of_memory', outOfMemoryMessage(o.resources), end.kind === 'exited' ? end.code : null);
  if (end.kind === 'signalled') return fail('signal', `ended by signal ${end.signal}`);
  if (end.code !== 0) return fail('exit', exitMessage(end.code, o.lastError), end.code);
  if (collected.failure) return fail(collected.failure.reason, collected.failure.message, 0);
  return { move: 'succeed', change: { ...given, exitCode: 0 } };
}

function exitMessage(code: number, lastError: string | undefined): string {
  return lastError ? `exited with code ${code}: ${lastError}` : `exited with code ${code}`;
}

function timeoutOf(job: JobDefinition): number | null {
  const { runMs, stepMs } = job.timeouts;
  if (runMs === null) return stepMs;
  return stepMs === null ? runMs : Math.min(runMs, stepMs);
}

function withoutSecrets(args: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(args).filter(([name]) => !names.includes(name)));
}
