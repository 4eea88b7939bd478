// A trigger with its job, and what the engine needs to start runs for it.

import type { Catalog, CatalogEntry } from '../../catalog/catalog.ts';
import { definitionOf, entryOrNone } from '../../catalog/catalog.ts';
import type { Snapshots } from '../../catalog/source/snapshot.ts';
import { scheduleRefusal, triggerRefusal } from '../../domain/policy.ts';
import type { Problem } from '../../domain/problem.ts';
import type { CheckTrigger, EndTrigger, FilesTrigger, JobTrigger } from '../../domain/trigger/job-trigger.ts';
import type { SteadyClock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Store } from '../../store/open.ts';
import type { CreateRun } from '../create.ts';
import type { Hub } from '../hub.ts';
import type { Kv } from '../kv/kv.ts';
import type { PlanContext } from '../plan/ground.ts';
import type { Execution } from '../run/run-context.ts';

type OfJob = {
  /** The job that it starts. */
  readonly jobId: string;
  /**
   * The id of the job whose runs it follows; null if there is no such job now, or if the trigger does not follow a job.
   */
  readonly followedId: string | null;
  /** Why the trigger starts nothing; null if it may start runs. */
  readonly denied: Problem | null;
};

export type Trigger = JobTrigger & OfJob;
export type EndTriggerOfJob = EndTrigger & OfJob;
export type FilesTriggerOfJob = FilesTrigger & OfJob;
export type CheckTriggerOfJob = CheckTrigger & OfJob;

export type TriggerParts = {
  readonly store: Store;
  readonly catalog: Catalog;
  readonly hub: Pick<Hub, 'latestId' | 'onEvents'>;
  readonly createRun: CreateRun;
  readonly planContext: PlanContext;
  readonly snapshots: Snapshots;
  readonly execution: Execution;
  readonly kv: Kv;
  readonly defaultTenant: string;
  /** Whether flwd.yaml pauses all triggers. */
  readonly triggersPaused: boolean;
  readonly clock: SteadyClock;
  readonly log: Logger;
};

/** All triggers, sorted by job. @throws Problem not-ready */
export function triggersIn(catalog: Catalog): Trigger[] {
  return catalog
    .entries()
    .flatMap((entry) => entry.definition.triggers.map((trigger) => toTrigger(trigger, entry, catalog)));
}

/** The triggers that are meant to start a run. @throws Problem not-ready */
export function triggersToStart(catalog: Catalog): Trigger[] {
  return triggersIn(catalog).filter(
    ({ jobId, kind, followedId, denied }) =>
      definitionOf(jobId, catalog)?.enabled && denied === null && (kind !== 'job' || followedId !== null),
  );
}

function toTrigger(trigger: JobTrigger, { definition, source }: CatalogEntry, catalog: Catalog): Trigger {
  const { id: jobId } = definition;
  if (trigger.kind !== 'job')
    return {
      ...trigger,
      jobId,
      followedId: null,
      denied: scheduleRefusal(jobId, source, whatItHas[trigger.kind]) ?? null,
    };
  const followed = entryOrNone(trigger.job, catalog);
  const denied = followed ? triggerRefusal(jobId, source, followed.definition) : undefined;
  return { ...trigger, jobId, followedId: followed?.definition.id ?? null, denied: denied ?? null };
}

const whatItHas = { files: 'a trigger that follows files', check: 'a trigger with a check' } as const;
