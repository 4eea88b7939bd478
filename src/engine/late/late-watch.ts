// Notices what is late: a run that takes longer than its job expects, and a success that did not come in time. Each is
// reported once, even if the server restarts (ADR 0073). The watch does nothing if no job file has an `expect`.

import { type Catalog, entryOrNone } from '../../catalog/catalog.ts';
import type { Late } from '../../domain/outcome/late.ts';
import { createSerial } from '../../lib/serial.ts';
import type { NewLate } from '../../store/late.ts';
import { isStorageError } from '../../store/storage-error.ts';
import type { Expecting, LateParts, MayReturn } from './late-parts.ts';
import { createRunWatch, type RunWatch } from './late-runs.ts';
import { createSuccessWatch, type SuccessWatch } from './late-successes.ts';

export type LateWatch = ReturnType<typeof createLateWatch>;

const tickMs = 1_000;
const mostOpen = 1_000;

export function createLateWatch(o: LateParts) {
  const listeners = new Set<() => void>();
  const serial = createSerial();
  /** Jobs whose runs have ended since the last check. */
  let ended = new Set<string>();
  let hasOpen = true;
  /** Set when the expectations of jobs have changed, because an open row may then no longer be late. */
  let mustLookAtAll = true;
  let known: { readonly generation: number; readonly isPaused: boolean } | undefined;
  let timer: NodeJS.Timeout | undefined;
  const seen = (): void => {
    hasOpen = true;
    for (const listener of listeners) listener();
  };
  const add = async (late: NewLate): Promise<boolean> => {
    if (!(await o.store.db.transact((tx) => o.store.late.add(tx, late)))) return false;
    o.log.warn({ job_id: late.jobId, run_id: late.runId ?? undefined }, `a job is late: ${late.detail}`);
    seen();
    return true;
  };
  const reopen = async (late: NewLate): Promise<void> => {
    await o.store.db.transact((tx) => o.store.late.reopen(tx, late));
    hasOpen = true;
  };
  const runs: RunWatch = createRunWatch({ ...o, add });
  const successes: SuccessWatch = createSuccessWatch({ ...o, add, reopen });
  const unsubscribe = o.hub.onEvents((entries) => {
    for (const { type, runId, jobId, tenant } of entries) {
      if (type === 'run.started') runs.started({ runId, jobId, tenant });
      if (type !== 'run.finished') continue;
      runs.ended(runId);
      if (hasOpen) ended.add(jobId);
    }
  });

  async function look(): Promise<void> {
    const { catalog, clock } = o;
    const isPaused = o.arePaused(o.defaultTenant);
    if (!catalog.isReady || isPaused === undefined) return;
    if (known?.generation !== catalog.generation || known.isPaused !== isPaused) {
      const now = { generation: catalog.generation, isPaused };
      const jobs = expectingJobs(catalog);
      const mayReturn = returningIn(catalog);
      await runs.watch(jobs, mayReturn);
      if (isPaused) await successes.watch([], () => false);
      else await successes.watch(jobs, mayReturn);
      known = now;
      mustLookAtAll = true;
    }
    if (mustLookAtAll || (hasOpen && ended.size > 0)) {
      const of = mustLookAtAll ? undefined : ended;
      ended = new Set();
      hasOpen = await endOpen(o, successes, of);
      mustLookAtAll = false;
    }
    const nowMs = clock.now();
    await runs.look(nowMs);
    await successes.look(nowMs);
  }

  const tick = (): Promise<void> => serial.run(look);
  return {
    /** Calls the listener when something is late. */
    onSeen: (listener: () => void) => void listeners.add(listener),
    /** Call it when an entry has been added to the store. */
    seen,
    /** Looks at the clock once. Resolves when everything that is late has been stored. */
    tick,
    start(): void {
      timer ??= setInterval(() => void tick().catch((error: unknown) => report(o.log, error)), tickMs);
    },
    async close(): Promise<void> {
      clearInterval(timer);
      unsubscribe();
      await serial.settled();
    },
  };
}

/** Logs an error, except one of the store, which the store logs itself. */
function report(log: LateParts['log'], error: unknown): void {
  if (!isStorageError(error)) log.error({ err: error }, 'flwd could not check for late runs; it tries again');
}

function expectingJobs(catalog: Catalog): Expecting[] {
  return catalog.entries().flatMap(({ definition: { id, expect, enabled } }) => {
    return expect ? [{ jobId: id, expect, isEnabled: enabled }] : [];
  });
}

/** A broken job may be corrected. While a folder is missing, any job that the catalog does not have may be in it. */
function returningIn(catalog: Catalog): MayReturn {
  if (catalog.missing().length === 0) return catalog.isBroken;
  const there = new Set(catalog.entries().map(({ definition }) => definition.id));
  return (jobId) => !there.has(jobId);
}

/**
 * Ends each open row whose run or job is no longer late. Looks only at the rows of `jobIds`, if they are given.
 * @returns whether any row is still open
 */
async function endOpen(
  o: LateParts,
  { isExpected }: SuccessWatch,
  jobIds: ReadonlySet<string> | undefined,
): Promise<boolean> {
  const { store, clock } = o;
  const mayReturn = returningIn(o.catalog);
  const open = await store.late.list({ limit: mostOpen, isOpen: true });
  let over = 0;
  for (const late of open) {
    if (jobIds && !jobIds.has(late.jobId)) continue;
    const isOfJob = late.kind === 'by' || late.kind === 'every';
    const isOver =
      late.runId === null
        ? (isOfJob ? !isExpected(late) : isGone(late, mayReturn, o)) ||
          ((await store.late.lastSuccessAtMs(late)) ?? 0) >= late.atMs
        : (await store.runs.summary(late.runId))?.status !== 'running';
    if (!isOver) continue;
    await store.db.transact((tx) => store.late.end(tx, late, clock.now()));
    over += 1;
  }
  return open.length > over;
}

/** Whether a missed time belongs to a job that was removed with its schedule. A schedule of the API is still there. */
function isGone({ jobId, scheduleId }: Late, mayReturn: MayReturn, { catalog, scheduleOf }: LateParts): boolean {
  const isStored = scheduleId !== null && scheduleOf(scheduleId)?.source === 'api';
  return !isStored && !entryOrNone(jobId, catalog) && !mayReturn(jobId);
}
