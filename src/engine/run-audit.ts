// What the audit log says of a run that was created, and of one that policy refused.

import type { AuditDetail, NewAuditEntry } from '../domain/audit.ts';
import type { Run, Trigger } from '../domain/run.ts';
import type { GroundedPlan } from './plan/ground.ts';
import type { Refusals } from './refusals.ts';

type Asked = {
  readonly tenant: string;
  readonly caller: {
    readonly name: string;
    readonly trigger: Trigger['type'];
    readonly requestId: string;
    readonly from?: string | undefined;
  };
  readonly rerunOf: string | null;
  readonly parent: Run['parent'];
};

export function creationOf(plan: GroundedPlan, asked: Asked, runId: string): NewAuditEntry {
  return { ...entryOf(plan, asked, runId), result: 'done', reason: null };
}

/** @throws Problem what stands in the way of the run */
export function refuseDenied(plan: GroundedPlan, asked: Asked, refusals: Pick<Refusals, 'add'>): void {
  const { denied } = plan;
  if (!denied) return;
  const entry = entryOf(plan, asked, null);
  // What would have been granted was not.
  const { grants: _, ...rest }: AuditDetail = entry.detail;
  const detail = { ...rest, message: denied.message };
  refusals.add({ ...entry, result: 'refused', reason: denied.slug, detail }, denied);
  throw denied;
}

function entryOf({ decision }: GroundedPlan, { tenant, caller, rerunOf, parent }: Asked, runId: string | null) {
  const { trigger } = caller;
  return {
    actor: caller.name,
    tenant,
    action: 'run.create',
    object: { kind: 'run', id: runId },
    from: caller.from ?? null,
    requestId: caller.requestId,
    detail: { ...decision, trigger, ...(rerunOf !== null && { rerun_of: rerunOf }), ...(parent && { parent }) },
  } as const;
}
