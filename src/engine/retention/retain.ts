// Removes everything that is past its retention: one pass after another while the server runs, and at once when
// somebody asks.

import { setTimeout as delay, setImmediate as yieldNow } from 'node:timers/promises';
import { oldSnapshots } from '../../catalog/source/snapshot-removal.ts';
import type { RoomLender } from '../../instance/disk-reserve.ts';
import type { SteadyClock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { createSerial } from '../../lib/serial.ts';
import type { Store } from '../../store/open.ts';
import { isStorageError } from '../../store/storage-error.ts';
import { createRetentionClock, createStoredDoubts } from './retention-clock.ts';
import {
  countOf,
  findHeld,
  giveBackSpace,
  nothingRemoved,
  oldStats,
  type Removed,
  type Rest,
  removeArtifacts,
  removeAudit,
  removeDeliveries,
  removeEvents,
  removeExpiredKv,
  removeLeftovers,
  removeLogs,
  removeRows,
  removeRuns,
  removeSnapshots,
  removeStats,
  removeWorkspaces,
  type StepContext,
} from './retention-steps.ts';

/** How long each kind of data is kept; null means forever. */
export type RetentionPolicy = {
  readonly runsMs: number | null;
  readonly logsMs: number | null;
  readonly artifactsMs: number | null;
  readonly workspacesMs: number | null;
  readonly snapshotsMs: number | null;
  /** Events are kept at most as long as logs and runs. */
  readonly eventsMs: number | null;
  readonly auditMs: number | null;
  readonly statsMs: number | null;
};

type Collected = {
  /** False if there is more to remove. Then call `collect` again. */
  readonly done: boolean;
  readonly removed: Removed;
};

export type Retention = ReturnType<typeof createRetention>;

const passEveryMs = 300_000;
/**
 * How soon the next pass comes after a pass with an error. On a full disk, what was freed may make room for removing
 * the rest.
 */
const againMs = 5_000;
const loopShare = 0.1;
/**
 * In the background, a pause is nine times as long as the step before it, up to this limit. Without the limit, pauses
 * would be too long on a busy server, where a step mostly waits for other work.
 */
const longestRestMs = 200;
/** How long a stopping server waits for the removal to end. It has five seconds to stop everything. */
const timeoutMs = 1_000;
const dayMs = 86_400_000;
const leastWalBytes = 8 * 2 ** 20;

export type RetentionParts = {
  readonly store: Store;
  readonly runsDir: string;
  readonly snapshotsDir: string;
  readonly policy: RetentionPolicy;
  readonly clock: SteadyClock;
  readonly log: Logger;
  /** How long no server was running before this one; 0 if that is not known. */
  readonly stoppedMs: number;
  /** Lends room on a full disk to a pass that a caller has asked for. */
  readonly room?: RoomLender;
};

/** The options of a pass that a caller has asked for. */
type Asked = { readonly keptFreeBytes: number | undefined };

export function createRetention(parts: RetentionParts) {
  const clock = createRetentionClock(parts.clock);
  const o = { ...parts, clock };
  const { log } = o;
  const doubts = createStoredDoubts(clock, { ...parts.store, ...parts });
  const closing = new AbortController();
  let background = new AbortController();
  /** Passes run one at a time, because two would remove the same things. */
  const passes = createSerial();
  let timer: NodeJS.Timeout | undefined;
  let leftoversDueMs = clock.monotonicMs() + dayMs;

  async function pass(share: number, signal: AbortSignal, removed: Removed, asked?: Asked) {
    await doubts.save();
    const withLeftovers = asked !== undefined || clock.monotonicMs() >= leftoversDueMs;
    const stop = AbortSignal.any([closing.signal, signal]);
    const answer = await removeOld(o, restOf(share, stop), removed, { asked, withLeftovers, closing: closing.signal });
    await o.room?.takeBack();
    if (withLeftovers) leftoversDueMs = clock.monotonicMs() + dayMs;
    return answer;
  }

  async function runInBackground(): Promise<void> {
    const { signal } = background;
    let nextMs = passEveryMs;
    try {
      const { removed, failed } = await passes.run(() => pass(loopShare, signal, nothingRemoved()));
      if (failed && removed.file_bytes > 0) nextMs = againMs;
      if (countOf(removed) > 0) log.info(removed, 'removed data past its retention');
    } catch (error) {
      if (!closing.signal.aborted) log.error({ err: error }, 'retention stopped with an error');
    }
    if (!closing.signal.aborted) timer = setTimeout(() => void runInBackground(), nextMs).unref();
  }

  return {
    /**
     * Stops the pass in the background. Then removes data that is due, for at most about `forMs`. The removal works for
     * `share` of this time and pauses for the rest.
     */
    async collect(asked: {
      readonly forMs: number;
      readonly share: number;
      /** How many bytes of free pages the database keeps for new data. */
      readonly keptFreeBytes?: number;
    }): Promise<Collected> {
      const { forMs, share, keptFreeBytes } = asked;
      background.abort();
      background = new AbortController();
      return passes.run(async () => {
        const signal = AbortSignal.timeout(forMs);
        const removed = nothingRemoved();
        const { done, failed } = await pass(share, signal, removed, { keptFreeBytes });
        if (!failed || removed.file_bytes === 0) return { done, removed };
        return { done: (await pass(share, signal, removed, { keptFreeBytes })).done, removed };
      });
    },
    /** What a pass would remove now. `file_bytes` counts only logs, and leftovers are not searched for. */
    async preview(): Promise<Removed> {
      await doubts.loaded();
      return previewOf(o);
    },
    /** Starts a pass now and every few minutes. */
    start(): void {
      doubts.begin();
      void runInBackground();
    },
    /** Resolves when nothing is being removed, or after a second: the next start removes the rest of a large folder. */
    async close(): Promise<void> {
      closing.abort();
      clearTimeout(timer);
      const hasEnded = new AbortController();
      const timeout = delay(timeoutMs, undefined, { signal: hasEnded.signal }).catch(() => undefined);
      await Promise.race([passes.settled(), timeout]);
      hasEnded.abort();
    },
  };
}

/** One pass over everything that is kept for a limited time. Adds what it removes to `removed`. */
async function removeOld(
  o: RetentionParts,
  rest: Rest,
  removed: Removed,
  how: {
    readonly asked: Asked | undefined;
    readonly withLeftovers: boolean;
    readonly closing: AbortSignal;
  },
): Promise<Collected & { readonly failed: boolean }> {
  const { store, policy, log } = o;
  const nowMs = o.clock.now();
  const context: StepContext = { ...o, nowMs, removed, rest };
  let failed = false;
  /** One kind may fail on a full disk while the next one succeeds and makes room. */
  const kind = async (what: string, work: () => Promise<void>): Promise<void> => {
    let before: number | undefined;
    while (!rest.isOver()) {
      try {
        return await work();
      } catch (error) {
        // When the server is stopping, nobody waits for the pass any more, and the store may be closed.
        if (how.closing.aborted) return;
        const isFull = isStorageError(error);
        // The write-ahead log cannot grow on a full disk. Once its content is in the database, it starts over.
        const hasLent = isFull && how.asked !== undefined && (await o.room?.lend()) === true;
        if (isFull) await store.space?.settle(Infinity).catch(() => undefined);
        const count = countOf(removed);
        if (isFull && (hasLent || count !== before)) {
          before = count;
          continue;
        }
        failed = true;
        log[isFull ? 'warn' : 'error']({ err: error }, `old ${what} could not be removed`);
        return;
      }
    }
  };
  const before = (keptMs: number | null) => bound(nowMs, keptMs);
  const rows = (remove: (limit: number) => Promise<number>) => removeRows(context, remove);
  const runsBeforeMs = before(policy.runsMs);

  const held = await findHeld(context);
  await kind('events', () => removeEvents(context, held, before(policy.eventsMs)));
  await kind('logs', () => removeLogs(context, before(policy.logsMs)));
  await kind('artifacts', () => removeArtifacts(context, before(policy.artifactsMs)));
  await kind('idempotency keys', () => rows((most) => store.retention.removeAnswers(nowMs - dayMs, most)));
  await kind('deliveries', () => removeDeliveries(context, runsBeforeMs));
  await kind('failures', () => rows((most) => store.failures.removeOld(runsBeforeMs, most)));
  await kind('late runs', () => rows((most) => store.late.removeOld(runsBeforeMs, most)));
  await kind('backfills', () => rows((most) => store.backfills.removeOld(runsBeforeMs, most)));
  await kind('results of triggers', () => rows((most) => store.triggers.removeResults(runsBeforeMs, most)));
  await kind('files of triggers', async () => {
    await rows((most) => store.watchedFiles.removeGone(before(policy.eventsMs), most));
    await rows((most) => store.watchedFiles.removeFolders(runsBeforeMs, most));
  });
  await kind('keys', () => removeExpiredKv(context));
  await kind('runs', () => removeRuns(context, held, runsBeforeMs));
  await kind('workspaces', () => removeWorkspaces(context, held, before(policy.workspacesMs)));
  // Snapshots come after the workspaces, because the workspaces that stay need their snapshots.
  await kind('snapshots', () => removeSnapshots(context, held, before(policy.snapshotsMs)));
  await kind('audit entries', () => removeAudit(context, before(policy.auditMs), how.asked !== undefined));
  if (how.withLeftovers) await kind('statistics', () => removeStats(context, before(policy.statsMs)));
  if (how.withLeftovers) await kind('leftovers', () => removeLeftovers(context, nowMs - dayMs));
  await kind('space', async () => {
    await giveBackSpace(context, how.asked?.keptFreeBytes);
    await store.space?.settle(leastWalBytes);
  });
  return { done: !rest.isOver() && !failed, removed, failed };
}

async function previewOf({ store, policy, clock, snapshotsDir }: RetentionParts): Promise<Removed> {
  const nowMs = clock.now();
  const before = (keptMs: number | null) => bound(nowMs, keptMs);
  const runsBeforeMs = before(policy.runsMs);
  const logsBeforeMs = Math.max(before(policy.logsMs), runsBeforeMs);
  let stats = 0;
  for (const old of oldStats(nowMs, before(policy.statsMs))) stats += await store.stats.countOld(old);
  const { runs, logs, logBytes } = await store.retention.preview({ runsBeforeMs, logsBeforeMs });
  return {
    ...nothingRemoved(),
    events: await store.retention.countEvents(before(policy.eventsMs)),
    logs,
    artifacts: await store.artifacts.preview(before(policy.artifactsMs)),
    runs,
    snapshots: (await oldSnapshots(snapshotsDir, before(policy.snapshotsMs))).length,
    audit: await store.audit.countBefore(before(policy.auditMs)),
    kv_keys: await store.kv.countExpired(nowMs),
    stats,
    file_bytes: logBytes,
    database_bytes: (await store.space?.shrink(0)) ?? 0,
  };
}

/** Returns the pause between two steps. Even with a share of 1, other work gets its turn. */
function restOf(share: number, signal: AbortSignal): Rest {
  let startedAtMs = performance.now();
  const rest = async (): Promise<void> => {
    const spentMs = performance.now() - startedAtMs;
    const restMs = Math.min(longestRestMs, Math.round(spentMs / share - spentMs));
    if (restMs > 0) await delay(restMs, undefined, { signal, ref: false }).catch(() => undefined);
    else await yieldNow();
    startedAtMs = performance.now();
  };
  return Object.assign(rest, { isOver: () => signal.aborted });
}

/** Returns the time before which data is removed. For data that is kept forever, this is 1970. */
function bound(nowMs: number, keptMs: number | null): number {
  return keptMs === null ? 0 : nowMs - keptMs;
}
