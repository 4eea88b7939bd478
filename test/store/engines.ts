// The engines that every suite of the store runs over, and how each opens an empty or an existing database in a folder.

import { join } from 'node:path';
import type { JournalEntry } from '../../src/domain/event.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { createLogger, type Logger } from '../../src/lib/logger.ts';
import { type AuditStore, createAuditStore } from '../../src/store/audit/audit.ts';
import type { Database } from '../../src/store/database.ts';
import { createIdempotencyStore, type IdempotencyStore } from '../../src/store/idempotency.ts';
import { createJournal, type Journal } from '../../src/store/journal.ts';
import { createRunStore, type RunStore } from '../../src/store/run/runs.ts';
import { createScheduleStore, type ScheduleStore } from '../../src/store/schedules.ts';
import { openSqliteDatabase } from '../../src/store/sqlite/sqlite-database.ts';

export type Opened = {
  readonly database: Database;
  readonly runs: RunStore;
  readonly journal: Journal;
  readonly idempotency: IdempotencyStore;
  readonly schedules: ScheduleStore;
  readonly audit: AuditStore;
  /** What was announced: one list for each commit that wrote to the journal. */
  readonly commits: (readonly JournalEntry[])[];
};

export type Engine = {
  readonly engine: string;
  readonly open: typeof openSqlite;
};

/** The clock of the suites stands still: 2024-01-15T10:30:00.000Z. */
export const nowMs = 1_705_314_600_000;
const standing: Clock = { now: () => nowMs };

export async function openSqlite(
  dir: string,
  {
    onCommit,
    clock = standing,
    log = createLogger({ level: 'silent', format: 'json' }),
  }: { onCommit?: (entries: readonly JournalEntry[]) => void; clock?: Clock; log?: Logger } = {},
): Promise<Opened> {
  const commits: (readonly JournalEntry[])[] = [];
  const database = await openSqliteDatabase({
    path: join(dir, 'flwd.db'),
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
    audit: createAuditStore(database),
    commits,
  };
}

export const engines: readonly Engine[] = [{ engine: 'SQLite', open: openSqlite }];
