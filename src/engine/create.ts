// Creates runs: plan, idempotency, snapshot, and the one transaction after which a run is never lost.

import type { Snapshots } from '../catalog/snapshot.ts';
import type { Principal } from '../domain/principal.ts';
import { Problem } from '../domain/problem.ts';
import { isFinished, type RunStatus, type Trigger } from '../domain/run.ts';
import type { Sealer } from '../exec/seal.ts';
import { type Clock, toTimestamp } from '../lib/clock.ts';
import { createId } from '../lib/ids.ts';
import type { Logger } from '../lib/logger.ts';
import type { Store } from '../store/open.ts';
import type { Dispatcher } from './dispatch.ts';
import type { Ends } from './ends.ts';
import type { ResolvedPlan, RunRequest } from './plan.ts';
import type { Place, Slot } from './queue.ts';

export type Caller = { readonly principal: Principal; readonly trigger: Trigger['type']; readonly requestId: string };

/** What POST /runs answers. */
export type Created = {
  readonly status: 201 | 202;
  readonly body: string;
  readonly runId: string;
  readonly replayed: boolean;
};

/** An answer is replayed for this long. */
const idempotencyMs = 24 * 3_600_000;

type Idempotency = { readonly key: string; readonly bodyHash: string };
type Request = {
  readonly body: RunRequest;
  readonly caller: Caller;
  readonly tenant: string;
  readonly idempotency: Idempotency | undefined;
};

export function createRuns(o: {
  readonly store: Store;
  readonly snapshots: Snapshots;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly log: Logger;
  readonly worker: string;
  readonly dispatcher: Dispatcher;
  readonly ends: Ends;
  readonly defaultTenant: string;
  readonly syncWaitMs: number;
  readonly resolve: (request: RunRequest) => Promise<ResolvedPlan>;
}): (body: RunRequest, caller: Caller, idempotencyKey?: string) => Promise<Created> {
  const { store, dispatcher, clock, sealer } = o;
  /** Requests with an Idempotency-Key that are under way here, with the fingerprint of their body. */
  const inFlight = new Map<string, string>();

  return async (body, caller, idempotencyKey) => {
    const tenant = body.tenant ?? o.defaultTenant;
    try {
      if (idempotencyKey === undefined) return await create({ body, caller, tenant, idempotency: undefined });
      const idempotency = { key: idempotencyKey, bodyHash: sealer.fingerprint(canonical(body)) };
      return await createOnce({ body, caller, tenant, idempotency });
    } catch (error) {
      if (error instanceof Problem) throw error;
      o.log.error({ err: error, job_id: body.job_id, request_id: caller.requestId }, 'a run could not be created');
      throw new Problem(
        'execution-error',
        `The run of '${body.job_id}' could not be created; the server log says why.`,
      );
    }
  };

  async function createOnce(request: Request & { readonly idempotency: Idempotency }): Promise<Created> {
    const { tenant, idempotency } = request;
    const flight = `${tenant} ${idempotency.key}`;
    const running = inFlight.get(flight);
    if (running !== undefined) throw underWay(idempotency, running);
    inFlight.set(flight, idempotency.bodyHash);
    try {
      const stored = await store.idempotency.find(tenant, idempotency.key, clock.now() - idempotencyMs);
      if (!stored) return await create(request);
      if (stored.bodyHash !== idempotency.bodyHash) throw underWay(idempotency, stored.bodyHash);
      const { answer, runId } = stored;
      if (answer) return { status: answer.status === 202 ? 202 : 201, body: answer.body, runId, replayed: true };
      // The process that was to answer is gone: the run as it stands is what it would have said.
      return { ...(await asItStands(runId)), replayed: true };
    } finally {
      inFlight.delete(flight);
    }
  }

  async function create(request: Request): Promise<Created> {
    const plan = await o.resolve(request.body);
    if (plan.denied) throw plan.denied;
    const room = dispatcher.admit(plan.entry.definition.id);
    const added = await add(plan, request, room).catch((error: unknown) => {
      room.release();
      throw error;
    });
    if (request.body.async !== false) return added;
    await o.ends.wait(added.runId, o.syncWaitMs);
    const answer = await asItStands(added.runId);
    const { idempotency, tenant } = request;
    if (idempotency) {
      const kept = { status: answer.status, body: answer.body };
      await store.db.transact((tx) => store.idempotency.answer(tx, tenant, idempotency.key, kept));
    }
    return answer;
  }

  async function asItStands(runId: string): Promise<Created> {
    const run = await store.runs.get(runId);
    if (!run) throw new Problem('run-not-found', `The run '${runId}' does not exist`);
    return { status: isFinished(run.status) ? 201 : 202, body: JSON.stringify(run), runId, replayed: false };
  }

  async function add(
    plan: ResolvedPlan,
    { body: asked, caller, tenant, idempotency }: Request,
    room: Slot | Place,
  ): Promise<Created> {
    const { definition: job, source } = plan.entry;
    const { revision } = await o.snapshots.take(plan.entry);
    const createdAtMs = clock.now();
    const id = createId('run', createdAtMs);
    const waiting = 'waiting' in room ? room.waiting : null;
    const { profile, network, resources, read, write, resolvedArgs, secrets } = plan;
    const runPlan = { job, revision, profile, network, resources, read, write, resolvedArgs };
    const status: RunStatus = waiting === null ? 'running' : 'pending';
    const body = JSON.stringify({ run_id: id, job_id: job.id, status, created_at: toTimestamp(createdAtMs) });
    await store.db.transact(async (tx) => {
      if (idempotency) {
        const answer = asked.async === false ? null : { status: 201, body };
        await store.idempotency.add(tx, { tenant, ...idempotency, runId: id, answer, createdAtMs });
      }
      await store.runs.add(tx, {
        id,
        jobId: job.id,
        tenant,
        createdAtMs,
        args: plan.args,
        sealed: secrets.size === 0 ? null : sealer.seal(JSON.stringify(Object.fromEntries(secrets)), id),
        labels: { ...asked.labels },
        priority: 0,
        trigger: { type: caller.trigger },
        createdBy: caller.principal.name,
        requestId: caller.requestId,
        source: { name: source.name, type: source.type, revision },
        security: { profile, isolation: plan.isolation },
        grants: plan.grants,
        limits: plan.limits,
        waiting,
        plan: runPlan,
      });
      // A free slot is claimed in the same commit: one fsync between the request and the script.
      if (waiting === null) await store.runs.move(tx, id, 'claim', { atMs: createdAtMs, worker: o.worker });
    });
    if ('waiting' in room) {
      room.release();
      dispatcher.added();
    } else {
      const run = { run_id: id, job_id: job.id, tenant, attempt: 1, args: plan.args };
      // Starting a process holds the event loop for milliseconds: the answer goes out first.
      setImmediate(() => dispatcher.start({ run, plan: runPlan, secrets, startedAtMs: createdAtMs }, room, 'launch'));
    }
    return { status: 201, body, runId: id, replayed: false };
  }
}

function underWay({ key, bodyHash }: Idempotency, known: string): Problem {
  return known === bodyHash
    ? new Problem('idempotency-in-flight', `The first request with the Idempotency-Key '${key}' is still under way.`)
    : new Problem('idempotency-conflict', `The Idempotency-Key '${key}' was used with another body.`);
}

/** The same members in any order are the same body. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    member !== null && typeof member === 'object' && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}
