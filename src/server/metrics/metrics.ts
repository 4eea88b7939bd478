// Puts together the answer to `GET /metrics`.

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
  /** All metrics in Prometheus's text format. */
  readonly text: () => Promise<string>;
  readonly close: () => void;
};

/** How many attempts to deliver a notification ended in each way, since the start. */
export type NotificationOutcomes = Readonly<Record<'delivered' | 'retried' | 'failed', number>>;

const levels = { ok: 0, degraded: 1, failing: 2 } as const;

/** Call this before routes are added. */
export function createMetrics(o: {
  readonly app: FastifyInstance;
  readonly streams: Streams;
  readonly engine: Pick<Engine, 'hub' | 'queue' | 'health' | 'diskFreeBytes'>;
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
    help: 'Attempts to deliver a notification, by outcome; failed means given up.',
    kind: 'counter',
    samples: () => Object.entries(o.notificationOutcomes).map(([outcome, value]) => ({ labels: { outcome }, value })),
  };
  const health: Family = {
    name: 'flwd_health',
    help: 'Checks of health: 0 is ok, 1 degraded, 2 failing.',
    kind: 'gauge',
    samples: () =>
      Object.entries(o.engine.health()).map(([check, { status }]) => ({ labels: { check }, value: levels[status] })),
  };
  const diskFree: Family = {
    name: 'flwd_disk_free_bytes',
    help: 'Free space on the disk of the data dir.',
    kind: 'gauge',
    samples: () => {
      const value = o.engine.diskFreeBytes();
      return value === null ? [] : [{ labels: {}, value }];
    },
  };
  let exposition: ReturnType<typeof loadExposition> | undefined;

  async function families(): Promise<readonly Family[]> {
    const [size, pendingNotifications, waitingNotifications, counts] = await Promise.all([
      o.store.size(),
      o.store.notifications.pendingCount(),
      o.store.notifications.waitingCount(),
      o.store.runs.counts(),
    ]);
    return [
      ...runs.families,
      health,
      diskFree,
      single('gauge', 'flwd_runs_running', 'Runs that have started but not ended.', () => counts.running),
      notifications,
      single('gauge', 'flwd_notices_pending', 'Notifications that wait for delivery.', () => pendingNotifications),
      single(
        'gauge',
        'flwd_notices_waiting',
        'Notifications that could not be delivered and wait for the next try.',
        () => waitingNotifications,
      ),
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

function storageFamilies({ database, logBytes, artifacts, kv }: StorageSize): readonly Family[] {
  return [
    single('gauge', 'flwd_database_bytes', 'Size of the database file.', () => database.bytes),
    single('gauge', 'flwd_database_wal_bytes', 'Size of the write-ahead log of the database.', () => database.walBytes),
    single('gauge', 'flwd_database_free_pages', 'Unused pages in the database file.', () => database.freePages),
    single(
      'gauge',
      'flwd_log_bytes',
      'Size of the logs of runs on disk, without those that are being written.',
      () => logBytes,
    ),
    single('gauge', 'flwd_artifacts', 'Artifacts that are stored.', () => artifacts.count),
    single('gauge', 'flwd_artifact_bytes', 'Size of the stored artifacts.', () => artifacts.bytes),
    single('gauge', 'flwd_kv_keys', 'Keys in the key-value store.', () => kv.keys),
    single('gauge', 'flwd_kv_bytes', 'Size of the keys and values in the key-value store.', () => kv.bytes),
  ];
}
