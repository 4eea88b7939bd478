// Runs a run again once it has ended: from the start, from what failed, or from a given step. A rerun keeps the rows
// and outputs of steps that succeeded, and works on a copy of the workspace.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Catalog, type CatalogEntry, findReached } from '../catalog/catalog.ts';
import type { Snapshots } from '../catalog/source/snapshot.ts';
import type { JobDefinition } from '../domain/job.ts';
import { tighterProfile, type UsingSource } from '../domain/policy.ts';
import { type Principal, starterOf } from '../domain/principal.ts';
import { Problem } from '../domain/problem.ts';
import { isFinished } from '../domain/run.ts';
import { jobUser } from '../exec/job-user.ts';
import { createId } from '../lib/ids.ts';
import { runNotFound, type StoredRun } from '../store/run/runs.ts';
import { type Addition, type AddRun, onConflictOf } from './add-run.ts';
import type { Caller } from './create.ts';
import { ofCurrentJob } from './current-job.ts';
import { keptRows, keptStart } from './kept-steps.ts';
import { type Created, type KeepAnswer, keyOf, type Once } from './once.ts';
import { asksPerson, withAgentApproval, withoutAgentApproval } from './plan/agent-approval.ts';
import { type GroundedPlan, type PlanContext, resolveEntry } from './plan/ground.ts';
import { argumentsOfRerun, type RerunRequest } from './plan/rerun-arguments.ts';
import type { Queue } from './queue/queue.ts';
import type { Refusals } from './refusals.ts';
import { copyWorkspace } from './run/copy-workspace.ts';
import type { ControllerContext } from './run/run-context.ts';
import { removeRunFolder } from './run/run-folders.ts';
import { reopenSecrets } from './run/run-secrets.ts';
import { refuseDenied } from './run-audit.ts';

export type Rerun = (runId: string, request: RerunRequest, caller: Caller, idempotencyKey?: string) => Promise<Created>;

type Parts = {
  readonly context: Pick<ControllerContext, 'store' | 'sealer' | 'clock' | 'log' | 'runsDir'>;
  readonly planContext: PlanContext;
  readonly snapshots: Snapshots;
  readonly queue: Queue;
  readonly refusals: Pick<Refusals, 'add'>;
  readonly once: Once;
  readonly add: AddRun;
};

export function createRerun(o: Parts): Rerun {
  const { store, clock, log, runsDir } = o.context;

  return async (runId, request, caller, idempotencyKey) => {
    const { tenant } = await store.runs.assertThere(runId, caller.principal);
    const make = (keep?: KeepAnswer): Promise<Created> =>
      ofCurrentJob(o.planContext.catalog, () => rerun(runId, request, caller, keep));
    if (idempotencyKey === undefined) return make();
    const body = { rerun: runId, ...request };
    return o.once({ tenant, key: keyOf(idempotencyKey, caller.principal), body }, make);
  };

  async function rerun(runId: string, request: RerunRequest, caller: Caller, keep?: KeepAnswer): Promise<Created> {
    const stored = await store.runs.execution(runId);
    if (!stored) throw runNotFound(runId);
    const { status } = stored.run;
    if (!isFinished(status)) throw new Problem('run-not-finished', `The run '${runId}' is ${status}.`);
    const { plan, ...again } = await planAgain(stored, request, caller, o);
    const id = createId('run', clock.now());
    const addition: Addition = {
      id,
      ...again,
      alongside: async (tx, newId, body) => keep?.add(tx, newId, { status: 201, body }),
    };
    const add = async (): Promise<Created> => ({ status: 201, ...(await o.add(plan, addition)), replayed: false });
    if ((request.from ?? 'start') === 'start' || !leftWorkspace(stored)) return add();
    // A copy may be large, so everything that can be refused is refused before it is made.
    await refuse(plan, addition);
    try {
      const isSame = plan.runAs?.uid === stored.plan.runAs?.uid;
      const owner = isSame ? null : jobUser(plan.profile, plan.runAs);
      await copyWorkspace(join(runsDir, runId), join(runsDir, id), { log, owner });
      return await add();
    } catch (error) {
      await removeRunFolder(join(runsDir, id), log);
      throw error;
    }
  }

  async function refuse(plan: GroundedPlan, addition: Addition): Promise<void> {
    refuseDenied(plan, addition, o.refusals);
    const { refused } = await o.queue.outlook(plan.group, onConflictOf(plan));
    if (refused) throw refused;
  }
}

/**
 * Plans the new run: the old or the newest revision of the job, with the old and the new arguments, and without the
 * steps that are kept.
 */
async function planAgain(
  stored: StoredRun,
  request: RerunRequest,
  caller: Caller,
  { context, planContext, snapshots }: Parts,
): Promise<{ readonly plan: GroundedPlan } & Omit<Addition, 'id' | 'alongside'>> {
  const { run: old, plan: oldPlan } = stored;
  const { sealer } = context;
  const now = jobNow(old.job_id, caller.principal, planContext.catalog);
  const isLatest = request.revision === 'latest';
  if (!isLatest && !existsSync(snapshots.dirOf(oldPlan.revision))) {
    throw new Problem(
      'revision-expired',
      `flwd no longer has the files of '${old.job_id}' as they were for '${old.run_id}'.`,
    );
  }
  // The job's current file decides whether it may run at all, whatever the old file said.
  const { enabled } = now.definition;
  const steps = withoutAgentApproval(oldPlan.job.steps);
  const entry = isLatest ? now : { ...now, definition: { ...oldPlan.job, steps, enabled } };
  const { name } = caller.principal;
  refuseOtherSource(stored, now.source, request);
  const again = argumentsOfRerun(request, {
    stored,
    before: reopenSecrets(stored, sealer),
    job: entry.definition,
    caller: name,
  });
  // A stricter profile still applies, whether the old caller chose it or the job has chosen it since.
  const profileOf = ({ securityProfile }: JobDefinition) => securityProfile ?? planContext.policy.defaultProfile;
  const base = tighterProfile(profileOf(entry.definition), profileOf(now.definition));
  const security_profile = tighterProfile(oldPlan.profile, base);
  const by = caller.principal;
  const asked = { job_id: old.job_id, tenant: old.tenant, args: again.args, security_profile, by };
  const before = { ...again.before, storedArgs: again.storedArgs };
  const plan = await resolveEntry(entry, asked, planContext, before);
  if (!plan.denied) caller.countRun?.(plan.profile);
  const asks = asksPerson(by, now.definition);
  const own = entry.definition.steps;
  const kept = keptRows(stored, own, request.from ?? 'start');
  return {
    plan,
    tenant: old.tenant,
    caller: { name, trigger: 'rerun', requestId: caller.requestId, from: caller.from },
    labels: old.labels,
    priority: old.priority,
    parent: null,
    rerunOf: old.run_id,
    traceParent: caller.traceParent,
    starter: starterOf(by),
    asksPerson: asks,
    secretsBy: again.secretsBy,
    ...(isLatest ? {} : { revision: oldPlan.revision }),
    ...(kept.length === 0
      ? {}
      : {
          start: (run) => keptStart({ stored, kept, steps: asks ? withAgentApproval(own, by.name) : own, run, sealer }),
        }),
  };
}

/**
 * The caller may see the run. So if its job is not found, the job no longer exists.
 * @throws Problem like `findReached`
 */
function jobNow(id: string, caller: Principal, catalog: Catalog): CatalogEntry {
  try {
    return findReached(id, caller, catalog);
  } catch (error) {
    if (!(error instanceof Problem && error.slug === 'job-not-found')) throw error;
    const missing = catalog.missing();
    const where =
      missing.length === 0 ? '' : ` The folders of these sources are missing or cannot be read: ${missing.join(', ')}.`;
    throw new Problem(
      'job-not-found',
      `The job '${id}' no longer exists. The present config.yaml of a job decides whether an old revision may run, so put the job back first.${where}`,
    );
  }
}

/**
 * Separates an untrusted source from all other sources. Its old code must not get what another source may use. Its new
 * code must not get what a run of another source left behind.
 */
function refuseOtherSource({ run, plan }: StoredRun, source: UsingSource, { from, revision }: RerunRequest): void {
  const { untrustedSource: before } = plan;
  const isLatest = revision === 'latest';
  const isSame = source.trusted ? !before : before?.name === source.name;
  if (isSame) return;
  const why =
    before && !isLatest
      ? `came from the source '${before.name}', which was not trusted, and the job now comes from '${source.name}'${source.trusted ? ', which is trusted' : ''}: run its latest revision`
      : !source.trusted && isLatest && (from ?? 'start') !== 'start'
        ? `may have left files that the source '${source.name}', which is not trusted, must not see: run it from the start`
        : undefined;
  if (why !== undefined) throw new Problem('source-untrusted', `The run '${run.run_id}' ${why}.`);
}

/**
 * Whether the run left a workspace. A run without steps removes its workspace when it ends, and a run without a script
 * never had one.
 */
function leftWorkspace({ plan, attempts }: StoredRun): boolean {
  return (
    plan.job.composition === 'steps' &&
    attempts.some(({ kind, started_at }) => kind === 'command' && started_at !== null)
  );
}
