// What `GET /metrics` answers, put together from its parts.

import type { FastifyInstance } from 'fastify';
import type { Engine } from '../../engine/engine.ts';
import type { Store } from '../../store/open.ts';
import type { StorageSize } from '../../store/storage-size.ts';
import type { Streams } from '../streams/streams.ts';
import { loadExposition } from './exposition.ts';
import { type Family, single } from './families.ts';
import { createHttpMetrics } from './http-metrics.ts';
import { createProcessMetrics } from './process-metrics.ts';
import { createRunMetrics } from './run-metrics.ts';

export type Metrics = {
  /** Prometheus's text format. */
  readonly text: () => Promise<string>;
  readonly close: () => void;
};

/** How attempts to deliver notifications ended since the start. */
export type NotificationOutcomes = Readonly<Record<'delivered' | 'retried' | 'failed', number>>;

/** To be called before there are routes. */
export function createMetrics(o: {
  readonly app: FastifyInstance;
  readonly streams: Streams;
  readonly engine: Pick<Engine, 'hub' | 'queue' | 'health'>;
  readonly store: Pick<Store, 'size' | 'notifications' | 'runs'>;
  readonly notificationOutcomes: NotificationOutcomes;
  readonly version: string;
  readonly startedAtMs: number;
}): Metrics {
  const runs = createRunMetrics(o.engine);
  const http = createHttpMetrics(o.app, o.streams);
  const own = createProcessMetrics(o);
  const notifications: Family = {
    name: 'flwd_notices_total',
    help: 'Attempts to deliver a notification, by how they ended; failed: given up.',
    kind: 'counter',
    samples: () => Object.entries(o.notificationOutcomes).map(([outcome, value]) => ({ labels: { outcome }, value })),
  };
  let exposition: ReturnType<typeof loadExposition> | undefined;

  async function families(): Promise<readonly Family[]> {
    const [size, pendingNotifications, counts] = await Promise.all([
      o.store.size(),
      o.store.notifications.pendingCount(),
      o.store.runs.counts(),
    ]);
    return [
      ...runs.families,
      single('gauge', 'flwd_runs_running', 'Runs that have started and not ended.', () => counts.running),
      notifications,
      single('gauge', 'flwd_notices_pending', 'Notifications that are not delivered yet.', () => pendingNotifications),
      ...http,
      ...storageFamilies(size),
      ...own.families,
    ];
  }

  return {
    async text() {
      exposition ??= loadExposition();
      const [toText, all] = await Promise.all([exposition, families()]);
      return toText(all);
    },
    close() {
      runs.close();
      own.close();
    },
  };
}

function storageFamilies({ database, logBytes, artifacts }: StorageSize): readonly Family[] {
  return [
    single('gauge', 'flwd_database_bytes', 'The database file.', () => database.bytes),
    single('gauge', 'flwd_database_wal_bytes', 'The log of the database’s own changes.', () => database.walBytes),
    single('gauge', 'flwd_database_free_pages', 'Pages of the database that hold nothing.', () => database.freePages),
    single('gauge', 'flwd_log_bytes', 'Logs of runs on the disk, those being written apart.', () => logBytes),
    single('gauge', 'flwd_artifacts', 'Artifacts that are kept.', () => artifacts.count),
    single('gauge', 'flwd_artifact_bytes', 'Their bytes.', () => artifacts.bytes),
  ];
}
