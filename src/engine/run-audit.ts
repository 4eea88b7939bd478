// Builds the audit entries of runs that were created, and of runs that policy refused.

import type { AuditDetail, NewAuditEntry } from '../domain/audit.ts';
import type { ScheduleHeartbeat } from '../domain/notification.ts';
import type { Run, Trigger, TriggerCause } from '../domain/run.ts';
import type { GroundedPlan } from './plan/ground.ts';
import type { Refusals } from './refusals.ts';

/** Who asked for a run, and which run it comes from. */
export type RunOrigin = {
  readonly tenant: string;
  readonly caller: {
    readonly name: string;
    readonly trigger: Trigger['type'];
    readonly cause?: TriggerCause;
    readonly heartbeat?: ScheduleHeartbeat | undefined;
    readonly requestId: string;
    readonly from?: string | undefined;
  };
  readonly rerunOf: string | null;
  readonly parent: Run['parent'];
};

export function creationOf(plan: GroundedPlan, origin: RunOrigin, runId: string): NewAuditEntry {
  return { ...entryOf(plan, origin, runId), result: 'done', reason: null };
}

/** @throws Problem that says why the run is denied */
export function refuseDenied(plan: GroundedPlan, origin: RunOrigin, refusals: Pick<Refusals, 'add'>): void {
  const { denied } = plan;
  if (!denied) return;
  const entry = entryOf(plan, origin, null);
  // The entry has no grants, because nothing was granted.
  const { grants: _, ...rest }: AuditDetail = entry.detail;
  const detail = { ...rest, message: denied.message };
  refusals.add({ ...entry, result: 'refused', reason: denied.slug, detail }, denied);
  throw denied;
}

function entryOf({ decision }: GroundedPlan, { tenant, caller, rerunOf, parent }: RunOrigin, runId: string | null) {
  const { trigger } = caller;
  return {
    actor: caller.name,
    tenant,
    action: 'run.create',
    object: { kind: 'run', id: runId },
    from: caller.from ?? null,
    requestId: caller.requestId,
    detail: {
      ...decision,
      trigger,
      ...(caller.cause?.run_id !== undefined && { after_run: caller.cause.run_id }),
      ...(caller.cause?.path !== undefined && { path: caller.cause.path }),
      ...(rerunOf !== null && { rerun_of: rerunOf }),
      ...(parent && { parent }),
    },
  } as const;
}
