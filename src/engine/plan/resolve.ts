// Plans a run and grounds it on this host, in one go: a server that runs jobs itself does both in a request.

import type { CatalogEntry } from '../../catalog/catalog.ts';
import type { RunSecrets } from '../run/run-secrets.ts';
import { type GroundedPlan, ground, type Host } from './ground.ts';
import { type PlanRequest, type PolicyContext, planRun } from './plan.ts';

export type PlanContext = PolicyContext & { readonly host: Host };

/**
 * @throws Problem not-ready, job-not-found, job-invalid, validation-error. Everything that only stands in the way of
 * starting it is in `denied`.
 */
export async function resolvePlan(request: PlanRequest, o: PlanContext): Promise<GroundedPlan> {
  return resolveEntry(o.catalog.find(request.job_id), request, o);
}

/** The same for a job that may be another than the catalogue has by now; `before` are the secrets of the run it follows. */
export async function resolveEntry(
  entry: CatalogEntry,
  request: PlanRequest,
  o: PlanContext,
  before?: RunSecrets,
): Promise<GroundedPlan> {
  return ground(await planRun(entry, request, o, before), o.host);
}
