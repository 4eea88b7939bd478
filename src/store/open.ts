// Opens the store. It contains everything that outlives the process, in a database and in files beside it.

import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { type AuditStore, createAuditStore } from './audit/audit.ts';
import { type ArtifactStore, createArtifactStore } from './blobs/artifacts.ts';
import { createBlobStore } from './blobs/blobs.ts';
import { createLeftovers, type Leftovers } from './blobs/leftovers.ts';
import type { CommitListener, Database } from './database.ts';
import { createExportStore, type ExportStore } from './exports.ts';
import { createFailureStore, type FailureStore } from './failures.ts';
import { createHeartbeatStore, type HeartbeatStore } from './heartbeats.ts';
import { createIdempotencyStore, type IdempotencyStore } from './idempotency.ts';
import { createInstanceStore, type InstanceStore } from './instance.ts';
import { createJournal, type Journal } from './journal.ts';
import { createKvStore, type KvStore } from './kv.ts';
import { createLateStore, type LateStore } from './late.ts';
import { createLogStore, type LogStore } from './log/logs.ts';
import { createNotificationStore, type NotificationStore } from './notifications.ts';
import { createRetentionStore, type RetentionStore } from './retention.ts';
import { createOwnerStore, type OwnerStore } from './run/owners.ts';
import { createRunStore, type RunStore } from './run/runs.ts';
import { type StepStore, stepStore } from './run/step-moves.ts';
import { type BackfillStore, createBackfillStore } from './schedule/backfills.ts';
import { createScheduleStore, type ScheduleStore } from './schedule/schedules.ts';
import { createSecretStore, type SecretStore } from './secrets.ts';
import { openSqliteDatabase, type SqliteSpace } from './sqlite/sqlite-database.ts';
import { createStatsStore, type StatsStore } from './stats/stats.ts';
import { createStorageMeter, type StorageSize } from './storage-size.ts';
import { createTokenStore, type TokenStore } from './tokens.ts';
import { createTriggerStore, type TriggerStore } from './trigger/triggers.ts';
import { createWatchedFileStore, type WatchedFileStore } from './trigger/watched-files.ts';
import { createWebhookStore, type WebhookStore } from './webhooks.ts';

export type Store = {
  readonly db: Database;
  readonly runs: RunStore;
  readonly steps: StepStore;
  readonly owners: OwnerStore;
  readonly journal: Journal;
  readonly artifacts: ArtifactStore;
  readonly idempotency: IdempotencyStore;
  readonly logs: LogStore;
  readonly schedules: ScheduleStore;
  readonly backfills: BackfillStore;
  readonly webhooks: WebhookStore;
  readonly failures: FailureStore;
  readonly late: LateStore;
  readonly heartbeats: HeartbeatStore;
  readonly triggers: TriggerStore;
  readonly watchedFiles: WatchedFileStore;
  readonly exports: ExportStore;
  readonly instance: InstanceStore;
  readonly notifications: NotificationStore;
  readonly secrets: SecretStore;
  readonly tokens: TokenStore;
  readonly kv: KvStore;
  readonly audit: AuditStore;
  /** Returns the size as it was at most a few seconds ago. */
  readonly size: () => Promise<StorageSize>;
  readonly retention: RetentionStore;
  readonly stats: StatsStore;
  readonly leftovers: Leftovers;
  /** undefined if the engine returns disk space by itself. */
  readonly space: SqliteSpace | undefined;
  /** Finishes the transactions in progress, and refuses new ones. Close all open logs first. */
  readonly close: () => Promise<void>;
};

/** @throws Error if the database is from a newer flwd, or the file is not a database */
export async function openStore(
  o: Omit<StoreParts, 'db'> & { readonly dbPath: string; readonly onCommit: CommitListener },
): Promise<Store> {
  for (const dir of [dirname(o.dbPath), o.blobsDir]) mkdirSync(dir, { recursive: true, mode: 0o700 });
  return createStore({ ...o, db: await openSqliteDatabase({ ...o, path: o.dbPath }) });
}

type StoreParts = {
  /** The database. It is closed with the store. */
  readonly db: Database & { readonly space?: SqliteSpace };
  /** The folder that contains `logs/` and `artifacts/`. */
  readonly blobsDir: string;
  readonly clock: Clock;
  readonly log: Logger;
};

/** Creates a store on any database engine. Logs and artifacts are always files. */
export function createStore(o: StoreParts): Store {
  const { clock, db, log } = o;
  const logs = createLogStore({ dir: join(o.blobsDir, 'logs'), db, clock, log });
  const artifacts = createArtifactStore({
    database: db,
    blobs: createBlobStore({ dir: join(o.blobsDir, 'artifacts') }),
    clock,
  });
  const kv = createKvStore(db);
  return {
    db,
    runs: createRunStore(db),
    steps: stepStore,
    owners: createOwnerStore(db),
    journal: createJournal(db),
    artifacts,
    idempotency: createIdempotencyStore(db),
    logs,
    schedules: createScheduleStore(db),
    backfills: createBackfillStore(db),
    webhooks: createWebhookStore(db),
    failures: createFailureStore(db),
    late: createLateStore(db),
    heartbeats: createHeartbeatStore(db),
    triggers: createTriggerStore(db),
    watchedFiles: createWatchedFileStore(db),
    exports: createExportStore(db),
    instance: createInstanceStore(db),
    notifications: createNotificationStore(db),
    secrets: createSecretStore(db),
    tokens: createTokenStore(db),
    kv,
    audit: createAuditStore(db),
    size: createStorageMeter({ read: db.read, databaseSize: db.size, artifacts, kv, clock }),
    retention: createRetentionStore(db),
    stats: createStatsStore(db),
    leftovers: createLeftovers({ blobsDir: o.blobsDir, database: db }),
    space: db.space,
    async close() {
      await logs.close();
      await db.close();
    },
  };
}
