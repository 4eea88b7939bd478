// The engine, as the server uses it: plans, creates, cancels, approves and reruns runs. It knows nothing about HTTP.

import type { Catalog } from '../catalog/catalog.ts';
import type { Snapshots } from '../catalog/source/snapshot.ts';
import type { ErrorList } from '../domain/error-list.ts';
import type { SecurityProfile } from '../domain/job.ts';
import type { ChannelRule } from '../domain/notification.ts';
import { holdsScope, type Reach, tenantFor } from '../domain/principal.ts';
import { Problem } from '../domain/problem.ts';
import type { LimitReport } from '../domain/resources.ts';
import type { Capabilities, Executor } from '../exec/executor.ts';
import type { RoomLender } from '../instance/disk-reserve.ts';
import { type SteadyClock, watchWallClock } from '../lib/clock.ts';
import { freeBytesOf } from '../lib/files/disk-room.ts';
import type { Logger } from '../lib/logger.ts';
import type { Store } from '../store/open.ts';
import { createAddRun } from './add-run.ts';
import { type Approve, createApprove } from './approve.ts';
import type { Cancels } from './cancel.ts';
import { createChildren } from './children.ts';
import { type Caller, type CreateRun, createRuns } from './create.ts';
import { createDiskWatch } from './disk-watch.ts';
import { watchEnds } from './ends.ts';
import { type Check, createHealth } from './health.ts';
import type { Hub } from './hub.ts';
import { createKv, type Kv } from './kv/kv.ts';
import { createLateWatch, type LateWatch } from './late/late-watch.ts';
import { type Created, createOnce } from './once.ts';
import { type PlanContext, resolvePlan } from './plan/ground.ts';
import type { PlanRequest, RunRequest, SecurityPolicy } from './plan/plan.ts';
import { answerPlan, type PlanAnswer } from './plan/plan-answer.ts';
import { addArgumentErrors } from './plan/request-arguments.ts';
import type { SecretLookup } from './plan/secret-references.ts';
import type { QueueLimits } from './queue/queue.ts';
import { createRefusals, type Refusals } from './refusals.ts';
import { createRerun, type Rerun } from './rerun.ts';
import type { Resumption } from './resumption.ts';
import type { Execution } from './run/run-context.ts';
import { createRunFolders } from './run/run-folders.ts';
import { createRunning } from './running.ts';
import type { Gap } from './schedule/missed-words.ts';
import type { Calendars } from './schedule/schedule-times.ts';
import { createSchedules, type Schedules } from './schedule/schedules.ts';
import { createKeyRotation, type KeyRotation } from './secrets/key-rotation.ts';
import type { Keyring } from './secrets/keyring.ts';
import type { Sealer } from './secrets/seal.ts';
import { createStoredSecrets, type StoredSecrets } from './secrets/stored-secrets.ts';
import { createTriggers, type Triggers } from './trigger/triggers.ts';
import { createWebhooks, type Webhooks } from './webhook/webhooks.ts';

export type Engine = {
  readonly hub: Hub;
  /** What this host can enforce for each security profile. */
  readonly host: Capabilities;
  /** Which limits this host can enforce. */
  readonly limitReport: LimitReport;
  /** @throws Problem permission-denied, job-not-found, job-invalid, validation-error */
  readonly plan: (request: RunRequest, caller: Caller) => Promise<PlanAnswer>;
  /**
   * Adds the errors in the arguments of a body of `plan` or `createRun` to `errors`, which may already contain other
   * errors of the body.
   */
  readonly addArgumentErrors: (body: unknown, errors: ErrorList, reach: Reach) => void;
  /** @throws Problem that says why the run cannot be created */
  readonly createRun: (request: RunRequest, caller: Caller, idempotencyKey?: string) => Promise<Created>;
  /** @throws Problem run-not-found, run-not-finished, workspace-expired, revision-expired, and what createRun throws */
  readonly rerun: Rerun;
  readonly schedules: Schedules;
  readonly webhooks: Webhooks;
  readonly triggers: Triggers;
  readonly late: LateWatch;
  readonly secrets: StoredSecrets;
  readonly kv: Kv;
  readonly rotateKey: KeyRotation['rotate'];
  /** Records refused requests. The server adds the requests that it refuses itself. */
  readonly refusals: Refusals;
  readonly cancel: Cancels['cancel'];
  readonly approve: Approve;
  readonly queue: () => Omit<QueueLimits, 'weightOf'> & { readonly depth: number; readonly running: number };
  readonly health: () => Record<string, Check>;
  /** null if the file system of the runs does not report its free space. */
  readonly diskFreeBytes: () => number | null;
  /**
   * Resumes in the background what an earlier process left. If `only` is given, no schedule fires, and waiting runs
   * start only if they are sub-runs or are in `only`. New runs still start.
   */
  readonly start: (only?: ReadonlySet<string>) => void;
  readonly ensureStarted: Resumption['ensureStarted'];
  /** From now on no run starts. Runs that have started continue, with their further steps. */
  readonly startNoRuns: () => void;
  /** From now on, a request that waits for a run to end is answered at once, with the run as it is. */
  readonly endWaits: () => void;
  /** Ends the processes of all runs, and stores nothing. */
  readonly kill: () => Promise<void>;
  /** Starts nothing more, and leaves running attempts to their shims. */
  readonly close: () => Promise<void>;
};

/** A caller who may only read must not learn whether a stored secret exists or fits. */
const refuseToLookUp: SecretLookup = async () => {
  throw new Problem('permission-denied', 'A plan with stored secrets needs the scope `runs:write`.');
};

export type EngineOptions = {
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
  readonly execution: Execution;
  /** The rules of flwd.yaml for notifications. */
  readonly notifyRules?: readonly ChannelRule[];
  /** The names of the channels in flwd.yaml. */
  readonly channels?: readonly string[];
  readonly defaultTenant: string;
  /** The zone of schedules without a time zone. */
  readonly timezone: string;
  readonly calendars: Calendars;
  /** Whether flwd.yaml pauses all schedules. */
  readonly arePaused: boolean;
  /** When no server was running before this one started; null if that is not known. */
  readonly downtime: () => Promise<Gap | null>;
  /** Whether flwd.yaml pauses all triggers and webhooks. */
  readonly triggersPaused: boolean;
  readonly syncWaitMs: number;
  /** The id of the data dir, which owns the runs that this process drives (ADR 0039). */
  readonly ownerId: string;
  /** The name of this process in the runs that it executes. */
  readonly worker: string;
  /** Lends room on the disk of the data dir to runs that cannot end without it. */
  readonly room: RoomLender;
};

export function createEngine(o: EngineOptions): Engine {
  const { store, catalog, log } = o;
  const stopping = new AbortController();
  const { signal } = stopping;
  // undefined while the engine is being created: somebody may set the clock before there are deadlines to move.
  let moveDeadlines: ((byMs: number) => void) | undefined;
  const clock = watchWallClock(o.clock, (byMs) => {
    log.warn({ by_ms: byMs }, 'the clock was set; the deadlines of runs move with it');
    moveDeadlines?.(byMs);
  });
  const context = createContext(o, clock);
  const { folders, kv, disk } = context;
  const secrets = createStoredSecrets(o);
  const refusals = createRefusals({ audit: store.audit, clock, log });
  const { executor, runsDir, masked } = o.execution;
  const host = { executor, paths: o.policy.paths, masked };
  const planContext = { catalog, policy: o.policy, storedSecret: secrets.valueOf, host };
  const ends = watchEnds(o.hub);
  const runs = createRunning({ ...o, context, ends, signal, children: () => children });
  const { queue, slots, register, reaper, resumption, cancels } = runs;
  moveDeadlines = (byMs) => {
    for (const controller of register.controllers()) controller.clockSet(byMs);
    reaper.clockSet(byMs);
  };
  const cancel = (runId: string, by: string, isForced?: boolean): void => cancels.cancelUnwaited(runId, by, isForced);
  const parts = { ...o, ...runs, context, planContext, refusals, cancel };
  const add = createAddRun({ ...parts, notifyRules: o.notifyRules ?? [], untilResumed: () => resumption.untilDone() });
  const children = createChildren({ ...parts, addRun: add, signal });
  const once = createOnce(o);
  const resolve = (request: PlanRequest) => resolvePlan(request, planContext);
  const createRun = createRuns({ ...o, once, ends, resolve, add });
  const rerun = createRerun({ ...parts, once, add });
  const { own, ...starters } = createStarters({ ...o, planContext, kv, createRun });
  return {
    hub: o.hub,
    host: capabilitiesOf(executor),
    limitReport: executor.report('secure').limits,
    async plan(request, { principal }) {
      const tenant = tenantFor(principal, request.tenant, o.defaultTenant);
      const storedSecret = holdsScope(principal, 'runs:write') ? secrets.valueOf : refuseToLookUp;
      const plan = await resolvePlan({ ...request, tenant, by: principal }, { ...planContext, storedSecret });
      return answerPlan(plan, { ...o, ...o.policy, queue, by: principal, tenant, storedSecret });
    },
    addArgumentErrors: (body, errors, reach) => addArgumentErrors(body, reach, catalog, errors),
    createRun,
    ...own,
    webhooks: createWebhooks({ ...o, secrets, createRun, plan: resolve, rerun, ends }),
    secrets,
    kv,
    rotateKey: createKeyRotation(o).rotate,
    refusals,
    rerun,
    cancel: (runId, principal, how) => cancels.cancel(runId, principal, how),
    approve: createApprove({ store, ...runs }),
    queue: () => ({ ...shownLimits(o.limits), depth: queue.depth, running: slots.running }),
    health: createHealth({ ...o, ...o.execution, ...runs, ...own, defaultProfile: o.policy.defaultProfile }),
    diskFreeBytes: () => freeBytesOf(runsDir),
    start(only) {
      if (!only) starters.start();
      runs.owner.start();
      resumption.start(only);
    },
    ensureStarted: (runId) => resumption.ensureStarted(runId),
    startNoRuns: queue.startNoRuns,
    endWaits: ends.close,
    kill: () => register.kill(),
    async close() {
      ends.close();
      disk.close();
      stopping.abort();
      resumption.giveUp();
      await starters.close();
      runs.owner.stop();
      await reaper.stop();
      await runs.detach();
      await folders.settled();
      await refusals.close();
    },
  };
}

function createContext({ execution, store, log, sealer, worker }: EngineOptions, clock: SteadyClock) {
  const folders = createRunFolders();
  const kv = createKv({ store, transact: store.db.transact, clock });
  const disk = createDiskWatch({ ...execution, log });
  return { ...execution, store, clock, log, sealer, folders, kv, disk, worker };
}

/** What starts without a request: schedules, triggers, and the watch for late runs. */
function createStarters(
  o: EngineOptions & { readonly planContext: PlanContext; readonly kv: Kv; readonly createRun: CreateRun },
) {
  const schedules: Schedules = createSchedules({ ...o, onMissed: () => late.seen() });
  const triggers = createTriggers(o);
  const late = createLateWatch({ ...o, arePaused: schedules.arePaused, scheduleOf: schedules.find });
  return {
    own: { schedules, triggers, late },
    start(): void {
      for (const one of [schedules, triggers, late]) one.start();
    },
    async close(): Promise<void> {
      await Promise.all([schedules.close(), triggers.close(), late.close()]);
    },
  };
}

function shownLimits({ globalConcurrency, jobConcurrency, maxDepth }: QueueLimits): Omit<QueueLimits, 'weightOf'> {
  return { globalConcurrency, jobConcurrency, maxDepth };
}

function capabilitiesOf({ report }: Executor): Capabilities {
  const of = (profile: SecurityProfile) => {
    const { available, detail } = report(profile);
    return { available, detail };
  };
  return { secure: of('secure'), permissive: of('permissive'), disabled: of('disabled') };
}
