// Handles requests for runs: plans the run, adds it, and keeps the answer in case the request is sent again.

import { type Catalog, findReached } from '../catalog/catalog.ts';
import type { SecurityProfile } from '../domain/job.ts';
import type { ScheduleHeartbeat } from '../domain/notification.ts';
import { type Principal, starterOf, tenantFor } from '../domain/principal.ts';
import { Problem } from '../domain/problem.ts';
import type { Trigger, TriggerCause } from '../domain/run.ts';
import type { TraceParent } from '../domain/trigger/trace.ts';
import type { Logger } from '../lib/logger.ts';
import type { Transaction } from '../store/database.ts';
import type { Store } from '../store/open.ts';
import { storageProblem } from '../store/storage-error.ts';
import type { AddRun } from './add-run.ts';
import { ofCurrentJob } from './current-job.ts';
import type { Ends } from './ends.ts';
import { asItStands, type Created, type KeepAnswer, keyOf, type Once } from './once.ts';
import { asksPerson } from './plan/agent-approval.ts';
import type { GroundedPlan } from './plan/ground.ts';
import type { PlanRequest, RunRequest } from './plan/plan.ts';

export type Caller = {
  readonly principal: Principal;
  readonly trigger: Trigger['type'];
  /** The address to call when the run of a schedule succeeds. */
  readonly heartbeat?: ScheduleHeartbeat | undefined;
  /** What made a trigger start the run. */
  readonly cause?: TriggerCause;
  readonly requestId: string;
  /** Counts a run of this profile that is about to be created. @throws Problem rate-limited */
  readonly countRun?: (profile: SecurityProfile) => void;
  /** The address of the peer, if there is one. */
  readonly from?: string | undefined;
  /** The trace to which the run belongs, as the caller says. */
  readonly traceParent?: TraceParent | undefined;
};

/**
 * Runs in the transaction that adds the run. If it throws, no run is added. It may await only queries of that
 * transaction.
 */
type Alongside = (tx: Transaction, runId: string) => Promise<void>;

export type CreateRun = (
  body: RunRequest,
  caller: Caller,
  idempotencyKey?: string,
  alongside?: Alongside,
) => Promise<Created>;

type Request = {
  readonly body: RunRequest;
  readonly caller: Caller;
  readonly tenant: string;
  /** Stores the answer, if the request has an idempotency key. */
  readonly keep?: KeepAnswer;
  readonly alongside: Alongside | undefined;
};

export function createRuns(o: {
  readonly store: Store;
  readonly log: Logger;
  readonly once: Once;
  readonly ends: Ends;
  readonly defaultTenant: string;
  readonly syncWaitMs: number;
  readonly catalog: Catalog;
  readonly resolve: (request: PlanRequest) => Promise<GroundedPlan>;
  readonly add: AddRun;
}): CreateRun {
  return async (body, caller, idempotencyKey, alongside) => {
    const tenant = tenantFor(caller.principal, body.tenant, o.defaultTenant);
    const request = { body, caller, tenant, alongside };
    // This check comes first: even the stored answer to a repeated request must not reveal a job that the caller cannot
    // reach.
    if (caller.principal.jobs) findReached(body.job_id, caller.principal, o.catalog);
    try {
      if (idempotencyKey === undefined) return await create(request);
      const key = keyOf(idempotencyKey, caller.principal);
      return await o.once({ tenant, key, body }, (keep) => create({ ...request, keep }));
    } catch (error) {
      if (error instanceof Problem) throw error;
      const problem = storageProblem(error);
      if (problem) throw problem;
      o.log.error({ err: error, job_id: body.job_id, request_id: caller.requestId }, 'a run could not be created');
      throw new Problem(
        'execution-error',
        `The run of '${body.job_id}' could not be created; the server log says why.`,
      );
    }
  };

  async function create(request: Request): Promise<Created> {
    const { body: asked, keep } = request;
    let isCounted = false;
    const { runId, body } = await ofCurrentJob(o.catalog, async () => {
      const plan = await o.resolve({ ...asked, tenant: request.tenant, by: request.caller.principal });
      if (!plan.denied && !isCounted) request.caller.countRun?.(plan.profile);
      isCounted = true;
      return add(plan, request);
    });
    if (asked.async !== false) return { status: 201, body, runId, replayed: false };
    await o.ends.wait(runId, o.syncWaitMs);
    const answer = await asItStands(o.store, runId);
    await keep?.answer({ status: answer.status, body: answer.body });
    return answer;
  }

  function add(plan: GroundedPlan, { body: asked, caller, tenant, keep, alongside }: Request): ReturnType<AddRun> {
    return o.add(plan, {
      tenant,
      caller: { ...caller, name: caller.principal.name },
      labels: { ...asked.labels },
      priority: asked.priority ?? 0,
      parent: null,
      rerunOf: null,
      traceParent: caller.traceParent,
      starter: starterOf(caller.principal),
      asksPerson: asksPerson(caller.principal, plan.entry.definition),
      async alongside(tx, id, answerBody) {
        await alongside?.(tx, id);
        await keep?.add(tx, id, asked.async === false ? null : { status: 201, body: answerBody });
      },
    });
  }
}
