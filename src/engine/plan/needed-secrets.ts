// Finds the stored secrets that a run needs: its own, and those of its sub-runs. If a secret of a sub-run is missing,
// only the step fails, so the run itself is not refused.

import { type Catalog, type CatalogEntry, entryOrNone } from '../../catalog/catalog.ts';
import type { JsonObject } from '../../domain/job.ts';
import { secretsRefusal } from '../../domain/policy.ts';
import { Problem } from '../../domain/problem.ts';
import type { Store } from '../../store/open.ts';
import type { SecretLookup } from './secret-references.ts';
import { storedSecretsOf } from './sub-run-check.ts';

type StepSecret = { readonly step_id: string; readonly job_id: string; readonly name: string };

export type MissingStepSecret = Omit<StepSecret, 'name'> & { readonly detail: string };

/** `subRunProblem` must have found nothing wrong with the job. */
export async function missingStepSecrets(
  top: CatalogEntry,
  tenant: string,
  o: { readonly catalog: Catalog; readonly storedSecret: SecretLookup },
): Promise<MissingStepSecret[]> {
  const missing: MissingStepSecret[] = [];
  for (const { name, ...step } of stepSecretsOf(top, o.catalog)) {
    const detail = await whyUnavailable(tenant, name, o.storedSecret);
    if (detail !== undefined) missing.push({ ...step, detail });
  }
  return missing;
}

/**
 * The names of the stored secrets that a run of the job and its sub-runs need. Empty if the source of the job may not
 * use them, because the run is then refused for that reason.
 */
export function neededSecrets(entry: CatalogEntry, args: JsonObject, catalog: Catalog): Set<string> {
  const { definition: job, source } = entry;
  const own = storedSecretsOf(job, args).names;
  if (secretsRefusal(job.id, source, own)) return new Set();
  return new Set([...own, ...stepSecretsOf(entry, catalog).map(({ name }) => name)]);
}

/** What starts runs of a job: a schedule, a trigger or a webhook. */
export type Starter = { readonly jobId: string; readonly tenant: string; readonly args: JsonObject };

export type MissingSecretsOf = (starter: Starter) => Promise<string[]>;

/**
 * Returns a function that names the secrets which runs of a starter need, but which their tenant does not have. Make
 * one for each answer: it reads the names of a tenant's secrets only once.
 */
export function createMissingSecretsOf(o: {
  readonly catalog: Catalog;
  readonly store: { readonly secrets: Pick<Store['secrets'], 'names'> };
}): MissingSecretsOf {
  const namesByTenant = new Map<string, Promise<ReadonlySet<string>>>();
  const storedIn = (tenant: string): Promise<ReadonlySet<string>> => {
    const names = namesByTenant.get(tenant) ?? o.store.secrets.names(tenant).then((all) => new Set(all));
    namesByTenant.set(tenant, names);
    return names;
  };
  return async ({ jobId, tenant, args }) => {
    const entry = entryOrNone(jobId, o.catalog);
    const needed = entry ? [...neededSecrets(entry, args, o.catalog)] : [];
    if (needed.length === 0) return [];
    const stored = await storedIn(tenant);
    return needed.filter((name) => !stored.has(name)).toSorted();
  };
}

/** Looks into sub-runs of sub-runs, too. */
function stepSecretsOf(top: CatalogEntry, catalog: Catalog): StepSecret[] {
  const found: StepSecret[] = [];
  const seen = new Set<string>();
  const visit = ({ definition: job }: CatalogEntry): void => {
    if (seen.has(job.id)) return;
    seen.add(job.id);
    for (const { id, action } of job.steps) {
      if (action.kind !== 'job') continue;
      const child = entryOrNone(action.jobId, catalog);
      if (!child) continue;
      for (const name of new Set(storedSecretsOf(child.definition, action.args).names))
        found.push({ step_id: id, job_id: job.id, name });
      visit(child);
    }
  };
  visit(top);
  return found;
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
