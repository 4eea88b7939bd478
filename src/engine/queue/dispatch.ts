// Starts what waits, in fair order, while slots are free: pending runs and further steps of running ones. Keeps the
// run controllers of what is running.

import { Problem } from '../../domain/problem.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Transaction } from '../../store/database.ts';
import type { Store } from '../../store/open.ts';
import type { PendingRun } from '../../store/run/runs.ts';
import { isStorageError } from '../../store/storage-error.ts';
import { Superseded } from '../run/batch.ts';
import type { ControllerSource } from '../run/run-context.ts';
import type { RunController } from '../run/run-controller.ts';
import { createSlots, type Slot } from '../run/slots.ts';
import type { RunFacts } from '../run/step-values.ts';
import { type ConcurrencyGroup, createConcurrencyGroups, type GroupRun, groupId } from './concurrency-groups.ts';
import { createFairQueue, type QueueItem } from './fair-queue.ts';

export type QueueLimits = {
  /** Processes at a time. */
  readonly globalConcurrency: number;
  readonly jobConcurrency: number | null;
  readonly maxDepth: number | null;
  readonly weightOf: (tenant: string) => number;
};

/** A run about to be created: it starts with the slot and the group held for it, or is stored as waiting. */
type Admission =
  | { readonly kind: 'start'; readonly slot: Slot; readonly hold: Hold; readonly giveUp: () => void }
  | { readonly kind: 'wait'; readonly waiting: string; readonly giveUp: () => void };

export type Dispatcher = {
  readonly running: number;
  readonly depth: number;
  /** As many wait as `max_depth` allows. */
  readonly isFull: boolean;
  readonly freeSlots: number;
  /** Runs that left the queue and are not claimed yet. */
  readonly starting: number;
  /**
   * A slot for a run about to be created, or a place in the queue. A run never overtakes those that wait already.
   * @throws Problem queue-full, where `isBounded`
   */
  readonly admit: (group: ConcurrencyGroup, run: GroupRun, isBounded: boolean) => Admission;
  /** Why a run created now would wait, and why it would be refused; null when it would start. */
  readonly outlook: (group: ConcurrencyGroup) => { readonly waiting: string | null; readonly refused: Problem | null };
  /** Claims an admitted run and begins it, in one transaction with `work`. */
  readonly start: (
    source: ControllerSource,
    admission: Extract<Admission, { kind: 'start' }>,
    work: (tx: Transaction) => Promise<void>,
  ) => Promise<void>;
  /** A run was stored as pending. */
  readonly added: (run: PendingRun) => void;
  /** A pending run has ended. */
  readonly removed: (runId: string) => void;
  readonly requestSlot: (run: RunFacts, n: number, grant: (slot: Slot) => void) => Slot | undefined;
  readonly withdrawSlot: (runId: string, n: number) => void;
  /** Goes on with a run that a former process left running. */
  readonly resume: (source: ControllerSource, group: ConcurrencyGroup) => Promise<RunController>;
  readonly controllerOf: (runId: string) => RunController | undefined;
  readonly controllers: () => readonly RunController[];
  /** Runs of a concurrency group: those that have started, then those that wait, oldest first. */
  readonly inGroup: (group: ConcurrencyGroup) => readonly GroupRun[];
  /** Lets go of a run that was ended without its run controller. */
  readonly drop: (runId: string) => Promise<void>;
  /** What waits may start from now on. */
  readonly open: () => void;
  readonly startNoRuns: () => void;
  readonly wake: () => void;
  /** The run that could start and has not, if any. */
  readonly startable: () => string | undefined;
  /** Whether it waits, starts or runs here. */
  readonly knows: (runId: string) => boolean;
  readonly stop: () => Promise<void>;
};

type StepItem = { readonly kind: 'step'; readonly grant: (slot: Slot) => void };
/** Runs that a step has started count towards no bound: their parent is running already. */
type RunItem = {
  readonly kind: 'run';
  readonly tenant: string;
  readonly group: ConcurrencyGroup;
  readonly isSubRun: boolean;
  waiting: string | null;
};
type Hold = { readonly release: () => void };

const queueFullRetrySeconds = 5;
/** Heads of the queue that are told why they wait, each time. */
const mostTold = 50;
const againMs = 1_000;
const startingWords = 'the server is starting or stopping';

export function createDispatcher(o: {
  readonly store: Store;
  readonly log: Logger;
  readonly limits: QueueLimits;
  readonly createController: (source: ControllerSource) => RunController;
  /** What driving a pending run takes; undefined when there is no such run. */
  readonly sourceOf: (runId: string) => Promise<ControllerSource | undefined>;
  /** Ends a pending run that cannot be started. */
  readonly setAside: (runId: string, error: unknown) => Promise<void>;
}): Dispatcher {
  const { store, log, limits } = o;
  const queue = createFairQueue({ weightOf: limits.weightOf });
  const items = new Map<string, StepItem | RunItem>();
  /** Lanes of pending runs, and how many wait in each. */
  const groupsById = new Map<string, { readonly group: ConcurrencyGroup; count: number }>();
  const controllers = new Map<string, RunController>();
  const slots = createSlots(limits.globalConcurrency, () => wake());
  const groups = createConcurrencyGroups(limits.jobConcurrency, () => wake());
  const starting = new Map<string, Promise<void>>();
  let pendingCount = 0;
  /** Of them, those that a step has started. */
  let subRunCount = 0;
  /** Runs about to be stored as waiting, with their groups. */
  const promised = new Map<string, GroupRun & { readonly group: string; readonly isBounded: boolean }>();
  let isOpen = false;
  let isStopping = false;
  let isWithoutRuns = false;
  let isWoken = false;
  /** The database has just refused a claim. */
  let isPaused = false;

  function depth(): number {
    return pendingCount + promised.size;
  }

  /** What `max_depth` is for: sub-runs are of runs that have started, which would wait for ever if these were refused. */
  function boundedDepth(): number {
    return pendingCount - subRunCount + [...promised.values()].filter(({ isBounded }) => isBounded).length;
  }

  /** A run that others wait before waits for what they wait for; where that is there already, for them. */
  function whyWait(group: ConcurrencyGroup): string | null {
    if (isStopping || isWithoutRuns || !isOpen) return startingWords;
    return groups.whyNone(group) ?? slots.whyNone() ?? (queue.peek(isBlocked) === undefined ? null : whoIsBefore());
  }

  function whoIsBefore(): string {
    return depth() === 0 ? 'steps of running runs wait before it' : `${inWords(depth())} before it`;
  }

  function refusal(): Problem | null {
    const { maxDepth } = limits;
    if (maxDepth === null || boundedDepth() < maxDepth) return null;
    const detail = `${inWords(boundedDepth())} already; scheduler.queue.max_depth is ${maxDepth}.`;
    return new Problem('queue-full', detail, { retry_after: queueFullRetrySeconds });
  }

  const isBlocked = (id: string): boolean => {
    const found = groupsById.get(id);
    return isWithoutRuns || (found !== undefined && groups.whyNone(found.group) !== null);
  };

  function leave(item: QueueItem, { isSubRun }: RunItem): void {
    pendingCount -= 1;
    if (isSubRun) subRunCount -= 1;
    leaveGroup(item.group);
  }

  function leaveGroup(id: string): void {
    const found = groupsById.get(id);
    if (found && --found.count === 0) groupsById.delete(id);
  }

  /** One pass a turn of the event loop, however many have woken it. */
  function wake(): void {
    if (isStopping || !isOpen || isPaused || isWoken || queue.size === 0) return;
    isWoken = true;
    setImmediate(() => {
      isWoken = false;
      pass();
    });
  }

  function pass(): void {
    if (isStopping || isPaused) return;
    while (slots.free > 0) {
      const item = queue.take(isBlocked);
      if (!item) break;
      const found = items.get(item.id);
      items.delete(item.id);
      if (found?.kind === 'step') found.grant(slots.hold());
      else if (found) {
        leave(item, found);
        const work = startPending(item, found, slots.hold());
        starting.set(item.id, work);
        void work.finally(() => starting.delete(item.id));
      }
    }
    tellHeads();
  }

  async function startPending(item: QueueItem, found: RunItem, slot: Slot): Promise<void> {
    const hold = groups.hold(found.group, item);
    try {
      // Read before the claim: a run that cannot be read is never one without a process.
      const source = await o.sourceOf(item.id);
      if (source) return await begin(source, hold, slot);
      slot.release();
      hold.release();
    } catch (error) {
      slot.release();
      hold.release();
      if (error instanceof Superseded || isStopping) return;
      if (!isStorageError(error)) return o.setAside(item.id, error).catch((reason: unknown) => report(reason));
      pause();
      enqueueRun(item, found);
    }
  }

  /** What was refused keeps its place in the queue meanwhile. */
  function pause(): void {
    if (isPaused) return;
    isPaused = true;
    const goOn = (): void => {
      isPaused = false;
      wake();
    };
    setTimeout(goOn, againMs).unref();
  }

  function report(error: unknown): void {
    log.error({ err: error }, 'a pending run could not be dealt with');
  }

  async function begin(
    source: ControllerSource,
    hold: Hold,
    slot: Slot,
    work?: (tx: Transaction) => Promise<void>,
  ): Promise<void> {
    const controller = keep(o.createController(source), hold);
    await controller.begin(slot, work).catch((error: unknown) => {
      controllers.delete(controller.runId);
      throw error;
    });
  }

  function keep(controller: RunController, hold: Hold): RunController {
    controllers.set(controller.runId, controller);
    void controller.finished.then(() => {
      controllers.delete(controller.runId);
      hold.release();
    });
    return controller;
  }

  function enqueueRun(item: QueueItem, found: RunItem): void {
    if (isStopping || queue.has(item.id) || controllers.has(item.id)) return;
    // The newest limit holds for all who wait: the job may have been edited.
    groupsById.set(item.group, { group: found.group, count: (groupsById.get(item.group)?.count ?? 0) + 1 });
    items.set(item.id, found);
    queue.add(item);
    pendingCount += 1;
    if (found.isSubRun) subRunCount += 1;
    wake();
  }

  /** Those at the head of their group say why they wait now; the rest says what it was told when it came. */
  function tellHeads(): void {
    let told = 0;
    for (const { id } of queue.heads()) {
      if (++told > mostTold) return;
      const item = items.get(id);
      if (item?.kind === 'run') tell(id, item);
    }
  }

  function tell(id: string, item: RunItem): void {
    const waiting = whyWait(item.group);
    if (waiting === null || waiting === item.waiting) return;
    item.waiting = waiting;
    store.db
      .transact((tx) => store.runs.setWaiting(tx, id, waiting))
      .catch((error: unknown) => {
        if (!isStorageError(error)) report(error);
      });
  }

  /** Wherever in the queue they are: what they were told is not so any more. */
  function tellEarly(): void {
    for (const [id, item] of items) if (item.kind === 'run' && item.waiting === startingWords) tell(id, item);
  }

  return {
    get running() {
      return slots.running;
    },
    get depth() {
      return depth();
    },
    get starting() {
      return starting.size;
    },
    get isFull() {
      return limits.maxDepth !== null && boundedDepth() >= limits.maxDepth;
    },
    get freeSlots() {
      return slots.free;
    },
    admit(group, run, isBounded) {
      const waiting = whyWait(group);
      if (waiting === null) {
        const slot = slots.hold();
        const hold = groups.hold(group, run);
        const giveUp = (): void => {
          slot.release();
          hold.release();
        };
        return { kind: 'start', slot, hold, giveUp };
      }
      const refused = isBounded ? refusal() : null;
      if (refused) throw refused;
      promised.set(run.id, { ...run, group: groupId(group), isBounded });
      return { kind: 'wait', waiting, giveUp: () => void promised.delete(run.id) };
    },
    outlook(group) {
      const waiting = whyWait(group);
      return { waiting, refused: waiting === null ? null : refusal() };
    },
    start: (source, { hold, slot }, work) => begin(source, hold, slot, work),
    added(run) {
      const { id, jobId, tenant, priority, createdAtMs, waiting } = run;
      const group = { jobId, ...run.concurrency };
      const item = { id, tenant, priority, createdAtMs, isStarted: false, group: groupId(group) };
      enqueueRun(item, { kind: 'run', tenant, group, isSubRun: run.trigger === 'job', waiting });
    },
    removed(runId) {
      const item = queue.remove(runId);
      const found = items.get(runId);
      if (!item || found?.kind !== 'run') return;
      items.delete(runId);
      leave(item, found);
      wake();
    },
    requestSlot(run, n, grant) {
      // Until all that runs has been resumed, nobody knows how many slots are free.
      if (isOpen && !isStopping && queue.size === 0 && slots.free > 0) return slots.hold();
      const id = stepItemId(run.run_id, n);
      items.set(id, { kind: 'step', grant });
      const createdAtMs = Date.parse(run.created_at);
      queue.add({ id, tenant: run.tenant, priority: run.priority, createdAtMs, isStarted: true, group: '' });
      wake();
      return undefined;
    },
    withdrawSlot(runId, n) {
      const id = stepItemId(runId, n);
      queue.remove(id);
      items.delete(id);
    },
    async resume(source, group) {
      const { run_id: runId, tenant } = source.run;
      const controller = keep(o.createController(source), groups.hold(group, { id: runId, tenant }));
      // A process that held a slot before the restart holds one now, even where the limits were lowered since.
      await controller.resume(slots.hold);
      return controller;
    },
    controllerOf: (runId) => controllers.get(runId),
    controllers: () => [...controllers.values()],
    inGroup(group) {
      const id = groupId(group);
      const pending = [...items].flatMap(([runId, item]) =>
        item.kind === 'run' && groupId(item.group) === id ? [{ id: runId, tenant: item.tenant }] : [],
      );
      return [...groups.running(group), ...pending, ...[...promised.values()].filter((one) => one.group === id)];
    },
    async drop(runId) {
      await controllers.get(runId)?.detach();
      controllers.delete(runId);
    },
    open() {
      isOpen = true;
      wake();
      setImmediate(tellEarly);
    },
    startNoRuns() {
      isWithoutRuns = true;
    },
    wake,
    startable() {
      return isOpen && !isStopping && slots.free > 0 ? queue.peek(isBlocked)?.id : undefined;
    },
    knows: (runId) => queue.has(runId) || starting.has(runId) || controllers.has(runId),
    async stop() {
      isStopping = true;
      await Promise.all(starting.values());
      await Promise.all([...controllers.values()].map((controller) => controller.detach()));
    },
  };
}

function stepItemId(runId: string, n: number): string {
  return `${runId} ${n}`;
}

function inWords(count: number): string {
  return count === 1 ? '1 run waits' : `${count} runs wait`;
}
