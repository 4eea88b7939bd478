// Checks the health of the engine: its database, disk, queue, isolation, schedules, triggers and sources.

import type { Catalog } from '../catalog/catalog.ts';
import type { SecurityProfile } from '../domain/job.ts';
import { triggersPausedWords } from '../domain/trigger/paused.ts';
import type { Executor } from '../exec/executor.ts';
import { freeBytesOf } from '../lib/files/disk-room.ts';
import { sizeWords } from '../lib/units.ts';
import type { Store } from '../store/open.ts';
import { whyNoRunStarts } from './disk-watch.ts';
import { waitWords } from './queue/admission.ts';
import type { Queue } from './queue/queue.ts';
import type { QueueWatch } from './queue/queue-watch.ts';
import type { Resumption } from './resumption.ts';
import type { Schedules } from './schedule/schedules.ts';

export type Check = { readonly status: 'ok' | 'degraded' | 'failing'; readonly detail?: string };

export function createHealth(o: {
  readonly catalog: Catalog;
  readonly store: Store;
  readonly runsDir: string;
  readonly ownFolders: readonly string[];
  readonly executor: Executor;
  readonly defaultProfile: SecurityProfile;
  readonly queue: Queue;
  readonly queueWatch: QueueWatch;
  readonly resumption: Pick<Resumption, 'isLate'>;
  readonly schedules: Pick<Schedules, 'complaint'>;
  readonly triggersPaused: boolean;
}): () => Record<string, Check> {
  function complaintOfQueue(): string | null {
    if (o.queue.isFull) return `${waitWords(o.queue.depth)}, as many as allowed`;
    if (o.resumption.isLate()) return 'no run starts until the runs from before the restart have been resumed';
    return o.queueWatch.complaint();
  }

  function checkQueue(): Check {
    const check = checkOf('degraded', complaintOfQueue());
    const { depth } = o.queue;
    return check.status === 'ok' && depth > 0 ? { ...check, detail: waitWords(depth) } : check;
  }

  return () => {
    const profile = o.executor.report(o.defaultProfile);
    return {
      database: checkOf('failing', o.store.db.failure()),
      disk: checkDisk(o),
      queue: checkQueue(),
      isolation: checkOf('degraded', profile.available ? null : (profile.detail ?? 'unavailable')),
      schedules: checkOf('degraded', o.schedules.complaint()),
      triggers: checkOf('degraded', o.triggersPaused ? triggersPausedWords : null),
      sources: checkSources(o.catalog),
    };
  };
}

/** An invalid job does not make the server unhealthy, because all other jobs run. */
function checkSources(catalog: Catalog): Check {
  if (!catalog.isReady) return { status: 'degraded', detail: 'the sources are still being read' };
  const missing = catalog.missing();
  if (missing.length > 0)
    return { status: 'degraded', detail: `the folder of jobs is missing or cannot be read: ${missing.join(', ')}` };
  const invalid = catalog.invalid().length;
  return invalid === 0
    ? { status: 'ok' }
    : { status: 'ok', detail: `${invalid} invalid ${invalid === 1 ? 'job' : 'jobs'}` };
}

function checkDisk(folders: Parameters<typeof whyNoRunStarts>[0]): Check {
  const check = checkOf('failing', whyNoRunStarts(folders));
  const freeBytes = freeBytesOf(folders.runsDir);
  return check.status === 'ok' && freeBytes !== null ? { ...check, detail: `${sizeWords(freeBytes)} free` } : check;
}

function checkOf(status: Check['status'], detail: string | null): Check {
  return detail === null ? { status: 'ok' } : { status, detail };
}
