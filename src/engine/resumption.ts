// Resumes the runs in the database: all of them after a start, and later those that no process drives. This happens in
// the background, and several runs are resumed at once. A run that cannot be resumed fails.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../domain/problem.ts';
import { wasRestored } from '../exec/run-folder.ts';
import type { StoredRun } from '../store/run/runs.ts';
import { Superseded } from '../store/superseded.ts';
import { endOrphan, isOfEarlierBuild, type Orphan } from './end-orphan.ts';
import type { Owner } from './owner.ts';
import type { Dispatcher } from './queue/dispatch.ts';
import type { Queue } from './queue/queue.ts';
import type { ControllerContext } from './run/run-context.ts';
import { toSource } from './run/run-source.ts';
import type { RunRegister } from './run-register.ts';

export type Resumption = ReturnType<typeof createResumption>;

/** How long resuming may take. Resuming 100 running runs takes less than 2 s. */
const resumeMs = 5_000;
const pendingPage = 500;

type Parts = {
  readonly context: ControllerContext;
  readonly queue: Queue;
  readonly dispatcher: Pick<Dispatcher, 'starting'>;
  readonly register: RunRegister;
  readonly expireOthers: Owner['expireOthers'];
  readonly cancel: (runId: string, by?: string) => void;
  /** Starts to enforce deadlines. */
  readonly startDeadlines: () => void;
  /** Repeats the work while the disk refuses it. */
  readonly withRetry: <T>(work: () => Promise<T>) => Promise<T>;
  readonly signal: AbortSignal;
};

export function createResumption(o: Parts) {
  const { queue, withRetry, signal } = o;
  const { store, log, clock, owner } = o.context;
  const { promise: done, resolve: markDone } = Promise.withResolvers<void>();
  let only: Set<string> | undefined;
  let isDone = false;
  let wereOrphans: ReadonlySet<string> = new Set();
  let startedAtMs = clock.monotonicMs();
  let resuming: Promise<void> | undefined;

  async function resumeAll(): Promise<void> {
    // Deadlines come first, so that they end a run that hangs while it is resumed.
    o.startDeadlines();
    const running = await withRetry(() => store.runs.running(owner.id));
    await Promise.all(running.map((runId) => resumeRun(runId, o)));
    if (running.length > 0) log.info({ runs: running.length }, 'resumed running runs');
    await addPendingRuns(o, only);
    for (const runId of await withRetry(() => store.runs.cancelling('pending'))) o.cancel(runId);
    isDone = true;
    queue.open();
    markDone();
  }

  return {
    /** True once every run in the database is resumed or in the queue. */
    get isDone() {
      return isDone;
    },
    /** True while resuming takes longer than it should. */
    isLate: (): boolean => !isDone && clock.monotonicMs() - startedAtMs > resumeMs,
    /**
     * Starts resuming in the background. If `given` is set, waiting runs start only if they are sub-runs or are in
     * `given`.
     */
    start(given?: ReadonlySet<string>): void {
      only = given && new Set(given);
      startedAtMs = clock.monotonicMs();
      resuming = resumeAll().catch((error: unknown) => {
        if (!signal.aborted) log.error({ err: error }, 'runs of the previous server process could not be resumed');
      });
    },
    /** After a start with `given`: also starts this run if it waits. */
    ensureStarted(runId: string): void {
      if (!only || only.has(runId)) return;
      only.add(runId);
      done
        .then(() => addPendingRuns(o, only))
        .catch((error: unknown) => {
          if (!signal.aborted) log.error({ err: error, run_id: runId }, 'a waiting run was not started');
        });
    },
    /** Resumes runs that nobody drives, because another process has left them or an error has occurred. */
    async resync(): Promise<void> {
      if (!isDone || only) return;
      const { pending } = await store.runs.counts();
      await o.expireOthers();
      if (pending > queue.depth + o.dispatcher.starting) await addPendingRuns(o);
      const running = await store.runs.running(owner.id);
      const orphans = running.filter((runId) => !queue.has(runId));
      // A run that has just ended or was just claimed may look like an orphan once, but not twice in a row.
      const left = orphans.filter((runId) => wereOrphans.has(runId));
      wereOrphans = new Set(orphans);
      for (const runId of left) {
        log.warn({ run_id: runId }, 'a running run that no server drove is resumed');
        await resumeRun(runId, o);
      }
    },
    /** Resolves when all runs are resumed. @throws Problem not-ready when the server stops first */
    async untilDone(): Promise<void> {
      await done;
      if (signal.aborted) throw new Problem('not-ready', 'The server is stopping.');
    },
    /** Call it when the server stops. It releases everyone who waits in `untilDone`. */
    giveUp: markDone,
    /** Resolves when no run is being resumed. */
    async settled(): Promise<void> {
      await resuming;
    },
  };
}

/** Hands the waiting runs in the database to the queue, oldest first. */
async function addPendingRuns({ context, queue, withRetry }: Parts, only?: ReadonlySet<string>): Promise<void> {
  let afterId: string | undefined;
  for (;;) {
    const page = await withRetry(() => context.store.runs.pending(pendingPage, afterId));
    for (const run of page) {
      // A sub-run belongs to a run that has started, so it is always added.
      if (!only || only.has(run.id) || run.trigger === 'job') await queue.add(run);
    }
    afterId = page.at(-1)?.id;
    if (page.length < pendingPage) return;
  }
}

/** Resumes a running run. If that is not possible, marks it as failed. Never rejects. */
async function resumeRun(runId: string, o: Parts): Promise<void> {
  const { withRetry, signal } = o;
  const { store, log } = o.context;
  try {
    let plan: StoredRun['plan'] | null = null;
    try {
      const stored = await withRetry(() => store.runs.execution(runId));
      if (stored?.run.status !== 'running' || signal.aborted) return;
      ({ plan } = stored);
      if (stored.attempts.some(isOfEarlierBuild)) throw new Error('the run was started by an earlier build of flwd');
      await resume(stored, o);
    } catch (error) {
      if (signal.aborted || error instanceof Superseded) return;
      // The run is ended without storing more output: if its secrets cannot be opened, its output cannot be redacted.
      const now = await withRetry(() => store.runs.withAttempts(runId));
      if (now) await withRetry(() => failRun({ ...now, plan }, error, o));
    }
  } catch (error) {
    if (!signal.aborted)
      log.error({ err: error, run_id: runId }, 'a run of the previous server process could not be resumed');
  }
}

async function resume(stored: StoredRun, { context, register, signal, cancel }: Parts): Promise<void> {
  const { run, concurrency, owner } = stored;
  const runDir = join(context.runsDir, run.run_id);
  const isLost = (message: string) => endOrphan(stored, { reason: 'lost', message }, context, cancel);
  if (wasRestored(runDir)) return isLost('it was running when the backup was made');
  // If the run has no folder here, its folder is on the server of its former owner.
  if (owner !== null && owner !== context.owner.id && !existsSync(runDir)) {
    return isLost(`the server on ${run.worker} that drove it is gone: its lease has expired`);
  }
  const source = toSource(stored, context.sealer);
  if (signal.aborted) return;
  await register.resume(source, { jobId: run.job_id, ...concurrency }).catch(async (error: unknown) => {
    if (error instanceof Superseded) await register.drop(run.run_id);
    throw error;
  });
}

async function failRun(stored: Orphan, error: unknown, { context, register, cancel }: Parts): Promise<void> {
  const { run_id: runId } = stored.run;
  context.log.error({ err: error, run_id: runId }, 'a run that could not be resumed was marked as failed');
  await register.drop(runId);
  const message = 'the run could not be resumed after a restart; the server log says why';
  await endOrphan(stored, { reason: 'lost', message }, context, cancel);
}
