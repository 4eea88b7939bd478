// The engine as its faces see it: plan, create, cancel, approve, run again. It knows nothing of HTTP.

import type { Catalog } from '../catalog/catalog.ts';
import type { Snapshots } from '../catalog/source/snapshot.ts';
import type { ErrorList } from '../domain/error-list.ts';
import type { SecurityProfile } from '../domain/job.ts';
import { holdsScope, type Reach, tenantFor } from '../domain/principal.ts';
import { Problem } from '../domain/problem.ts';
import type { LimitReport } from '../domain/resources.ts';
import type { Capabilities, Executor } from '../exec/executor.ts';
import { type SteadyClock, watchWallClock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { Store } from '../store/open.ts';
import { type Approve, createApprove } from './approve.ts';
import { createChildren } from './children.ts';
import { type Caller, createAddRun, createRuns } from './create.ts';
import { watchEnds } from './ends.ts';
import { type Check, createHealth } from './health.ts';
import type { Hub } from './hub.ts';
import { type Created, createOnce } from './once.ts';
import type { PlanRequest, RunRequest, SecurityPolicy } from './plan/plan.ts';
import { answerPlan, type PlanAnswer } from './plan/plan-answer.ts';
import { addArgumentErrors } from './plan/request-arguments.ts';
import { resolvePlan } from './plan/resolve.ts';
import type { SecretLookup } from './plan/secret-references.ts';
import type { QueueLimits } from './queue/queue.ts';
import { createRefusals, type Refusals } from './refusals.ts';
import { createRerun, type Rerun } from './rerun.ts';
import type { ControllerContext } from './run/run-context.ts';
import { createRunFolders } from './run/run-folders.ts';
import { createRunning } from './running.ts';
import { createSchedules, type Schedules } from './schedule/schedules.ts';
import { createKeyRotation, type KeyRotation } from './secrets/key-rotation.ts';
import type { Keyring } from './secrets/keyring.ts';
import type { Sealer } from './secrets/seal.ts';
import { createStoredSecrets, type StoredSecrets } from './secrets/stored-secrets.ts';

export type Engine = {
  readonly hub: Hub;
  /** What each profile can rely on here. */
  readonly host: Capabilities;
  /** What a run can be held to here. */
  readonly limitReport: LimitReport;
  /** @throws Problem permission-denied, job-not-found, job-invalid, validation-error */
  readonly plan: (request: RunRequest, caller: Caller) => Promise<PlanAnswer>;
  /** What is wrong with the arguments in a body for `plan` or `createRun` that has other errors. */
  readonly addArgumentErrors: (body: unknown, errors: ErrorList) => void;
  /** @throws Problem whatever stands in the way of the run */
  readonly createRun: (request: RunRequest, caller: Caller, idempotencyKey?: string) => Promise<Created>;
  /** @throws Problem run-not-found, run-not-finished, workspace-expired, revision-expired, and what createRun throws */
  readonly rerun: Rerun;
  readonly schedules: Schedules;
  readonly secrets: StoredSecrets;
  readonly rotateKey: KeyRotation['rotate'];
  /** Of every kind: the server adds those that never come so far. */
  readonly refusals: Refusals;
  /** The tree is gone before it says `cancelled`. @throws Problem run-not-found, run-already-finished */
  readonly cancel: (
    runId: string,
    reach: Reach,
    o?: { readonly isForced: boolean },
  ) => Promise<{ readonly status: 'cancelled' | 'running' }>;
  readonly approve: Approve;
  readonly queue: () => Omit<QueueLimits, 'weightOf'> & { readonly depth: number; readonly running: number };
  readonly health: () => Record<string, Check>;
  /**
   * Resumes what a former process left, in the background. With `only`, of the runs that wait just these are started,
   * besides those that come, and no schedule is looked at.
   */
  readonly start: (only?: ReadonlySet<string>) => void;
  /** With `only`: this one is started too, if it waits. */
  readonly attend: (runId: string) => void;
  /** From now on none begins; those that have go on, and further steps of theirs. */
  readonly startNoRuns: () => void;
  /** Whoever waits for the end of a run is answered with it as it stands, from now on. */
  readonly endWaits: () => void;
  /** Takes nothing new, leaves running attempts to their shims. */
  readonly close: () => Promise<void>;
};

/** Whether a stored secret is there, and fits, is not for those who only read. */
const refuseToLookUp: SecretLookup = async () => {
  throw new Problem('permission-denied', 'A plan with stored secrets asks for the scope `runs:write`.');
};

type EngineOptions = {
  readonly store: Store;
  readonly catalog: Catalog;
  readonly snapshots: Snapshots;
  readonly keyring: Keyring;
  readonly sealer: Sealer;
  readonly hub: Hub;
  readonly clock: SteadyClock;
  readonly log: Logger;
  readonly policy: SecurityPolicy;
  readonly limits: QueueLimits;
  readonly execution: Omit<ControllerContext, 'store' | 'clock' | 'log' | 'sealer' | 'folders' | 'owner' | 'worker'>;
  readonly defaultTenant: string;
  readonly syncWaitMs: number;
  /** The id under which runs are driven: the data dir's own (ADR 0039). */
  readonly ownerId: string;
  /** This process, as a run names who executes it. */
  readonly worker: string;
};

export function createEngine(o: EngineOptions): Engine {
  const { store, catalog, log } = o;
  const stopping = new AbortController();
  const { signal } = stopping;
  // The clock may be set before there is anything here that has deadlines.
  let moveDeadlines: ((byMs: number) => void) | undefined;
  const clock = watchWallClock(o.clock, (byMs) => {
    log.warn({ by_ms: byMs }, 'the clock was set; deadlines of runs move with it');
    moveDeadlines?.(byMs);
  });
  const folders = createRunFolders();
  const context = { ...o.execution, store, clock, log, sealer: o.sealer, folders, worker: o.worker };
  const secrets = createStoredSecrets(o);
  const refusals = createRefusals({ audit: store.audit, clock, log });
  const { executor, runsDir, masked } = o.execution;
  const host = { executor, paths: o.policy.paths, masked };
  const planContext = { catalog, policy: o.policy, storedSecret: secrets.valueOf, host };
  const ends = watchEnds(o.hub);
  const runs = createRunning({ ...o, clock, context, ends, signal, children: () => children });
  const { queue, slots, register, reaper, resumption, cancels } = runs;
  moveDeadlines = (byMs) => {
    for (const controller of register.controllers()) controller.clockSet(byMs);
    reaper.clockSet(byMs);
  };
  const cancel = cancels.cancelUnwaited;
  const ofRuns = { ...o, ...runs, clock, runsDir, refusals, cancel, untilResumed: resumption.untilDone };
  const add = createAddRun(ofRuns);
  const children = createChildren({ ...o, planContext, addRun: add, cancel, signal });
  const once = createOnce(o);
  const resolve = (request: PlanRequest) => resolvePlan(request, planContext);
  const createRun = createRuns({ ...o, once, ends, resolve, add });
  const schedules = createSchedules({ ...o, createRun });

  return {
    hub: o.hub,
    host: capabilitiesOf(executor),
    limitReport: executor.report('secure').limits,
    async plan(request, { principal }) {
      const tenant = tenantFor(principal, request.tenant, o.defaultTenant);
      const mayRun = holdsScope(principal, 'runs:write');
      const asked = mayRun ? planContext : { ...planContext, storedSecret: refuseToLookUp };
      return answerPlan(await resolvePlan({ ...request, tenant }, asked), { catalog, queue, ...o.policy });
    },
    addArgumentErrors: (body, errors) => addArgumentErrors(body, catalog, errors),
    createRun,
    schedules,
    secrets,
    rotateKey: createKeyRotation(o).rotate,
    refusals,
    rerun: createRerun({ ...ofRuns, ...planContext, clock, once, add }),
    cancel: cancels.cancel,
    approve: createApprove({ store, ...runs }),
    queue() {
      const { globalConcurrency, jobConcurrency, maxDepth } = o.limits;
      return { globalConcurrency, jobConcurrency, maxDepth, depth: queue.depth, running: slots.running };
    },
    health: createHealth({ store, ...runs, runsDir, executor, defaultProfile: o.policy.defaultProfile }),
    start(only) {
      if (!only) schedules.start();
      runs.owner.start();
      resumption.start(only);
    },
    attend: resumption.attend,
    startNoRuns: queue.startNoRuns,
    endWaits: ends.close,
    async close() {
      ends.close();
      stopping.abort();
      resumption.giveUp();
      await schedules.close();
      runs.owner.stop();
      await reaper.stop();
      await runs.letGo();
      await folders.settled();
      await refusals.close();
    },
  };
}

function capabilitiesOf({ report }: Executor): Capabilities {
  const of = (profile: SecurityProfile) => {
    const { available, detail } = report(profile);
    return { available, detail };
  };
  return { secure: of('secure'), permissive: of('permissive'), disabled: of('disabled') };
}
