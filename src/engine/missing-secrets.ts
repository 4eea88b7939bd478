// Names the secrets that runs of schedules, triggers and webhooks need, but that are not stored. Webhooks made with the
// API are left to `flwd doctor`, because reading them takes longer.

import { type Catalog, definitionOf } from '../catalog/catalog.ts';
import { createYielder } from '../lib/yielder.ts';
import type { Store } from '../store/open.ts';
import { createMissingSecretsOf, type Starter } from './plan/needed-secrets.ts';
import type { Schedules } from './schedule/schedules.ts';
import { triggersToStart } from './trigger/trigger-parts.ts';
import { webhooksOfJobs } from './webhook/find-webhook.ts';

/** Sorted. Empty until the sources have been read. */
export async function findMissingSecrets(o: {
  readonly catalog: Catalog;
  readonly store: Pick<Store, 'secrets'>;
  readonly schedules: Pick<Schedules, 'toStart'>;
  readonly defaultTenant: string;
}): Promise<string[]> {
  const { catalog, defaultTenant: tenant } = o;
  if (!catalog.isReady) return [];
  const starters: readonly Starter[] = [
    ...o.schedules.toStart(),
    ...triggersToStart(catalog).map((one) => ({ ...one, tenant })),
    ...webhooksOfJobs(o).filter(({ jobId, denied }) => !denied && definitionOf(jobId, catalog)?.enabled),
  ];
  const missingSecretsOf = createMissingSecretsOf(o);
  const maybeYield = createYielder();
  const missing = new Set<string>();
  for (const starter of starters) {
    for (const name of await missingSecretsOf(starter)) missing.add(name);
    await maybeYield();
  }
  return [...missing].toSorted();
}
