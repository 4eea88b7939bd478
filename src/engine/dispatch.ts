// Starts pending runs, oldest first, while slots are free; keeps what is executing; ends what waits too long.

import { Problem } from '../domain/problem.ts';
import type { RunReason, Termination } from '../domain/run.ts';
import type { Sealer } from '../exec/seal.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { outlast } from '../lib/shortage.ts';
import { formatDuration } from '../lib/units.ts';
import type { Store } from '../store/open.ts';
import type { PendingRun } from '../store/runs.ts';
import { isStorageFault } from '../store/storage-fault.ts';
import { type ExecuteContext, type Execution, type ExecutionSource, endUnattended, execute } from './execute.ts';
import { createSlots, type Place, type QueueLimits, type Slot } from './queue.ts';

export type Dispatcher = {
  readonly running: number;
  readonly depth: number;
  /**
   * A slot for a run about to be created, or a place in the queue. A run never overtakes those that wait already.
   * @throws Problem queue-full
   */
  readonly admit: (jobId: string) => Slot | Place;
  /** Why a run created now would wait, and why it would be refused; null when it would start. */
  readonly outlook: (jobId: string) => { readonly waiting: string | null; readonly refused: Problem | null };
  /** A run was added as pending. */
  readonly added: () => void;
  /** A pending run was cancelled. */
  readonly removed: () => void;
  /** Starts a run whose row has been claimed already. */
  readonly start: (source: ExecutionSource, slot: Slot, mode: 'launch' | 'take-up') => Execution;
  readonly executing: (runId: string) => Execution | undefined;
  /** Takes up what a former process left running, then starts what waits; in the background. */
  readonly recover: () => void;
  readonly stop: () => Promise<void>;
};

const queueTickMs = 1_000;
const pendingPage = 200;
const queueFullRetrySeconds = 5;

export function createDispatcher(o: {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: QueueLimits;
  readonly worker: string;
  readonly sealer: Sealer;
  readonly context: ExecuteContext;
}): Dispatcher {
  const { store, clock, log } = o;
  const executions = new Map<string, Execution>();
  const slots = createSlots(o.limits, () => wake());
  /** As stored, when it was last counted. */
  let stored = 0;
  /** Places of runs about to be stored. */
  let promised = 0;
  const stopping = new AbortController();
  let recovery: Promise<void> | undefined;
  let isRecovered = false;
  let pass: Promise<void> | undefined;
  let isPassDue = false;
  let isTickDue = false;
  const ticker = setInterval(() => {
    isTickDue = true;
    if (stored > 0) wake();
  }, queueTickMs);

  function depth(): number {
    return stored + promised;
  }

  function depthInWords(): string {
    return depth() === 1 ? '1 run waits' : `${depth()} runs wait`;
  }

  /** A run that others wait before waits for what they wait for; where that is there already, for them. */
  function whyWait(jobId: string): string | null {
    if (stopping.signal.aborted || !isRecovered) return 'the server is starting or stopping';
    return slots.whyNone(jobId) ?? (depth() === 0 ? null : `${depthInWords()} before it`);
  }

  function refusal(): Problem | null {
    const { maxDepth } = o.limits;
    if (maxDepth === null || depth() < maxDepth) return null;
    const detail = `${depthInWords()} already; scheduler.queue.max_depth is ${maxDepth}.`;
    return new Problem('queue-full', detail, { retry_after: queueFullRetrySeconds });
  }

  function admit(jobId: string): Slot | Place {
    const waiting = whyWait(jobId);
    if (waiting === null) return slots.hold(jobId);
    const refused = refusal();
    if (refused) throw refused;
    promised += 1;
    let isHeld = true;
    return {
      waiting,
      release() {
        if (isHeld) promised -= 1;
        isHeld = false;
      },
    };
  }

  /** One pass at a time; a wake during a pass makes it run once more. */
  function wake(): void {
    if (stopping.signal.aborted || !isRecovered || stored === 0) return;
    isPassDue = true;
    pass ??= runPasses()
      .catch((error: unknown) => log.error({ err: error }, 'pending runs could not be started'))
      .finally(() => {
        pass = undefined;
      });
  }

  async function runPasses(): Promise<void> {
    while (isPassDue) {
      if (stopping.signal.aborted) return;
      isPassDue = false;
      if (isTickDue) await endOverdue();
      isTickDue = false;
      let afterId: string | undefined;
      for (;;) {
        const page = await store.runs.pending(pendingPage, afterId);
        for (const waiting of page) await consider(waiting);
        afterId = page.at(-1)?.id;
        if (page.length < pendingPage || slots.free === 0) break;
      }
      stored = (await store.runs.counts()).pending;
    }
  }

  /** Wherever in the queue they are. */
  async function endOverdue(): Promise<void> {
    const atMs = clock.now();
    const overdue = await store.runs.overdue(atMs);
    await Promise.all(
      overdue.map(({ id, queueMs }) => {
        const message = `waited longer than timeouts.queue of ${formatDuration(queueMs)}`;
        const change = { atMs, reason: 'timeout', error: { message } } as const;
        return store.db.transact((tx) => store.runs.move(tx, id, 'fail', change));
      }),
    );
  }

  async function consider(waiting: PendingRun): Promise<void> {
    if (stopping.signal.aborted) return;
    // Its end comes with the next tick.
    if (waiting.queueMs !== null && waiting.createdAtMs + waiting.queueMs <= clock.now()) return;
    const slot = slots.take(waiting.jobId);
    if (typeof slot === 'string') {
      if (slot !== waiting.waiting) await store.db.transact((tx) => store.runs.setWaiting(tx, waiting.id, slot));
      return;
    }
    try {
      // Read before the claim: a run that cannot be read is never one without a process.
      const source = await sourceOf(waiting.id);
      const startedAtMs = clock.now();
      const isClaimed = await store.db.transact((tx) =>
        store.runs.move(tx, waiting.id, 'claim', { atMs: startedAtMs, worker: o.worker }),
      );
      if (source && isClaimed) start({ ...source, startedAtMs }, slot, 'launch');
      else slot.release();
    } catch (error) {
      slot.release();
      if (isStorageFault(error)) throw error;
      await setAside(waiting.id, 'start_failed', error);
    }
  }

  /** A run that cannot be dealt with must not keep others from it. */
  async function setAside(
    runId: string,
    reason: RunReason,
    error: unknown,
    termination: Termination | null = null,
  ): Promise<void> {
    log.error({ err: error, run_id: runId }, 'a run is set aside as failed');
    const what = reason === 'lost' ? 'taken up after a restart' : 'started';
    const message = `the run could not be ${what}; the server log says why`;
    await store.db.transact((tx) =>
      store.runs.move(tx, runId, 'fail', { atMs: clock.now(), reason, error: { message }, termination }),
    );
  }

  function patiently<T>(work: () => Promise<T>): Promise<T> {
    return outlast(work, { isPassing: isStorageFault, signal: stopping.signal });
  }

  async function sourceOf(runId: string): Promise<(ExecutionSource & { isCancelRequested: boolean }) | undefined> {
    const stored = await store.runs.execution(runId);
    if (!stored) return undefined;
    const { run, plan, sealed } = stored;
    const secrets: Record<string, string> = sealed === null ? {} : JSON.parse(o.sealer.unseal(sealed, runId));
    return {
      run,
      plan,
      secrets: new Map(Object.entries(secrets)),
      startedAtMs: Date.parse(run.started_at ?? run.created_at),
      isCancelRequested: run.cancel_requested_at !== null,
    };
  }

  function start(source: ExecutionSource, slot: Slot, mode: 'launch' | 'take-up'): Execution {
    const execution = execute(source, o.context, mode);
    executions.set(execution.runId, execution);
    void execution.gone.then(() => slot.release());
    void execution.finished.then(() => executions.delete(execution.runId));
    return execution;
  }

  async function recover(): Promise<void> {
    const running = await patiently(() => store.runs.running());
    await Promise.all(running.map((runId) => takeUp(runId).catch((error: unknown) => report(error, runId))));
    if (running.length > 0) log.info({ runs: running.length }, 'took up running runs');
    stored = (await patiently(() => store.runs.counts())).pending;
    isRecovered = true;
    wake();
  }

  function report(error: unknown, runId?: string): void {
    if (!stopping.signal.aborted)
      log.error({ err: error, run_id: runId }, 'what a former process left was not taken up');
  }

  async function takeUp(runId: string): Promise<void> {
    try {
      const source = await patiently(() => sourceOf(runId));
      if (!source || stopping.signal.aborted) return;
      // A run that held a slot before the restart holds one now, even where the limits were lowered since.
      const slot = slots.hold(source.run.job_id);
      const execution = start(source, slot, 'take-up');
      if (source.isCancelRequested) execution.cancel();
    } catch (error) {
      if (stopping.signal.aborted) return;
      // Without its secrets, what it prints cannot be redacted: nobody may read it.
      const stored = await store.runs.execution(runId).catch(() => undefined);
      const termination = stored ? await patiently(() => endUnattended(stored, o.context)) : null;
      await patiently(() => setAside(runId, 'lost', error, termination));
    }
  }

  return {
    get running() {
      return slots.running;
    },
    get depth() {
      return depth();
    },
    admit,
    outlook(jobId) {
      const waiting = whyWait(jobId);
      return { waiting, refused: waiting === null ? null : refusal() };
    },
    added() {
      stored += 1;
      wake();
    },
    removed() {
      stored = Math.max(0, stored - 1);
    },
    start,
    executing: (runId) => executions.get(runId),
    recover() {
      recovery = recover().catch(report);
    },
    async stop() {
      stopping.abort();
      clearInterval(ticker);
      await recovery;
      await pass;
      await Promise.all([...executions.values()].map((execution) => execution.detach()));
    },
  };
}
