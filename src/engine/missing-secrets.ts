// Names the secrets that runs of the schedules, triggers and webhooks in job files need, but that are not stored. What
// was made with the API is left to `flwd doctor` and the lists of schedules and webhooks: it belongs to its maker, and
// must not degrade the health of the whole instance.

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
    ...o.schedules.toStart().filter(({ source }) => source === 'job'),
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
