// The lease under which this engine drives runs, and its look at those of others (ADR 0039).

import type { SteadyClock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { formatDuration } from '../lib/units.ts';
import type { Transaction } from '../store/database.ts';
import type { Store } from '../store/open.ts';
import type { OwnerRow } from '../store/schema.ts';
import { isStorageError } from '../store/storage-error.ts';

export type Owner = {
  readonly id: string;
  /** A transaction that claims runs or takes them over: the lease is renewed with it where that is due. */
  readonly transact: <T>(work: (tx: Transaction) => Promise<T>) => Promise<T>;
  /** From now on the lease is renewed while runs are driven. */
  readonly start: () => void;
  /** Ends the leases that others have not renewed for their whole length. */
  readonly expireOthers: () => Promise<void>;
  readonly stop: () => void;
};

const leaseMs = 30_000;
const renewMs = 10_000;
const tickMs = 5_000;

export function createOwner(o: {
  readonly id: string;
  readonly host: string;
  readonly store: Pick<Store, 'db' | 'owners'>;
  readonly clock: SteadyClock;
  readonly log: Logger;
  /** Of the runs that are driven here. */
  readonly register: () => {
    readonly controllers: () => readonly { readonly runId: string }[];
    readonly drop: (runId: string) => Promise<void>;
  };
}): Owner {
  const { id, store, clock, log } = o;
  /** On the monotonic clock, like all times here. */
  let renewedAtMs: number | undefined;
  let ticker: NodeJS.Timeout | undefined;
  const drivenRuns = (): readonly string[] =>
    o
      .register()
      .controllers()
      .map(({ runId }) => runId);

  function isDue(): boolean {
    return renewedAtMs === undefined || clock.monotonicMs() - renewedAtMs >= renewMs;
  }

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
    if (!hadLease && !isFirst) report(letGoOfTaken());
    return result;
  }

  async function letGoOfTaken(): Promise<void> {
    for (const runId of await store.owners.taken(id, drivenRuns())) {
      log.warn({ run_id: runId }, 'another server has taken the run over: this one had lost its lease');
      await o.register().drop(runId);
    }
  }

  function report(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      if (!isStorageError(error)) log.error({ err: error }, 'the lease of this server could not be renewed');
    });
  }

  return {
    id,
    transact,
    start() {
      ticker = setInterval(() => {
        if (isDue() && drivenRuns().length > 0) report(transact(async () => undefined));
      }, tickMs).unref();
    },
    expireOthers: createLeaseWatch(o),
    stop: () => clearInterval(ticker),
  };
}

/** Sees how long the lease of each other server has stayed the same. */
function createLeaseWatch({
  id,
  store,
  clock,
  log,
}: {
  readonly id: string;
  readonly store: Pick<Store, 'db' | 'owners'>;
  readonly clock: SteadyClock;
  readonly log: Logger;
}): Owner['expireOthers'] {
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
      // While the database is away nobody can renew a lease.
      seen.clear();
      throw error;
    }
  };
}
