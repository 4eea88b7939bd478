// The engine as its faces see it: plan, create, cancel, approve, run again. It knows nothing of HTTP.

import { setTimeout as delay } from 'node:timers/promises';
import type { Catalog } from '../catalog/catalog.ts';
import type { Snapshots } from '../catalog/source/snapshot.ts';
import type { ErrorList } from '../domain/error-list.ts';
import type { SecurityProfile } from '../domain/job.ts';
import { holdsScope, type Reach, tenantFor } from '../domain/principal.ts';
import { Problem } from '../domain/problem.ts';
import type { LimitReport } from '../domain/resources.ts';
import { isFinished } from '../domain/run.ts';
import type { Capabilities, Executor } from '../exec/executor.ts';
import { type SteadyClock, watchWallClock } from '../lib/clock.ts';
import { lackOfRoom } from '../lib/files/disk-room.ts';
import type { Logger } from '../lib/logger.ts';
import { retryShortage } from '../lib/shortage.ts';
import type { Store } from '../store/open.ts';
import type { StoredRun } from '../store/run/runs.ts';
import { isStorageError } from '../store/storage-error.ts';
import { createCancels } from './cancel.ts';
import { createChildren } from './children.ts';
import { type Caller, createAddRun, createRuns } from './create.ts';
import { watchEnds } from './ends.ts';
import type { Hub } from './hub.ts';
import { type Created, createOnce } from './once.ts';
import type { RunRequest, SecurityPolicy } from './plan/plan.ts';
import { answerPlan, type PlanAnswer } from './plan/plan-answer.ts';
import { addArgumentErrors } from './plan/request-arguments.ts';
import { type PlanContext, resolvePlan } from './plan/resolve.ts';
import type { SecretLookup } from './plan/secret-references.ts';
import { createDispatcher, type QueueLimits } from './queue/dispatch.ts';
import { createReaper, overtimeMs } from './reaper.ts';
import { createRefusals, type Refusals } from './refusals.ts';
import { createRerun, type Rerun } from './rerun.ts';
import { endWithoutController } from './resume.ts';
import { createResumption } from './resumption.ts';
import type { ControllerContext } from './run/run-context.ts';
import { createRunController } from './run/run-controller.ts';
import { createRunFolders } from './run/run-folders.ts';
import { toSource } from './run/run-source.ts';
import { createSchedules, type Schedules } from './schedule/schedules.ts';
import { createKeyRotation, type KeyRotation } from './secrets/key-rotation.ts';
import type { Keyring } from './secrets/keyring.ts';
import type { Sealer } from './secrets/seal.ts';
import { createStoredSecrets, type StoredSecrets } from './secrets/stored-secrets.ts';

export type Check = { readonly status: 'ok' | 'degraded' | 'failing'; readonly detail?: string };

type ApprovalRequest = {
  readonly step_id: string;
  readonly decision: 'approve' | 'deny';
  readonly comment?: string;
};

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
  /** @throws Problem run-not-found, approval-not-pending, permission-denied, not-ready */
  readonly approve: (runId: string, request: ApprovalRequest, caller: Caller) => Promise<void>;
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

const droppingMs = 2_000;
/** Large artifacts take their time. */
const storingMs = 600_000;

function capabilitiesOf({ report }: Executor): Capabilities {
  const of = (profile: SecurityProfile) => {
    const { available, detail } = report(profile);
    return { available, detail };
  };
  return { secure: of('secure'), permissive: of('permissive'), disabled: of('disabled') };
}

export function createEngine(o: {
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
  readonly execution: Omit<ControllerContext, 'store' | 'clock' | 'log' | 'sealer' | 'folders' | 'worker'>;
  readonly defaultTenant: string;
  readonly syncWaitMs: number;
  /** This process, as a run names who executes it. */
  readonly worker: string;
}): Engine {
  const { store, catalog, hub, log, sealer } = o;
  const clock = watchWallClock(o.clock, (byMs) => {
    log.warn({ by_ms: byMs }, 'the clock was set; deadlines of runs move with it');
    for (const controller of dispatcher.controllers()) controller.clockSet(byMs);
    reaper.clockSet(byMs);
  });
  const folders = createRunFolders();
  const context: ControllerContext = { ...o.execution, store, clock, log, sealer, folders, worker: o.worker };
  const { executor } = o.execution;
  const secrets = createStoredSecrets(o);
  const storedSecret = secrets.valueOf;
  const host = { executor, paths: o.policy.paths, masked: o.execution.masked };
  const planContext: PlanContext = { catalog, policy: o.policy, storedSecret, host };
  const stopping = new AbortController();
  const ends = watchEnds(hub);

  function withRetry<T>(work: () => Promise<T>): Promise<T> {
    return retryShortage(work, { isPassing: isStorageError, signal: stopping.signal });
  }

  const cancelLater = (runId: string, isForced = false): void => cancels.cancelUnwaited(runId, isForced);

  const dispatcher = createDispatcher({
    store,
    log,
    limits: o.limits,
    createController: (source) =>
      createRunController(source, context, {
        requestSlot: dispatcher.requestSlot,
        withdrawSlot: dispatcher.withdrawSlot,
        noticeDeadline: (atMs) => reaper.notice(atMs),
        children,
      }),
    async sourceOf(runId) {
      const stored = await store.runs.execution(runId);
      if (stored?.run.status !== 'pending') return undefined;
      if (stored.run.cancel_requested_at === null) return toSource(stored, sealer);
      cancels.cancelUnwaited(runId);
      return undefined;
    },
    async setAside(runId, error) {
      log.error({ err: error, run_id: runId }, 'a run is set aside as failed');
      const message = 'the run could not be started; the server log says why';
      const change = { atMs: clock.now(), reason: 'start_failed', error: { message } } as const;
      await store.db.transact((tx) => store.runs.end(tx, runId, 'expire', change));
    },
  });

  const resync = (): Promise<void> => resumption.resync();
  const reaper = createReaper({ store, clock, log, dispatcher, forceEnd, resync, withRetry });
  const cancels = createCancels({ ...o, clock, ends, dispatcher, signal: stopping.signal });
  const resumption = createResumption({
    clock,
    context,
    dispatcher,
    withRetry,
    signal: stopping.signal,
    cancel: cancelLater,
    startDeadlines: reaper.start,
  });
  const refusals = createRefusals({ audit: store.audit, clock, log });
  const addRun = createAddRun({
    ...o,
    clock,
    runsDir: o.execution.runsDir,
    refusals,
    dispatcher,
    cancel: cancelLater,
    untilResumed: resumption.untilDone,
  });
  const children = createChildren({ store, hub, planContext, addRun, cancel: cancelLater, signal: stopping.signal });
  const once = createOnce(o);
  const createRun = createRuns({
    ...o,
    once,
    ends,
    resolve: (request) => resolvePlan(request, planContext),
    add: addRun,
  });
  const schedules = createSchedules({ ...o, createRun });
  const rerun = createRerun({
    ...o,
    ...planContext,
    once,
    refusals,
    dispatcher,
    runsDir: o.execution.runsDir,
    add: addRun,
  });

  /** A run controller that has not done its part long after it was told. */
  async function forceEnd(runId: string, toldForMs: number, why: 'timeout' | 'cancel'): Promise<void> {
    const before = await store.runs.execution(runId);
    const controller = dispatcher.controllerOf(runId);
    const timeoutMs = controller?.isStoring() ? storingMs : overtimeMs;
    if (!before || toldForMs < before.plan.job.cancel.graceMs + timeoutMs) return;
    // A disk that is full decides nothing about a run whose processes are gone; a sub-run has a grace period of its own.
    if (controller?.isHeldUp() || (await waitsForSubRun(before))) return;
    log.error({ run_id: runId }, 'a run past its time is ended without its conductor');
    await Promise.race([dispatcher.drop(runId), delay(droppingMs, undefined, { ref: false })]);
    // It may have come to something meanwhile.
    const stored = await store.runs.execution(runId);
    if (stored?.run.status !== 'running') return;
    const message = 'did not end in time, and what attended to it did not answer';
    const reason = why === 'cancel' ? 'lost' : 'timeout';
    await endWithoutController(stored, { reason, message }, { ...context, cancelChild: cancelLater });
  }

  async function waitsForSubRun({ attempts }: StoredRun): Promise<boolean> {
    for (const { child_run_id: childRunId, finished_at } of attempts) {
      if (childRunId === null || finished_at !== null) continue;
      const child = await store.runs.summary(childRunId);
      if (child && !isFinished(child.status)) return true;
    }
    return false;
  }

  return {
    hub,
    host: capabilitiesOf(executor),
    limitReport: executor.report('secure').limits,
    async plan(request, { principal }) {
      const tenant = tenantFor(principal, request.tenant, o.defaultTenant);
      const mayRun = holdsScope(principal, 'runs:write');
      const context = mayRun ? planContext : { ...planContext, storedSecret: refuseToLookUp };
      return answerPlan(await resolvePlan({ ...request, tenant }, context), { catalog, dispatcher, ...o.policy });
    },
    addArgumentErrors: (body, errors) => addArgumentErrors(body, catalog, errors),
    createRun,
    schedules,
    secrets,
    rotateKey: createKeyRotation(o).rotate,
    refusals,
    rerun,
    cancel: cancels.cancel,
    async approve(runId, { step_id: stepId, decision, comment = null }, { principal }) {
      await store.runs.assertThere(runId, principal);
      const controller = dispatcher.controllerOf(runId);
      if (controller) return controller.approve(stepId, { decision, by: principal.name, comment });
      if (!resumption.isDone) throw new Problem('not-ready', 'The server is taking up what it left running.');
      const { status = 'gone' } = (await store.runs.summary(runId)) ?? {};
      throw new Problem('approval-not-pending', `The run '${runId}' is ${status}.`);
    },
    queue() {
      const { globalConcurrency, jobConcurrency, maxDepth } = o.limits;
      return { globalConcurrency, jobConcurrency, maxDepth, depth: dispatcher.depth, running: dispatcher.running };
    },
    health() {
      const failure = store.db.failure();
      const lack = lackOfRoom(o.execution.runsDir);
      const { isFull } = dispatcher;
      const complaint = resumption.isLate()
        ? 'nothing starts before what the server left running is taken up'
        : reaper.complaint();
      const profile = executor.report(o.policy.defaultProfile);
      return {
        database: failure === null ? { status: 'ok' } : { status: 'failing', detail: failure },
        disk: lack === null ? { status: 'ok' } : { status: 'failing', detail: lack },
        queue: isFull
          ? { status: 'degraded', detail: `${dispatcher.depth} runs wait, as many as allowed` }
          : complaint === null
            ? { status: 'ok' }
            : { status: 'degraded', detail: complaint },
        isolation: profile.available
          ? { status: 'ok' }
          : { status: 'degraded', detail: profile.detail ?? 'unavailable' },
      };
    },
    start(only) {
      if (!only) schedules.start();
      resumption.start(only);
    },
    attend: resumption.attend,
    startNoRuns: dispatcher.startNoRuns,
    endWaits: ends.close,
    async close() {
      ends.close();
      stopping.abort();
      resumption.giveUp();
      await schedules.close();
      await reaper.stop();
      // What is being resumed may wait for a disk that is full: it is let go of, too.
      await dispatcher.stop();
      await resumption.settled();
      await dispatcher.stop();
      await folders.settled();
      await refusals.close();
    },
  };
}
