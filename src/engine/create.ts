// Creates runs: plan, idempotency, snapshot, and the one transaction after which a run is never lost.

import type { Snapshots } from '../catalog/source/snapshot.ts';
import type { Concurrency, JobDefinition, SecurityProfile } from '../domain/job.ts';
import { type Principal, tenantFor } from '../domain/principal.ts';
import { Problem } from '../domain/problem.ts';
import type { Run, RunPlan, RunStatus, Trigger } from '../domain/run.ts';
import { type Clock, toTimestamp } from '../lib/clock.ts';
import { lackOfRoom } from '../lib/files/disk-room.ts';
import { createId } from '../lib/ids.ts';
import type { Logger } from '../lib/logger.ts';
import type { Transaction } from '../store/database.ts';
import type { Store } from '../store/open.ts';
import type { NewRun } from '../store/run/runs.ts';
import type { NewStep } from '../store/run/step-moves.ts';
import { storageProblem, unwritable } from '../store/storage-error.ts';
import type { Ends } from './ends.ts';
import { asItStands, type Created, type KeepAnswer, type Once } from './once.ts';
import type { GroundedPlan } from './plan/ground.ts';
import type { PlanRequest, RunRequest } from './plan/plan.ts';
import type { Queue } from './queue/queue.ts';
import type { Refusals } from './refusals.ts';
import type { ControllerSource } from './run/run-context.ts';
import { sealSecrets } from './run/run-secrets.ts';
import { createRunState, type RunState } from './run/run-state.ts';
import { createStepInstances, toNewStep } from './run/step-instances.ts';
import type { RunFacts } from './run/step-values.ts';
import { creationOf, refuseDenied } from './run-audit.ts';
import type { RunRegister } from './run-register.ts';
import type { Sealer } from './secrets/seal.ts';

export type Caller = {
  readonly principal: Principal;
  readonly trigger: Trigger['type'];
  readonly requestId: string;
  /** Counts a run in the profile that is about to be created. @throws Problem rate-limited */
  readonly countRun?: (profile: SecurityProfile) => void;
  /** The peer's address, where there is one. */
  readonly from?: string | undefined;
};

/** Written in the transaction that adds the run: what it throws undoes both. Awaits nothing but queries of the transaction. */
export type Alongside = (tx: Transaction, runId: string) => Promise<void>;

export type CreateRun = (
  body: RunRequest,
  caller: Caller,
  idempotencyKey?: string,
  alongside?: Alongside,
) => Promise<Created>;

/** How a run is added; all that is not about HTTP. */
export type Addition = {
  /** Made where it is not given. */
  readonly id?: string;
  readonly tenant: string;
  readonly caller: Pick<Caller, 'trigger' | 'requestId' | 'from'> & { readonly name: string };
  readonly labels: Readonly<Record<string, string>>;
  readonly priority: number;
  readonly parent: Run['parent'];
  readonly depth?: number;
  readonly rerunOf: string | null;
  /** Who gave its secrets; the caller, where it is not said. */
  readonly secretsBy?: string;
  /** The job as it was: the snapshot to run instead of one taken now. */
  readonly revision?: string;
  /** The steps as they stand at the start, where some have ended in an earlier run. */
  readonly start?: (run: RunFacts) => { readonly state: RunState; readonly steps: readonly NewStep[] };
  readonly alongside: (tx: Transaction, runId: string, answerBody: string) => Promise<void>;
};

/** Adds a run of a plan, started where there is a slot; answers its id and the body of the 201. */
export type AddRun = (
  plan: GroundedPlan,
  addition: Addition,
) => Promise<{ readonly runId: string; readonly body: string }>;

type Request = {
  readonly body: RunRequest;
  readonly caller: Caller;
  readonly tenant: string;
  /** How its answer is kept, where there is a key for it. */
  readonly keep: KeepAnswer | undefined;
  readonly alongside: Alongside | undefined;
};

export function createRuns(o: {
  readonly store: Store;
  readonly log: Logger;
  readonly once: Once;
  readonly ends: Ends;
  readonly defaultTenant: string;
  readonly syncWaitMs: number;
  readonly resolve: (request: PlanRequest) => Promise<GroundedPlan>;
  readonly add: AddRun;
}): CreateRun {
  const { store } = o;
  return async (body, caller, idempotencyKey, alongside) => {
    const tenant = tenantFor(caller.principal, body.tenant, o.defaultTenant);
    const request = { body, caller, tenant, alongside };
    try {
      if (idempotencyKey === undefined) return await create({ ...request, keep: undefined });
      return await o.once({ tenant, key: idempotencyKey, body }, (keep) => create({ ...request, keep }));
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

  async function create({ body: asked, caller, tenant, keep, alongside }: Request): Promise<Created> {
    const plan = await o.resolve({ ...asked, tenant });
    if (!plan.denied) caller.countRun?.(plan.profile);
    const { runId: id, body } = await o.add(plan, {
      tenant,
      caller: { ...caller, name: caller.principal.name },
      labels: { ...asked.labels },
      priority: asked.priority ?? 0,
      parent: null,
      rerunOf: null,
      async alongside(tx, runId, answerBody) {
        await alongside?.(tx, runId);
        await keep?.add(tx, runId, asked.async === false ? null : { status: 201, body: answerBody });
      },
    });
    if (asked.async !== false) return { status: 201, body, runId: id, replayed: false };
    await o.ends.wait(id, o.syncWaitMs);
    const answer = await asItStands(store, id);
    await keep?.answer({ status: answer.status, body: answer.body });
    return answer;
  }
}

/** @throws Problem what stands in the way of the run, queue-full, concurrency-conflict, not-ready */
export function createAddRun(o: {
  readonly store: Store;
  readonly runsDir: string;
  readonly snapshots: Snapshots;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly queue: Queue;
  readonly register: RunRegister;
  readonly refusals: Pick<Refusals, 'add'>;
  readonly cancel: (runId: string) => void;
  /** All runs there are have their place. @throws Problem not-ready */
  readonly untilResumed: () => Promise<void>;
}): AddRun {
  const { store, queue } = o;
  return async (plan, addition) => {
    refuseDenied(plan, addition, o.refusals);
    const lack = lackOfRoom(o.runsDir);
    if (lack !== null) throw unwritable(lack);
    const onConflict = onConflictOf(plan);
    if (onConflict !== 'queue') await o.untilResumed();
    const revision = addition.revision ?? (await o.snapshots.take(plan.entry)).revision;
    // From here to the transaction only the admission is awaited: runs are stored in the order in which they are admitted.
    const draft = draftOf(plan, addition, { revision, createdAtMs: o.clock.now() });
    const { id, createdAtMs, facts } = draft;
    const { tenant, priority, caller } = addition;
    const pending = { id, jobId: facts.job_id, tenant, priority, trigger: caller.trigger, createdAtMs };
    const run = { ...pending, concurrency: plan.group };
    const admission = await queue.admit({ ...run, onConflict });
    const waiting = admission.kind === 'wait' ? admission.waiting : null;
    const status: RunStatus = waiting === null ? 'running' : 'pending';
    const body = JSON.stringify({ run_id: id, job_id: facts.job_id, status, created_at: facts.created_at });
    const add = async (tx: Transaction): Promise<void> => {
      await addition.alongside(tx, id, body);
      await store.runs.add(tx, toNewRun(plan, addition, draft, { waiting, sealed: sealSecrets(plan, id, o.sealer) }));
      tx.record(creationOf(plan, addition, id));
    };
    try {
      if (admission.kind === 'start') {
        // A free slot is claimed in the same commit: one fsync between the request and the script.
        await o.register.begin(toNewSource(plan, draft), admission, add);
      } else {
        await store.db.transact(add);
        await queue.add({ ...run, waiting });
      }
    } catch (error) {
      admission.giveUp();
      throw error;
    }
    for (const other of admission.replaced) o.cancel(other);
    return { runId: id, body };
  };
}

export function onConflictOf({ entry }: GroundedPlan): Concurrency['onConflict'] {
  return entry.definition.concurrency?.onConflict ?? 'queue';
}

/** A run before it is stored. */
type Draft = {
  readonly id: string;
  readonly createdAtMs: number;
  readonly facts: RunFacts;
  readonly plan: RunPlan;
  readonly steps: readonly NewStep[];
  readonly state: () => RunState;
};

function draftOf(
  plan: GroundedPlan,
  addition: Addition,
  { revision, createdAtMs }: { readonly revision: string; readonly createdAtMs: number },
): Draft {
  const { profile, network, isSandboxed, resources, read, write, resolvedArgs, storedArgs } = plan;
  const { definition: job } = plan.entry;
  const { depth = 0, secretsBy = addition.caller.name, tenant, priority, labels, caller } = addition;
  const id = addition.id ?? createId('run', createdAtMs);
  const facts = {
    run_id: id,
    job_id: job.id,
    tenant,
    args: plan.args,
    trigger: { type: caller.trigger },
    created_by: caller.name,
    created_at: toTimestamp(createdAtMs),
    labels,
    priority,
  };
  const granted = { profile, network, isSandboxed, resources, read, write, resolvedArgs };
  const runPlan = { job, revision, depth, ...granted, storedArgs, secretsBy };
  const begun = addition.start?.(facts);
  const beginning = begun ? { steps: begun.steps, state: () => begun.state } : firstSteps(job, facts);
  return { id, createdAtMs, facts, plan: runPlan, ...beginning };
}

function firstSteps(job: JobDefinition, run: RunFacts): Pick<Draft, 'steps' | 'state'> {
  const instances = createStepInstances(job.steps, job.title ?? job.name);
  const steps = instances.flatMap((instance) => {
    const step = job.steps[instance.index];
    return step ? [toNewStep(instance, step)] : [];
  });
  return { steps, state: () => createRunState({ job, run, instances, ended: [] }) };
}

function toNewRun(
  plan: GroundedPlan,
  { caller, parent, rerunOf }: Addition,
  draft: Draft,
  { waiting, sealed }: Pick<NewRun, 'waiting' | 'sealed'>,
): NewRun {
  const { id, createdAtMs, facts, plan: runPlan, steps } = draft;
  const { name, type } = plan.entry.source;
  return {
    id,
    jobId: facts.job_id,
    tenant: facts.tenant,
    createdAtMs,
    args: facts.args,
    sealed,
    labels: facts.labels,
    priority: facts.priority,
    trigger: facts.trigger,
    createdBy: facts.created_by,
    requestId: caller.requestId,
    source: { name, type, revision: runPlan.revision },
    security: { profile: plan.profile, isolation: plan.isolation },
    grants: plan.grants,
    limits: plan.limits,
    waiting,
    plan: runPlan,
    steps,
    concurrency: { limit: plan.group.limit, key: plan.group.key },
    rerunOf,
    parent,
  };
}

/** What driving it takes from its first step on. */
function toNewSource({ secrets, alsoRedacted }: GroundedPlan, draft: Draft): ControllerSource {
  return {
    run: draft.facts,
    plan: draft.plan,
    secrets,
    alsoRedacted,
    state: draft.state(),
    terminations: [],
    isCancelRequested: false,
    epoch: 0,
    deadlineAtMs: null,
    latestAtMs: draft.createdAtMs,
  };
}
