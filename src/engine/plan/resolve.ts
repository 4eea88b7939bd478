// Plans a run and checks the plan against this host in one go: a server that runs jobs itself does both in a request.

import type { CatalogEntry } from '../../catalog/catalog.ts';
import type { RunSecrets } from '../run/run-secrets.ts';
import { type GroundedPlan, ground, type Host } from './ground.ts';
import { type PlanRequest, type PolicyContext, planRun } from './plan.ts';

export type PlanContext = PolicyContext & { readonly host: Host };

/**
 * @throws Problem not-ready, job-not-found, job-invalid, validation-error. Everything else that denies the run is in
 * `denied`.
 */
export async function resolvePlan(request: PlanRequest, o: PlanContext): Promise<GroundedPlan> {
  return resolveEntry(o.catalog.find(request.job_id), request, o);
}

/**
 * The same for a version of the job that the catalogue may no longer have. `before` are the secrets of the earlier run.
 */
export async function resolveEntry(
  entry: CatalogEntry,
  request: PlanRequest,
  o: PlanContext,
  before?: RunSecrets,
): Promise<GroundedPlan> {
  return ground(await planRun(entry, request, o, before), o.host);
}
