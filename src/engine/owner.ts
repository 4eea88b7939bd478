// Holds the lease under which this engine drives runs, and watches the leases of other engines (ADR 0039).

import type { SteadyClock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { formatDuration } from '../lib/units.ts';
import type { Transaction } from '../store/database.ts';
import type { Store } from '../store/open.ts';
import type { OwnerRow } from '../store/schema.ts';
import { isStorageError } from '../store/storage-error.ts';

export type Owner = ReturnType<typeof createOwner>;

const leaseMs = 30_000;
const renewMs = 10_000;
const tickMs = 5_000;

type Parts = {
  readonly id: string;
  readonly host: string;
  readonly store: Pick<Store, 'db' | 'owners'>;
  readonly clock: SteadyClock;
  readonly log: Logger;
  /** The runs that this process drives. */
  readonly register: () => {
    readonly controllers: () => readonly { readonly runId: string }[];
    readonly drop: (runId: string) => Promise<void>;
  };
};

export function createOwner(o: Parts) {
  const { id, store, clock, log } = o;
  /** On the monotonic clock, like all times in this file. */
  let renewedAtMs: number | undefined;
  let ticker: NodeJS.Timeout | undefined;
  const drivenRuns = (): readonly string[] => Array.from(o.register().controllers(), ({ runId }) => runId);

  function isDue(): boolean {
    return renewedAtMs === undefined || clock.monotonicMs() - renewedAtMs >= renewMs;
  }

  /** Runs a transaction that claims or takes over runs. If the lease is due, the same transaction renews it. */
  async function transact<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    if (!isDue()) return store.db.transact(work);
    const startedAtMs = clock.monotonicMs();
    let hadLease = true;
    const isFirst = renewedAtMs === undefined;
    const result = await store.db.transact(async (tx) => {
      const lease = crypto.randomUUID();
      hadLease = await store.owners.renew(tx, { id, host: o.host, lease, renewed_at: clock.now() });
      return work(tx);
    });
    renewedAtMs = startedAtMs;
    if (!hadLease && !isFirst) report(dropTaken());
    return result;
  }

  async function dropTaken(): Promise<void> {
    for (const runId of await store.owners.taken(id, drivenRuns())) {
      log.warn({ run_id: runId }, 'this server lost its lease, and another server has taken over the run');
      await o.register().drop(runId);
    }
  }

  function report(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      if (!isStorageError(error)) log.error({ err: error }, 'this server could not renew its lease');
    });
  }

  return {
    id,
    transact,
    /** From now on the lease is renewed for as long as runs are driven. */
    start(): void {
      ticker = setInterval(() => {
        if (isDue() && drivenRuns().length > 0) report(transact(async () => undefined));
      }, tickMs).unref();
    },
    /** Ends the leases that other engines have not renewed in time. */
    expireOthers: createLeaseWatch(o),
    stop: () => clearInterval(ticker),
  };
}

/** Returns a function that looks at the leases of the other servers, and ends those that were not renewed in time. */
function createLeaseWatch({ id, store, clock, log }: Parts): () => Promise<void> {
  let seen = new Map<string, { readonly lease: string; readonly sinceMs: number }>();

  async function look(): Promise<void> {
    const found = await store.owners.others(id);
    const nowMs = clock.monotonicMs();
    const known = seen;
    seen = new Map();
    for (const owner of found) {
      const before = known.get(owner.id);
      const sinceMs = before?.lease === owner.lease ? before.sinceMs : nowMs;
      if (nowMs - sinceMs >= leaseMs) await expire(owner);
      else seen.set(owner.id, { lease: owner.lease, sinceMs });
    }
  }

  async function expire(owner: OwnerRow): Promise<void> {
    if (!(await store.db.transact((tx) => store.owners.expire(tx, owner)))) return;
    const { id: owner_id, host } = owner;
    log.warn({ owner_id, host }, `another server has not renewed its lease for ${formatDuration(leaseMs)}`);
  }

  return async () => {
    try {
      await look();
    } catch (error) {
      // Nobody can renew a lease while the database is unreachable, so the watch starts over.
      seen.clear();
      throw error;
    }
  };
}
