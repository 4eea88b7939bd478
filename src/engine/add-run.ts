// Adds a run: asks the queue whether it may start, takes a snapshot of the job, and stores the run in one transaction.
// From then on the run cannot be lost.

import type { Snapshots } from '../catalog/source/snapshot.ts';
import type { Concurrency, JobDefinition } from '../domain/job.ts';
import { type ChannelRule, type NotifyRule, rulesFor, type ScheduleHeartbeat } from '../domain/notification.ts';
import { runAsRequester } from '../domain/outcome/cancel-request.ts';
import type { Starter } from '../domain/principal.ts';
import type { RunStatus } from '../domain/run.ts';
import type { TraceParent } from '../domain/trigger/trace.ts';
import { toTimestamp } from '../lib/clock.ts';
import { errorCode } from '../lib/error-code.ts';
import { unusableFolder } from '../lib/files/unusable-folder.ts';
import { createId } from '../lib/ids.ts';
import type { Transaction } from '../store/database.ts';
import type { RunClaim } from '../store/run/run-moves.ts';
import type { NewRun } from '../store/run/runs.ts';
import { ownTrace } from '../store/run/span-ids.ts';
import type { NewStep, StepStart } from '../store/run/step-moves.ts';
import { unwritable } from '../store/storage-error.ts';
import { assertCurrent } from './current-job.ts';
import { withAgentApproval } from './plan/agent-approval.ts';
import type { GroundedPlan } from './plan/ground.ts';
import type { Queue } from './queue/queue.ts';
import type { Refusals } from './refusals.ts';
import type { ControllerContext, ControllerSource } from './run/run-context.ts';
import { sealSecrets } from './run/run-secrets.ts';
import { createRunState, type RunState } from './run/run-state.ts';
import { createStepInstances, toNewStep } from './run/step-instances.ts';
import type { RunFacts } from './run/step-values.ts';
import { creationOf, type RunOrigin, refuseDenied } from './run-audit.ts';
import type { RunRegister } from './run-register.ts';

/** What a run needs besides its plan. */
export type Addition = RunOrigin & {
  /** The id of the run; by default, a new id. */
  readonly id?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly priority: number;
  readonly depth?: number;
  /** Who gave the secrets; by default, the caller. */
  readonly secretsBy?: string;
  /** The trace of the run; by default, the run begins a new one. */
  readonly traceParent?: TraceParent | undefined;
  /** An earlier snapshot of the job; by default, a new one. */
  readonly revision?: string;
  readonly starter: Starter | undefined;
  /** Whether the run waits for a person before its first step. */
  readonly asksPerson?: boolean;
  /** The steps to start with, if some of them have ended in an earlier run. */
  readonly start?: (run: RunFacts) => FirstSteps;
  /** Runs in the transaction that adds the run. */
  readonly alongside: (tx: Transaction, runId: string, answerBody: string) => Promise<void>;
};

export type FirstSteps = { readonly steps: readonly NewStep[]; readonly state: () => RunState };

/** Adds a run, and starts it if there is a free slot. Returns its id and the body of the 201. */
export type AddRun = (
  plan: GroundedPlan,
  addition: Addition,
) => Promise<{ readonly runId: string; readonly body: string }>;

/** @throws Problem that says why the plan is denied; queue-full, concurrency-conflict, not-ready; JobChanged */
export function createAddRun(o: {
  readonly context: Pick<ControllerContext, 'store' | 'disk' | 'ownFolders' | 'sealer' | 'clock'>;
  readonly snapshots: Snapshots;
  readonly queue: Queue;
  readonly register: RunRegister;
  readonly refusals: Pick<Refusals, 'add'>;
  readonly cancel: (runId: string, by: string) => void;
  /** The rules of flwd.yaml for notifications. */
  readonly notifyRules: readonly ChannelRule[];
  /** Resolves when the queue knows all runs. @throws Problem not-ready */
  readonly untilResumed: () => Promise<void>;
}): AddRun {
  const { queue } = o;
  const { store, disk, sealer, clock } = o.context;
  return async (plan, addition) => {
    refuseDenied(plan, addition, o.refusals);
    const lack = disk.whyNoRunStarts();
    if (lack !== null) throw unwritable(lack);
    const onConflict = addition.asksPerson ? withoutCancel(onConflictOf(plan)) : onConflictOf(plan);
    if (onConflict !== 'queue') await o.untilResumed();
    const revision = addition.revision ?? (await takeSnapshot(plan, o));
    // From here to the transaction, await nothing but the admission: runs must be stored in the order in which they
    // were admitted.
    const draft = draftOf(plan, addition, revision, { createdAtMs: clock.now(), notifyRules: o.notifyRules });
    const { facts, row } = draft;
    const { id, jobId, tenant, priority, createdAtMs } = row;
    const run = { id, jobId, tenant, priority, trigger: facts.trigger.type, createdAtMs, concurrency: plan.group };
    const admission = await queue.admit({ ...run, onConflict });
    const waiting = admission.kind === 'wait' ? admission.waiting : null;
    const status: RunStatus = waiting === null ? 'running' : 'pending';
    const body = JSON.stringify({ run_id: id, job_id: jobId, status, created_at: facts.created_at });
    const add = async (tx: Transaction, claim?: RunClaim, starts?: ReadonlyMap<string, StepStart>): Promise<void> => {
      await addition.alongside(tx, id, body);
      const steps = starts ? row.steps.map((step) => ({ ...step, start: starts.get(step.step_id) })) : row.steps;
      await store.runs.add(tx, { ...row, steps, waiting, sealed: sealSecrets(plan, id, sealer) }, claim);
      tx.record(creationOf(plan, addition, id));
    };
    try {
      if (admission.kind === 'start') {
        // One commit adds the run and claims its slot, so there is only one fsync between the request and the script.
        await o.register.begin(toNewSource(plan, draft), admission, add);
      } else {
        await store.db.transact((tx) => add(tx));
        await queue.add({ ...run, waiting });
      }
    } catch (error) {
      admission.giveUp();
      throw error;
    }
    for (const other of admission.replaced) o.cancel(other, runAsRequester(id));
    return { runId: id, body };
  };
}

/** @throws Problem not-ready if somebody has replaced a folder since the disk watch last looked; JobChanged */
async function takeSnapshot({ entry }: GroundedPlan, o: Parameters<typeof createAddRun>[0]): Promise<string> {
  try {
    const snapshot = await o.snapshots.take(entry);
    assertCurrent(entry, snapshot);
    return snapshot.revision;
  } catch (error) {
    const lack = errorCode(error) === undefined ? null : unusableFolder(o.context.ownFolders);
    throw lack === null ? error : unwritable(lack);
  }
}

/** Nobody has allowed the run yet, so it must not end another run. */
function withoutCancel(onConflict: Concurrency['onConflict']): Concurrency['onConflict'] {
  return onConflict === 'cancel_running' ? 'queue' : onConflict;
}

export function onConflictOf({ entry }: GroundedPlan): Concurrency['onConflict'] {
  return entry.definition.concurrency?.onConflict ?? 'queue';
}

/** A run before it is stored. */
type Draft = {
  readonly facts: ControllerSource['run'];
  readonly row: Omit<NewRun, 'waiting' | 'sealed'>;
  readonly state: () => RunState;
};

function draftOf(
  plan: GroundedPlan,
  addition: Addition,
  revision: string,
  { createdAtMs, notifyRules }: { readonly createdAtMs: number; readonly notifyRules: readonly ChannelRule[] },
): Draft {
  const { profile, network, isSandboxed, runAs, resources, read, write, kv, resolvedArgs, storedArgs, args, group } =
    plan;
  const { definition, source } = plan.entry;
  const job = {
    ...definition,
    timeouts: { ...definition.timeouts, runMs: plan.runTimeoutMs },
    ...(addition.asksPerson && { steps: withAgentApproval(definition.steps, addition.caller.name) }),
  };
  const { depth = 0, caller, tenant, priority, labels, rerunOf, parent, starter, traceParent } = addition;
  const { secretsBy = caller.name, id = createId('run', createdAtMs) } = addition;
  const trigger = { type: caller.trigger, ...caller.cause };
  const created = { created_by: caller.name, created_at: toTimestamp(createdAtMs) };
  const security = { profile, isolation: plan.isolation };
  const trace = traceParent ?? ownTrace(id);
  const facts = { run_id: id, job_id: job.id, tenant, args, trigger, ...created, labels, priority, security, trace };
  const { steps, state } = addition.start?.(facts) ?? firstSteps(job, facts);
  const granted = { profile, network, isSandboxed, runAs, resources, read, write, kv, resolvedArgs };
  const { name, trusted, mayUse } = source;
  const untrustedSource = trusted ? undefined : { name, trusted, ...(mayUse && { mayUse }) };
  const row = {
    id,
    jobId: job.id,
    tenant,
    createdAtMs,
    args,
    labels,
    priority,
    trigger,
    steps,
    rerunOf,
    parent,
    traceParent,
    createdBy: caller.name,
    requestId: caller.requestId,
    source: { name: source.name, type: source.type, revision },
    security,
    grants: plan.grants,
    limits: plan.limits,
    plan: {
      job,
      revision,
      depth,
      ...granted,
      storedArgs,
      secretsBy,
      ...(starter && { starter }),
      ...(untrustedSource && { untrustedSource }),
    },
    concurrency: { limit: group.limit, key: group.key },
    notify: [...rulesFor(job.id, job.notify, notifyRules), ...heartbeatRule(caller.heartbeat)],
  };
  return { facts, row, state };
}

function heartbeatRule(heartbeat: ScheduleHeartbeat | undefined): NotifyRule[] {
  return heartbeat ? [{ heartbeat, on: ['success'] }] : [];
}

function firstSteps(job: JobDefinition, run: RunFacts): FirstSteps {
  const instances = createStepInstances(job.steps, job.title ?? job.name);
  const steps = instances.flatMap((instance) => {
    const step = job.steps[instance.index];
    return step ? [toNewStep(instance, step)] : [];
  });
  return { steps, state: () => createRunState({ job, run, instances, ended: [] }) };
}

/** What a run controller needs to drive a run that has not started. */
function toNewSource({ secrets, alsoRedacted }: GroundedPlan, { facts, row, state }: Draft): ControllerSource {
  return {
    run: facts,
    plan: row.plan,
    secrets,
    alsoRedacted,
    state: state(),
    terminations: [],
    isCancelRequested: false,
    epoch: 0,
    deadlineAtMs: null,
    latestAtMs: row.createdAtMs,
  };
}
