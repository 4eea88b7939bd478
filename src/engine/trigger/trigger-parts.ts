// A trigger with its job, and what the engine needs to start runs for it.

import type { Catalog, CatalogEntry } from '../../catalog/catalog.ts';
import { entryOrNone } from '../../catalog/catalog.ts';
import { triggerRefusal } from '../../domain/policy.ts';
import type { Problem } from '../../domain/problem.ts';
import type { JobTrigger } from '../../domain/trigger/job-trigger.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Store } from '../../store/open.ts';
import type { CreateRun } from '../create.ts';
import type { Hub } from '../hub.ts';

export type Trigger = JobTrigger & {
  /** The job that it starts. */
  readonly jobId: string;
  /** The id of the job whose runs it follows; null: there is no such job now. */
  readonly followedId: string | null;
  /** Why it starts nothing; null: nothing forbids it. */
  readonly denied: Problem | null;
};

export type TriggerParts = {
  readonly store: Store;
  readonly catalog: Catalog;
  readonly hub: Pick<Hub, 'latestId' | 'onEvents'>;
  readonly createRun: CreateRun;
  readonly clock: Clock;
  readonly monotonicMs: () => number;
  readonly log: Logger;
};

/** All triggers, sorted by job. @throws Problem not-ready */
export function triggersIn(catalog: Catalog): Trigger[] {
  return catalog
    .entries()
    .flatMap((entry) => entry.definition.triggers.map((trigger) => toTrigger(trigger, entry, catalog)));
}

function toTrigger(trigger: JobTrigger, { definition, source }: CatalogEntry, catalog: Catalog): Trigger {
  const followed = entryOrNone(trigger.job, catalog);
  const denied = followed ? triggerRefusal(definition.id, source, followed.definition) : undefined;
  return {
    ...trigger,
    jobId: definition.id,
    followedId: followed?.definition.id ?? null,
    denied: denied ?? null,
  };
}
