// Follows the journal for triggers that start a job when a run of another job ends. A cursor says which ends were dealt
// with, so each counts exactly once (ADR 0069). Without such triggers, nothing is read.

import { setTimeout as delay } from 'node:timers/promises';
import { createWakeSignal } from '../../lib/wake-signal.ts';
import { isStorageError } from '../../store/storage-error.ts';
import { handleEnd } from './ended-run.ts';
import { TryLater } from './start-run.ts';
import { type EndTriggerOfJob, type TriggerParts, triggersIn } from './trigger-parts.ts';

const shortestPauseMs = 1_000;
const longestPauseMs = 20_000;
const cursorSavedEveryMs = 10_000;

/** Follows the journal while there are triggers. Resolves when the signal is aborted. */
export async function followEnds(o: TriggerParts, signal: AbortSignal): Promise<void> {
  const wake = createWakeSignal(signal);
  const wanted = createWanted(o);
  const cursor = createCursor(o);
  const unsubscribe = [
    o.catalog.onChange(() => {
      wanted.refresh();
      wake.raise();
    }),
    o.hub.onEvents((entries) => {
      if (entries.some(({ type, jobId }) => type === 'run.finished' && wanted.of(jobId).length > 0)) wake.raise();
    }),
  ];
  let pauseMs = shortestPauseMs;
  wanted.refresh();
  wake.raise();
  while (!signal.aborted) {
    await wake.raised();
    try {
      if (!signal.aborted) await look({ wanted, cursor, signal }, o);
      pauseMs = shortestPauseMs;
    } catch (error) {
      report(error, o, pauseMs === shortestPauseMs);
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
      pauseMs = Math.min(2 * pauseMs, longestPauseMs);
      wake.raise();
    }
  }
  for (const end of unsubscribe) end();
  await cursor.save().catch((error: unknown) => report(error, o, true));
}

function report(error: unknown, { log }: TriggerParts, isFirst: boolean): void {
  if (error instanceof TryLater) {
    if (isFirst) log.warn(error.logFields, `a trigger will try again to start its run: ${error.message}`);
    return;
  }
  // The store has already logged that it cannot write at present.
  if (!isStorageError(error)) log.error({ err: error }, 'the triggers stopped with an error; flwd tries again');
}

type Wanted = ReturnType<typeof createWanted>;

/** Finds the triggers that follow the runs of a job. */
function createWanted({ catalog, hub }: TriggerParts) {
  let byJob = new Map<string, EndTriggerOfJob[]>();
  let beginsAt = 0;
  return {
    size: () => byJob.size,
    of: (jobId: string): readonly EndTriggerOfJob[] => byJob.get(jobId) ?? [],
    /** When the first triggers appear, events count from this id on. */
    beginsAt: () => beginsAt,
    refresh(): void {
      if (!catalog.isReady) return;
      const before = byJob.size;
      // A job that cannot be used now may still have runs that end.
      const ofEnds = triggersIn(catalog).filter((trigger) => trigger.kind === 'job');
      byJob = Map.groupBy(ofEnds, ({ followedId, job }) => followedId ?? job);
      if (before === 0) beginsAt = hub.latestId + 1;
    },
  };
}

type Cursor = ReturnType<typeof createCursor>;

/** Where the search of the journal continues. It is stored with every start, and otherwise every ten seconds. */
function createCursor({ store, clock: { monotonicMs } }: TriggerParts) {
  let at: number | undefined;
  let saved: number | undefined;
  let savedAtMs = monotonicMs();
  let isRead = false;
  async function readOnce(): Promise<void> {
    if (!isRead) saved = await store.triggers.cursor();
    isRead = true;
  }

  async function save(): Promise<void> {
    const to = at;
    if (to === undefined || to === saved) return;
    await store.db.transact((tx) => store.triggers.moveCursor(tx, to));
    saved = to;
    savedAtMs = monotonicMs();
  }
  return {
    save,
    /** Returns where an earlier process stopped. If no process has read the journal before, returns `beginsAt`. */
    async open(beginsAt: number): Promise<number> {
      await readOnce();
      at ??= saved ?? beginsAt;
      await save();
      return at;
    },
    async move(to: number): Promise<void> {
      at = to;
      if (monotonicMs() - savedAtMs >= cursorSavedEveryMs) await save();
    },
    async drop(): Promise<void> {
      await readOnce();
      if (saved !== undefined) await store.db.transact(store.triggers.dropCursor);
      at = undefined;
      saved = undefined;
    },
  };
}

async function look(
  { wanted, cursor, signal }: { readonly wanted: Wanted; readonly cursor: Cursor; readonly signal: AbortSignal },
  o: TriggerParts,
): Promise<void> {
  const { store, hub, catalog } = o;
  if (!catalog.isReady) return;
  if (wanted.size() === 0) {
    await cursor.drop();
    return;
  }
  let at = await cursor.open(wanted.beginsAt());
  const toId = hub.latestId;
  while (at <= toId && !signal.aborted) {
    const ended = await store.triggers.ended({ fromId: at, toId });
    for (const end of ended) {
      for (const trigger of wanted.of(end.jobId)) {
        if (signal.aborted) return;
        await handleEnd(trigger, end, o);
      }
      at = end.eventId + 1;
      await cursor.move(at);
    }
    // If the query found runs, there may be more of them after the last one.
    if (ended.length > 0) continue;
    at = toId + 1;
    await cursor.move(at);
  }
}
