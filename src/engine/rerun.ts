// Runs again what has ended: from the start, from what failed, or from a step. What is kept of the old run are the rows of
// steps that succeeded, with their outputs, and a copy of its workspace.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Catalog } from '../catalog/catalog.ts';
import type { Snapshots } from '../catalog/source/snapshot.ts';
import type { JobDefinition } from '../domain/job.ts';
import { tighterProfile } from '../domain/policy.ts';
import { Problem } from '../domain/problem.ts';
import { isFinished } from '../domain/run.ts';
import type { Clock } from '../lib/clock.ts';
import { createId } from '../lib/ids.ts';
import type { Logger } from '../lib/logger.ts';
import type { Store } from '../store/open.ts';
import { runNotFound, type StoredRun } from '../store/run/runs.ts';
import { type Addition, type AddRun, type Caller, onConflictOf } from './create.ts';
import { keptRows, keptStart } from './kept-steps.ts';
import type { Created, KeepAnswer, Once } from './once.ts';
import type { GroundedPlan } from './plan/ground.ts';
import { argumentsOfRerun, type RerunRequest } from './plan/rerun-arguments.ts';
import { type PlanContext, resolveEntry } from './plan/resolve.ts';
import type { Queue } from './queue/queue.ts';
import type { Refusals } from './refusals.ts';
import { copyWorkspace } from './run/copy-workspace.ts';
import { removeRunFolder } from './run/run-folders.ts';
import { reopenSecrets } from './run/run-secrets.ts';
import { refuseDenied } from './run-audit.ts';
import type { Sealer } from './secrets/seal.ts';

export type Rerun = (runId: string, request: RerunRequest, caller: Caller, idempotencyKey?: string) => Promise<Created>;

export function createRerun(
  o: PlanContext & {
    readonly store: Store;
    readonly catalog: Catalog;
    readonly snapshots: Snapshots;
    readonly sealer: Sealer;
    readonly clock: Clock;
    readonly log: Logger;
    readonly queue: Queue;
    readonly runsDir: string;
    readonly refusals: Pick<Refusals, 'add'>;
    readonly once: Once;
    readonly add: AddRun;
  },
): Rerun {
  const { store, sealer, runsDir } = o;

  return async (runId, request, caller, idempotencyKey) => {
    const { tenant } = await store.runs.assertThere(runId, caller.principal);
    if (idempotencyKey === undefined) return rerun(runId, request, caller);
    const body = { rerun: runId, ...request };
    return o.once({ tenant, key: idempotencyKey, body }, (keep) => rerun(runId, request, caller, keep));
  };

  async function rerun(runId: string, request: RerunRequest, caller: Caller, keep?: KeepAnswer): Promise<Created> {
    const stored = await store.runs.execution(runId);
    if (!stored) throw runNotFound(runId);
    const { run: old, plan: oldPlan } = stored;
    if (!isFinished(old.status)) throw new Problem('run-not-finished', `The run '${runId}' is ${old.status}.`);
    const now = o.catalog.find(old.job_id);
    const isLatest = request.revision === 'latest';
    if (!isLatest && !existsSync(o.snapshots.dirOf(oldPlan.revision))) {
      throw new Problem('revision-expired', `The files of '${old.job_id}' as they were for '${runId}' are gone.`);
    }
    // Whether its job may run at all is today's word, whatever stood in the old one's file.
    const { enabled } = now.definition;
    const entry = isLatest ? now : { ...now, definition: { ...oldPlan.job, enabled } };
    const again = argumentsOfRerun(request, {
      stored,
      before: reopenSecrets(stored, sealer),
      job: entry.definition,
      caller: caller.principal.name,
    });
    // What the caller of the old run had tightened stays so; what the job has tightened since holds too.
    const profileOf = ({ securityProfile }: JobDefinition) => securityProfile ?? o.policy.defaultProfile;
    const base = tighterProfile(profileOf(entry.definition), profileOf(now.definition));
    const security_profile = tighterProfile(oldPlan.profile, base);
    const asked = { job_id: old.job_id, tenant: old.tenant, args: again.args, security_profile };
    const resolved = await resolveEntry(entry, asked, o, again.before);
    const plan = { ...resolved, storedArgs: { ...again.storedArgs, ...resolved.storedArgs } };
    if (!plan.denied) caller.countRun?.(plan.profile);
    const id = createId('run', o.clock.now());
    const { steps } = entry.definition;
    const { from = 'start' } = request;
    const kept = keptRows(stored, steps, from);
    const addition: Addition = {
      id,
      tenant: old.tenant,
      caller: { name: caller.principal.name, trigger: 'rerun', requestId: caller.requestId, from: caller.from },
      labels: old.labels,
      priority: old.priority,
      parent: null,
      rerunOf: runId,
      secretsBy: again.secretsBy,
      ...(isLatest ? {} : { revision: oldPlan.revision }),
      ...(kept.length === 0 ? {} : { start: (run) => keptStart({ stored, kept, steps, run, sealer }) }),
      alongside: async (tx, newId, body) => keep?.add(tx, newId, { status: 201, body }),
    };
    const add = async (): Promise<Created> => ({ status: 201, ...(await o.add(plan, addition)), replayed: false });
    if (from === 'start' || !leftWorkspace(stored)) return add();
    // What can be told before it is: a copy may be large.
    await refuse(plan, addition);
    try {
      await copyWorkspace(join(runsDir, runId), join(runsDir, id), o.log);
      return await add();
    } catch (error) {
      await removeRunFolder(join(runsDir, id), o.log);
      throw error;
    }
  }

  async function refuse(plan: GroundedPlan, addition: Addition): Promise<void> {
    refuseDenied(plan, addition, o.refusals);
    const { refused } = await o.queue.outlook(plan.group, onConflictOf(plan));
    if (refused) throw refused;
  }
}

/** That of a run without steps goes with its end, and where no script has run there was none. */
function leftWorkspace({ plan, attempts }: StoredRun): boolean {
  return (
    plan.job.composition === 'steps' &&
    attempts.some(({ kind, started_at }) => kind === 'command' && started_at !== null)
  );
}
