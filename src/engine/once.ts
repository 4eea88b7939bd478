// A request that comes again with the same Idempotency-Key creates no second run. The first answer is stored with the
// run, and sent again.

import { type Principal, starterOf } from '../domain/principal.ts';
import { Problem } from '../domain/problem.ts';
import { isFinished } from '../domain/run.ts';
import type { Clock } from '../lib/clock.ts';
import type { Transaction } from '../store/database.ts';
import type { Store } from '../store/open.ts';
import { runNotFound } from '../store/run/runs.ts';
import type { Sealer } from './secrets/seal.ts';

/** The answer to a request that creates a run. */
export type Created = {
  readonly status: 201 | 202;
  readonly body: string;
  readonly runId: string;
  readonly replayed: boolean;
};

type KeptAnswer = { readonly status: number; readonly body: string };

export type KeepAnswer = {
  /** Stores the answer in the transaction that adds the run. The answer is null while it is not known. */
  readonly add: (tx: Transaction, runId: string, answer: KeptAnswer | null) => Promise<void>;
  readonly answer: (answer: KeptAnswer) => Promise<void>;
};

/** @throws Problem idempotency-conflict, idempotency-in-flight, and what `make` throws */
export type Once = (
  request: { readonly tenant: string; readonly key: string; readonly body: unknown },
  make: (keep: KeepAnswer) => Promise<Created>,
) => Promise<Created>;

/**
 * A limited caller has keys of its own: with the key of another caller, it could get the answer about a run that it
 * cannot reach.
 */
export function keyOf(key: string, principal: Principal): string {
  return principal.jobs ? `${starterOf(principal).account} ${key}` : key;
}

/** How long an answer is kept. */
const replayedMs = 24 * 3_600_000;

export function createOnce({
  store,
  sealer,
  clock,
}: {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly clock: Clock;
}): Once {
  /** The requests in progress here, with the fingerprint of their body. */
  const inFlight = new Map<string, string>();

  return async ({ tenant, key, body }, make) => {
    const text = canonical(body);
    const bodyHash = sealer.fingerprint(text);
    const flight = `${tenant} ${key}`;
    const running = inFlight.get(flight);
    if (running !== undefined) throw underWay(key, running === bodyHash);
    inFlight.set(flight, bodyHash);
    try {
      const stored = await store.idempotency.find(tenant, key, clock.now() - replayedMs);
      if (!stored) return await make(keepFor({ tenant, key, bodyHash }));
      if (!sealer.isFingerprintOf(stored.bodyHash, text)) throw underWay(key, false);
      const { answer, runId } = stored;
      if (answer) return { status: answer.status === 202 ? 202 : 201, body: answer.body, runId, replayed: true };
      // The process that should have answered is gone, so the answer is the run as it is.
      return { ...(await asItStands(store, runId)), replayed: true };
    } finally {
      inFlight.delete(flight);
    }
  };

  function keepFor(request: { readonly tenant: string; readonly key: string; readonly bodyHash: string }): KeepAnswer {
    return {
      async add(tx, runId, answer) {
        await store.idempotency.add(tx, { ...request, runId, answer, createdAtMs: clock.now() });
      },
      answer: (answer) => store.db.transact((tx) => store.idempotency.answer(tx, request.tenant, request.key, answer)),
    };
  }
}

/** @throws Problem run-not-found */
export async function asItStands({ runs }: Pick<Store, 'runs'>, runId: string): Promise<Created> {
  const run = await runs.get(runId);
  if (!run) throw runNotFound(runId);
  return { status: isFinished(run.status) ? 201 : 202, body: JSON.stringify(run), runId, replayed: false };
}

function underWay(key: string, isSame: boolean): Problem {
  if (!isSame)
    return new Problem('idempotency-conflict', `The Idempotency-Key '${key}' was used with a different body.`);
  const detail = `The first request with the Idempotency-Key '${key}' is still in progress.`;
  return new Problem('idempotency-in-flight', detail, { retry_after: 1 });
}

/** Two bodies are equal if they have the same members, in any order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    member !== null && typeof member === 'object' && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}
