// Retention: a pass over everything that has a bound, again and again while the server runs, and at once when asked.

import { setTimeout as delay, setImmediate as yieldNow } from 'node:timers/promises';
import { oldSnapshots } from '../../catalog/source/snapshot-removal.ts';
import type { SteadyClock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Store } from '../../store/open.ts';
import { isStorageError } from '../../store/storage-error.ts';
import { createRetentionClock } from './retention-clock.ts';
import {
  findHeld,
  giveBackSpace,
  type Removed,
  type Rest,
  removeAnswers,
  removeArtifacts,
  removeAudit,
  removeEvents,
  removeLeftovers,
  removeLogs,
  removeRuns,
  removeSnapshots,
  removeWorkspaces,
  type StepContext,
} from './retention-steps.ts';

/** How long each kind is kept; null: for ever. */
export type RetentionPolicy = {
  readonly runsMs: number | null;
  readonly logsMs: number | null;
  readonly artifactsMs: number | null;
  readonly workspacesMs: number | null;
  readonly snapshotsMs: number | null;
  /** Not longer than logs and runs. */
  readonly eventsMs: number | null;
  readonly auditMs: number | null;
};

type Collected = {
  /** False: there is more, ask again. */
  readonly done: boolean;
  readonly removed: Removed;
};

export type Retention = {
  /** Removes what is due, for about `forMs`, using `share` of the time; the loop's own pass gives way. */
  readonly collect: (o: {
    readonly forMs: number;
    readonly share: number;
    /** Of free pages in the database, for what comes next. */
    readonly keptFreeBytes?: number;
  }) => Promise<Collected>;
  /** What a pass would remove now; bytes are those of logs, and leftovers are not looked for. */
  readonly preview: () => Promise<Removed>;
  /** A pass now and every few minutes. */
  readonly start: () => void;
  /** Resolves once nothing is being removed, or after a second: what is left of a large folder is the next start's. */
  readonly close: () => Promise<void>;
};

const passEveryMs = 300_000;
/** Where a disk was full, what was freed may let the rest go. */
const againMs = 5_000;
const loopShare = 0.1;
/** On a busy server most of a step is waiting for others: it must not rest nine times that, too. */
const longestRestMs = 200;
/** A server that is told to stop has five seconds. */
const timeoutMs = 1_000;
const dayMs = 86_400_000;
const leastWalBytes = 8 * 2 ** 20;

export function createRetention(o: {
  readonly store: Store;
  readonly runsDir: string;
  readonly snapshotsDir: string;
  readonly policy: RetentionPolicy;
  readonly clock: SteadyClock;
  readonly log: Logger;
}): Retention {
  const { store, policy, log } = o;
  const clock = createRetentionClock(o.clock);
  const closing = new AbortController();
  let background = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let leftoversDueMs = clock.monotonicMs() + dayMs;

  /** One at a time: two would remove the same. */
  function alone<T>(work: () => Promise<T>): Promise<T> {
    const result = running.then(work);
    running = result.catch(() => undefined);
    return result;
  }

  async function pass(
    rest: Rest,
    isAsked: boolean,
    keptFreeBytes?: number,
  ): Promise<Collected & { readonly failed: boolean }> {
    const nowMs = clock.now();
    const removed: Removed = {
      events: 0,
      logs: 0,
      artifacts: 0,
      runs: 0,
      workspaces: 0,
      snapshots: 0,
      leftovers: 0,
      audit: 0,
      file_bytes: 0,
      database_bytes: 0,
    };
    const context: StepContext = { ...o, nowMs, removed, rest };
    let failed = false;
    /** What cannot be done to one kind, where the disk is full, may be done to the next, and make room. */
    const kind = async (what: string, work: () => Promise<void>): Promise<void> => {
      let before: number | undefined;
      while (!rest.isOver()) {
        try {
          return await work();
        } catch (error) {
          // Nobody waits for it any more, and the store may be closed.
          if (closing.signal.aborted) return;
          const isFull = isStorageError(error);
          // On a full disk the log of commits cannot grow; taken into the database, it begins anew.
          if (isFull) await store.space?.settle(Infinity).catch(() => undefined);
          const count = countOf(removed);
          if (isFull && count !== before) {
            before = count;
            continue;
          }
          failed = true;
          log[isFull ? 'warn' : 'error']({ err: error }, `old ${what} could not be removed`);
          return;
        }
      }
    };

    const held = await findHeld(context);
    await kind('events', () => removeEvents(context, held, bound(nowMs, policy.eventsMs)));
    await kind('logs', () => removeLogs(context, bound(nowMs, policy.logsMs)));
    await kind('artifacts', () => removeArtifacts(context, bound(nowMs, policy.artifactsMs)));
    await kind('idempotency keys', () => removeAnswers(context, nowMs - dayMs));
    await kind('runs', () => removeRuns(context, held, bound(nowMs, policy.runsMs)));
    await kind('workspaces', () => removeWorkspaces(context, held, bound(nowMs, policy.workspacesMs)));
    // Only once every workspace was looked at is it known what they hold.
    await kind('snapshots', () => removeSnapshots(context, held, bound(nowMs, policy.snapshotsMs)));
    await kind('rows of the audit log', () => removeAudit(context, bound(nowMs, policy.auditMs), isAsked));
    if (isAsked || clock.monotonicMs() >= leftoversDueMs) {
      await kind('leftovers', () => removeLeftovers(context, nowMs - dayMs));
      leftoversDueMs = clock.monotonicMs() + dayMs;
    }
    await kind('space', async () => {
      await giveBackSpace(context, keptFreeBytes);
      await store.space?.settle(leastWalBytes);
    });
    return { done: !rest.isOver() && !failed, removed, failed };
  }

  async function runInBackground(): Promise<void> {
    const signal = AbortSignal.any([closing.signal, background.signal]);
    let nextMs = passEveryMs;
    try {
      const { removed, failed } = await alone(() => pass(restOf(loopShare, signal), false));
      if (failed && removed.file_bytes > 0) nextMs = againMs;
      if (countOf(removed) > 0) log.info(removed, 'removed what is past its retention');
    } catch (error) {
      if (!closing.signal.aborted) log.error({ err: error }, 'retention broke off');
    }
    if (!closing.signal.aborted) timer = setTimeout(() => void runInBackground(), nextMs).unref();
  }

  return {
    async collect({ forMs, share, keptFreeBytes }) {
      background.abort();
      background = new AbortController();
      return alone(async () => {
        const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(forMs)]);
        const first = await pass(restOf(share, signal), true, keptFreeBytes);
        if (!first.failed || first.removed.file_bytes === 0) return { done: first.done, removed: first.removed };
        const second = await pass(restOf(share, signal), true, keptFreeBytes);
        return { done: second.done, removed: sum(first.removed, second.removed) };
      });
    },

    async preview() {
      const nowMs = clock.now();
      const runsBeforeMs = bound(nowMs, policy.runsMs);
      const logsBeforeMs = Math.max(bound(nowMs, policy.logsMs), runsBeforeMs);
      const { runs, logs, logBytes } = await store.retention.preview({ runsBeforeMs, logsBeforeMs });
      return {
        events: await store.retention.countEvents(bound(nowMs, policy.eventsMs)),
        logs,
        artifacts: await store.artifacts.preview(bound(nowMs, policy.artifactsMs)),
        runs,
        workspaces: 0,
        snapshots: (await oldSnapshots(o.snapshotsDir, bound(nowMs, policy.snapshotsMs))).length,
        leftovers: 0,
        audit: await store.audit.countBefore(bound(nowMs, policy.auditMs)),
        file_bytes: logBytes,
        database_bytes: (await store.space?.shrink(0)) ?? 0,
      };
    },

    start: () => void runInBackground(),

    async close() {
      closing.abort();
      clearTimeout(timer);
      const hasEnded = new AbortController();
      const timeout = delay(timeoutMs, undefined, { signal: hasEnded.signal }).catch(() => undefined);
      await Promise.race([running, timeout]);
      hasEnded.abort();
    },
  };
}

/** With a share of 1 everything else has its turn all the same. */
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

/** What is kept for ever is bound by the beginning of time. */
function bound(nowMs: number, keptMs: number | null): number {
  return keptMs === null ? 0 : nowMs - keptMs;
}

function countOf(removed: Removed): number {
  return Object.values(removed).reduce((total, count) => total + count, 0);
}

function sum(a: Removed, b: Removed): Removed {
  return {
    events: a.events + b.events,
    logs: a.logs + b.logs,
    artifacts: a.artifacts + b.artifacts,
    runs: a.runs + b.runs,
    workspaces: a.workspaces + b.workspaces,
    snapshots: a.snapshots + b.snapshots,
    leftovers: a.leftovers + b.leftovers,
    audit: a.audit + b.audit,
    file_bytes: a.file_bytes + b.file_bytes,
    database_bytes: a.database_bytes + b.database_bytes,
  };
}
