// Finds the stored secrets that the sub-runs of a job would ask for and not get. Only the steps that need them would
// fail, so the run itself is not refused.

import { type Catalog, type CatalogEntry, entryOrNone } from '../../catalog/catalog.ts';
import { Problem } from '../../domain/problem.ts';
import type { SecretLookup } from './secret-references.ts';
import { storedSecretsOf } from './sub-run-check.ts';

export type MissingStepSecret = { readonly step_id: string; readonly job_id: string; readonly detail: string };

/** Looks into sub-runs of sub-runs, too. `subRunProblem` must have found nothing wrong with the job. */
export async function missingStepSecrets(
  top: CatalogEntry,
  tenant: string,
  o: { readonly catalog: Catalog; readonly storedSecret: SecretLookup },
): Promise<MissingStepSecret[]> {
  const missing: MissingStepSecret[] = [];
  const seen = new Set<string>();
  const visit = async ({ definition: job }: CatalogEntry): Promise<void> => {
    if (seen.has(job.id)) return;
    seen.add(job.id);
    for (const { id, action } of job.steps) {
      if (action.kind !== 'job') continue;
      const child = entryOrNone(action.jobId, o.catalog);
      if (!child) continue;
      for (const name of new Set(storedSecretsOf(child.definition, action.args).names)) {
        const detail = await whyUnavailable(tenant, name, o.storedSecret);
        if (detail !== undefined) missing.push({ step_id: id, job_id: job.id, detail });
      }
      await visit(child);
    }
  };
  await visit(top);
  return missing;
}

async function whyUnavailable(tenant: string, name: string, lookUp: SecretLookup): Promise<string | undefined> {
  try {
    await lookUp(tenant, name);
    return undefined;
  } catch (error) {
    if (error instanceof Problem && error.slug === 'secret-unavailable') return error.message;
    throw error;
  }
}
