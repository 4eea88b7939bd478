// The database engines that the store's suites run over: SQLite, or PostgreSQL in the Vitest project of that name.
// Opens an empty or an existing database for a folder.

import { join } from 'node:path';
import type { JournalEntry } from '../../src/domain/event.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { createLogger, type Logger } from '../../src/lib/logger.ts';
import { type AuditStore, createAuditStore } from '../../src/store/audit/audit.ts';
import type { CommitListener, Database } from '../../src/store/database.ts';
import { createExportStore, type ExportStore } from '../../src/store/exports.ts';
import { createFailureStore, type FailureStore } from '../../src/store/failures.ts';
import { createHeartbeatStore, type HeartbeatStore } from '../../src/store/heartbeats.ts';
import { createIdempotencyStore, type IdempotencyStore } from '../../src/store/idempotency.ts';
import { createJournal, type Journal } from '../../src/store/journal.ts';
import { createLateStore, type LateStore } from '../../src/store/late.ts';
import { createNotificationStore, type NotificationStore } from '../../src/store/notifications.ts';
import { createRunStore, type RunStore } from '../../src/store/run/runs.ts';
import { type BackfillStore, createBackfillStore } from '../../src/store/schedule/backfills.ts';
import { createScheduleStore, type ScheduleStore } from '../../src/store/schedule/schedules.ts';
import { openSqliteDatabase } from '../../src/store/sqlite/sqlite-database.ts';
import { createTriggerStore, type TriggerStore } from '../../src/store/trigger/triggers.ts';
import { createWatchedFileStore, type WatchedFileStore } from '../../src/store/trigger/watched-files.ts';
import { createWebhookStore, type WebhookStore } from '../../src/store/webhooks.ts';
import { openDatabaseOf } from './postgres-databases.ts';

export type Opened = {
  readonly database: Database;
  readonly runs: RunStore;
  readonly journal: Journal;
  readonly idempotency: IdempotencyStore;
  readonly schedules: ScheduleStore;
  readonly backfills: BackfillStore;
  readonly audit: AuditStore;
  readonly webhooks: WebhookStore;
  readonly exports: ExportStore;
  readonly triggers: TriggerStore;
  readonly watchedFiles: WatchedFileStore;
  readonly failures: FailureStore;
  readonly notifications: NotificationStore;
  readonly heartbeats: HeartbeatStore;
  readonly late: LateStore;
  /** The announced entries: one list for each commit that wrote to the journal. */
  readonly commits: (readonly JournalEntry[])[];
};

type Options = { readonly onCommit?: CommitListener; readonly clock?: Clock; readonly log?: Logger };
type DatabaseParts = Required<Options>;

export type Engine = {
  readonly engine: 'SQLite' | 'PostgreSQL';
  readonly open: (dir: string, o?: Options) => Promise<Opened>;
};

/** The suites' clock stands still at 2024-01-15T10:30:00.000Z. */
export const nowMs = 1_705_314_600_000;
const standing: Clock = { now: () => nowMs };

export const openSqlite = opening((dir, parts) => openSqliteDatabase({ ...parts, path: join(dir, 'flwd.db') }));

/** The folder of PostgreSQL's socket. Programs that a test starts know it, too. */
const postgresDir = process.env.FLWD_TEST_POSTGRES;

export const engines: readonly Engine[] =
  postgresDir === undefined
    ? [{ engine: 'SQLite', open: openSqlite }]
    : [{ engine: 'PostgreSQL', open: opening((dir, parts) => openDatabaseOf(dir, postgresDir, parts)) }];

function opening(open: (dir: string, parts: DatabaseParts) => Promise<Database>): Engine['open'] {
  return async (dir, { onCommit, clock = standing, log = createLogger({ level: 'silent', format: 'json' }) } = {}) => {
    const commits: (readonly JournalEntry[])[] = [];
    const database = await open(dir, {
      clock,
      log,
      onCommit(entries) {
        commits.push(entries);
        onCommit?.(entries);
      },
    });
    return {
      database,
      runs: createRunStore(database),
      journal: createJournal(database),
      idempotency: createIdempotencyStore(database),
      schedules: createScheduleStore(database),
      backfills: createBackfillStore(database),
      webhooks: createWebhookStore(database),
      exports: createExportStore(database),
      triggers: createTriggerStore(database),
      watchedFiles: createWatchedFileStore(database),
      failures: createFailureStore(database),
      notifications: createNotificationStore(database),
      heartbeats: createHeartbeatStore(database),
      late: createLateStore(database),
      audit: createAuditStore(database),
      commits,
    };
  };
}
