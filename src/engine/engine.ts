// The engine as its faces see it: plan, create, cancel. It knows nothing of HTTP.

import type { Catalog } from '../catalog/catalog.ts';
import type { Snapshots } from '../catalog/snapshot.ts';
import type { FaultList } from '../domain/fault-list.ts';
import { stepIdOfSingle } from '../domain/job.ts';
import { Problem, problemType } from '../domain/problem.ts';
import type { LimitReport } from '../domain/resources.ts';
import { isFinished, type Run } from '../domain/run.ts';
import { reportOf } from '../exec/limit-host.ts';
import type { HostReport } from '../exec/sandbox.ts';
import type { Sealer } from '../exec/seal.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { formatDurationOrNull } from '../lib/units.ts';
import type { Store } from '../store/open.ts';
import { type Caller, type Created, createRuns } from './create.ts';
import { createDispatcher } from './dispatch.ts';
import { watchEnds } from './ends.ts';
import type { ExecuteContext } from './execute.ts';
import type { Hub } from './hub.ts';
import { type ResolvedPlan, type RunRequest, resolvePlan, type SecurityPolicy } from './plan.ts';
import type { QueueLimits } from './queue.ts';
import { addArgumentFaults } from './request-arguments.ts';

export type Check = { readonly status: 'ok' | 'degraded' | 'failing'; readonly detail?: string };

export type Engine = {
  readonly hub: Hub;
  /** What each profile can rely on here. */
  readonly host: HostReport;
  /** What a run can be held to here. */
  readonly limitReport: LimitReport;
  /** @throws Problem job-not-found, job-invalid, validation-error */
  readonly plan: (request: RunRequest, caller: Caller) => Promise<PlanAnswer>;
  /** What is wrong with the arguments in a body for `plan` or `createRun` that has other faults. */
  readonly addArgumentFaults: (body: unknown, faults: FaultList) => void;
  /** @throws Problem whatever stands in the way of the run */
  readonly createRun: (request: RunRequest, caller: Caller, idempotencyKey?: string) => Promise<Created>;
  /** The tree is gone before it says `cancelled`. @throws Problem run-not-found, run-already-finished */
  readonly cancel: (runId: string) => Promise<{ readonly status: 'cancelled' | 'running' }>;
  readonly queue: () => QueueLimits & { readonly depth: number; readonly running: number };
  readonly health: () => Record<string, Check>;
  /** Takes up what a former process left, in the background. */
  readonly start: () => void;
  /** Whoever waits for the end of a run is answered with it as it stands, from now on. */
  readonly endWaits: () => void;
  /** Takes nothing new, leaves running attempts to their shims. */
  readonly close: () => Promise<void>;
};

type PlanAnswer = {
  readonly job_id: string;
  readonly args: Run['args'];
  readonly executor: string;
  readonly steps: readonly { readonly step_id: string; readonly needs: readonly string[] }[];
  readonly security: Run['security'];
  readonly limits: Run['limits'];
  readonly grants: Run['grants'];
  readonly secrets: readonly string[];
  readonly timeouts: { readonly run: string | null; readonly step: string | null; readonly queue: string | null };
  readonly revision: string;
  readonly waiting: string | null;
  readonly denied: { readonly type: string; readonly detail: string } | null;
};

/** Beyond the grace period: what the kernel may need to end a tree of processes. */
const cancelMarginMs = 2_000;

export function createEngine(o: {
  readonly store: Store;
  readonly catalog: Catalog;
  readonly snapshots: Snapshots;
  readonly sealer: Sealer;
  readonly host: HostReport;
  readonly hub: Hub;
  readonly clock: Clock;
  readonly log: Logger;
  readonly policy: SecurityPolicy;
  readonly limits: QueueLimits;
  readonly execution: Omit<ExecuteContext, 'store' | 'clock' | 'log'>;
  readonly defaultTenant: string;
  readonly syncWaitMs: number;
  /** This process, as a run names who executes it. */
  readonly worker: string;
}): Engine {
  const { store, catalog, hub, clock, log } = o;
  const dispatcher = createDispatcher({
    store,
    clock,
    log,
    limits: o.limits,
    worker: o.worker,
    sealer: o.sealer,
    context: { ...o.execution, store, clock, log },
  });
  const ends = watchEnds(hub);
  const resolved = (request: RunRequest): Promise<ResolvedPlan> =>
    resolvePlan(request, { catalog, policy: o.policy, host: o.host, limitHost: o.execution.limitHost });
  const createRun = createRuns({ ...o, dispatcher, ends, resolve: resolved });

  return {
    hub,
    host: o.host,
    limitReport: reportOf(o.execution.limitHost),
    async plan(request) {
      const plan = await resolved(request);
      const { definition: job } = plan.entry;
      const outlook = dispatcher.outlook(job.id);
      const denied = plan.denied ?? outlook.refused;
      return {
        job_id: job.id,
        args: plan.args,
        executor: job.executor,
        steps: [{ step_id: stepIdOfSingle, needs: [] }],
        security: { profile: plan.profile, isolation: plan.isolation },
        limits: plan.limits,
        grants: plan.grants,
        secrets: [...plan.secrets.keys()],
        timeouts: {
          run: formatDurationOrNull(job.timeouts.runMs),
          step: formatDurationOrNull(job.timeouts.stepMs),
          queue: formatDurationOrNull(job.timeouts.queueMs),
        },
        revision: await catalog.revisionOf(plan.entry),
        waiting: outlook.waiting,
        denied: denied ? { type: problemType(denied.slug), detail: denied.message } : null,
      };
    },
    addArgumentFaults: (body, faults) => addArgumentFaults(body, catalog, faults),
    createRun,
    async cancel(runId) {
      const stored = await store.runs.execution(runId);
      if (!stored) throw new Problem('run-not-found', `The run '${runId}' does not exist`);
      const { run, plan } = stored;
      if (run.status === 'cancelled') return { status: 'cancelled' };
      if (isFinished(run.status))
        throw new Problem('run-already-finished', `The run '${runId}' has ended already: ${run.status}.`);
      const atMs = clock.now();
      const end = ends.wait(runId, plan.job.cancel.graceMs + cancelMarginMs);
      const isPending = await store.db.transact(async (tx) => {
        await store.runs.requestCancel(tx, runId, atMs);
        return store.runs.move(tx, runId, 'withdraw', { atMs });
      });
      if (isPending) {
        dispatcher.removed();
        return { status: 'cancelled' };
      }
      dispatcher.executing(runId)?.cancel();
      await end;
      const now = await store.runs.get(runId);
      if (now?.status === 'cancelled') return { status: 'cancelled' };
      if (now && isFinished(now.status))
        throw new Problem(
          'run-already-finished',
          `The run '${runId}' ended before it could be cancelled: ${now.status}.`,
        );
      return { status: 'running' };
    },
    queue: () => ({ ...o.limits, depth: dispatcher.depth, running: dispatcher.running }),
    health() {
      const failure = store.db.failure();
      const { maxDepth } = o.limits;
      const isFull = maxDepth !== null && dispatcher.depth >= maxDepth;
      const profile = o.host[o.policy.defaultProfile];
      return {
        database: failure === null ? { status: 'ok' } : { status: 'failing', detail: failure },
        queue: isFull
          ? { status: 'degraded', detail: `${dispatcher.depth} runs wait, as many as allowed` }
          : { status: 'ok' },
        isolation: profile.available
          ? { status: 'ok' }
          : { status: 'degraded', detail: profile.detail ?? 'unavailable' },
      };
    },
    start: dispatcher.recover,
    endWaits: ends.close,
    async close() {
      ends.close();
      await dispatcher.stop();
    },
  };
}
