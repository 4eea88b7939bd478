// The dependencies that the parts of the late watch share.

import type { Catalog } from '../../catalog/catalog.ts';
import type { Expectation } from '../../domain/outcome/late.ts';
import type { Schedule } from '../../domain/schedule.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Store } from '../../store/open.ts';
import type { Hub } from '../hub.ts';

export type LateParts = {
  readonly store: Store;
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly log: Logger;
  readonly hub: Hub;
  readonly defaultTenant: string;
  /** The time zone in which job files give times of day. */
  readonly timezone: string;
  /** Whether the schedules of a tenant are paused; undefined while that is not known. */
  readonly arePaused: (tenant: string) => boolean | undefined;
  /** The schedule as it is now; undefined if flwd does not know it. */
  readonly scheduleOf: (id: string) => Schedule | undefined;
};

export type Expecting = { readonly jobId: string; readonly expect: Expectation; readonly isEnabled: boolean };

/** True if a job that the catalog does not have may return, because it is broken or a folder is missing. */
export type MayReturn = (jobId: string) => boolean;
