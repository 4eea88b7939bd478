// A run uses the config.yaml that the catalog has read, and the job's other files as they are now. These functions make
// sure that both are of the same revision of the job, even if the catalog has not noticed the job's last change yet.

import type { Catalog, CatalogEntry } from '../catalog/catalog.ts';
import { Problem } from '../domain/problem.ts';

/** How many times a job may change while its run is being created. */
const mostChanges = 5;

/** The job's config.yaml is no longer the one that the catalog has read. */
class JobChanged extends Error {
  override readonly name = 'JobChanged';
  readonly entry: CatalogEntry;

  constructor(entry: CatalogEntry) {
    super(`the job ${entry.definition.id} has changed`);
    this.entry = entry;
  }
}

/**
 * Compares a snapshot of the job with its entry in the catalog. A source that is not watched keeps its definitions
 * until somebody reloads it.
 * @throws JobChanged
 */
export function assertCurrent(entry: CatalogEntry, snapshot: Pick<CatalogEntry, 'configStamp'>): void {
  if (entry.source.watch && entry.configStamp !== snapshot.configStamp) throw new JobChanged(entry);
}

/**
 * Calls `create`, which finds a job and adds a run. If the job has changed, reads it again and calls `create` again.
 * @throws Problem not-ready if the job keeps changing, and what `create` throws
 */
export async function ofCurrentJob<T>(catalog: Pick<Catalog, 'reread'>, create: () => Promise<T>): Promise<T> {
  for (let changes = 0; ; changes += 1) {
    try {
      return await create();
    } catch (error) {
      if (!(error instanceof JobChanged)) throw error;
      const { entry } = error;
      if (changes === mostChanges)
        throw new Problem('not-ready', `The folder of the job '${entry.definition.id}' keeps changing.`, {
          retry_after: 1,
        });
      await catalog.reread(entry);
    }
  }
}
