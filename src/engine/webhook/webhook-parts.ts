// A webhook with its job and tenant, and what the engine needs to turn deliveries into runs.

import type { Catalog } from '../../catalog/catalog.ts';
import type { Problem } from '../../domain/problem.ts';
import type { JobWebhook, MadeWebhook } from '../../domain/trigger/webhook.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Store } from '../../store/open.ts';
import type { CreateRun } from '../create.ts';
import type { Ends } from '../ends.ts';
import type { GroundedPlan } from '../plan/ground.ts';
import type { PlanRequest } from '../plan/plan.ts';
import type { Rerun } from '../rerun.ts';
import type { StoredSecrets } from '../secrets/stored-secrets.ts';

export type Webhook = JobWebhook & {
  readonly id: string;
  readonly jobId: string;
  readonly tenant: string;
  /**
   * Why the webhook refuses every delivery: its job is gone, invalid, or from an untrusted source. null if it accepts
   * deliveries.
   */
  readonly denied: Problem | null;
  /** How many deliveries the webhook accepts per minute; null means that there is no limit. */
  readonly perMinute: number | null;
  /** Who made it at run time; null for a webhook of a config.yaml. */
  readonly made: Pick<MadeWebhook, 'createdAtMs' | 'createdBy' | 'boundTo'> | null;
};

export type WebhookParts = {
  readonly store: Store;
  readonly catalog: Catalog;
  readonly secrets: Pick<StoredSecrets, 'valueOf'>;
  readonly createRun: CreateRun;
  readonly plan: (request: PlanRequest) => Promise<Pick<GroundedPlan, 'denied'>>;
  readonly rerun: Rerun;
  readonly ends: Pick<Ends, 'wait'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly defaultTenant: string;
  /** Whether flwd.yaml pauses all webhooks. */
  readonly triggersPaused: boolean;
};
