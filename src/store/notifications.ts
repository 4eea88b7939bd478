// Notifications. A cursor says how far the journal was searched for runs that have ended. Each webhook call has a row
// (ADR 0012).

import type { NotifyRule } from '../domain/job.ts';
import type { Notification, NotificationStatus } from '../domain/notification.ts';
import type { RunStatus } from '../domain/run.ts';
import { toTimestamp } from '../lib/clock.ts';
import type { Database, Transaction } from './database.ts';
import { prepareQuery } from './prepared-query.ts';
import { countRows } from './query-parts.ts';
import { toTimestampOrNull } from './run/run-rows.ts';
import type { NotificationRow } from './schema.ts';

/** A run that has ended and whose job asks for notifications. */
type EndedRun = {
  readonly eventId: number;
  readonly runId: string;
  readonly status: RunStatus;
  readonly notify: readonly NotifyRule[];
};

export type NewNotification = {
  readonly id: string;
  readonly runId: string;
  /** Which of the run's webhooks, from 0. */
  readonly n: number;
  readonly webhook: string;
  readonly createdAtMs: number;
};

export type DueNotification = {
  readonly id: string;
  readonly runId: string;
  readonly webhook: string;
  readonly origin: string;
  readonly attempts: number;
};

export type NotificationStore = {
  /** The first event that nobody has looked at. */
  readonly cursor: () => Promise<number>;
  readonly moveCursor: (tx: Transaction, toEventId: number) => Promise<void>;
  /** The runs that ended in the events `fromId` to `toId`, both included, oldest first. */
  readonly ended: (o: { readonly fromId: number; readonly toId: number }) => Promise<readonly EndedRun[]>;
  /** Adds notifications that are due at once. An existing one stays unchanged. */
  readonly add: (tx: Transaction, notifications: readonly NewNotification[]) => Promise<void>;
  /** Those that have waited longest come first. Leaves out those to `busyOrigins`. */
  readonly due: (nowMs: number, busyOrigins: readonly string[], limit: number) => Promise<readonly DueNotification[]>;
  /** When the next one after `nowMs` is due; null when nothing waits. */
  readonly nextDueAtMs: (nowMs: number) => Promise<number | null>;
  /** Records how an attempt ended. With `nextAtMs`, it is tried again at that time. */
  readonly settle: (
    tx: Transaction,
    id: string,
    attempt: {
      readonly status: NotificationStatus;
      readonly attempts: number;
      readonly error: string | null;
      readonly nextAtMs: number | null;
      readonly atMs: number;
    },
  ) => Promise<void>;
  /** After the wall clock was set by `byMs`: moves the next attempts. */
  readonly moveDues: (tx: Transaction, byMs: number) => Promise<void>;
  readonly list: (runId: string) => Promise<readonly Notification[]>;
  readonly pendingCount: () => Promise<number>;
};

/** Enough for one look. The next look finds the others. */
const endedAtOnce = 200;

const selectEnded = prepareQuery((db, { fromId, toId }: { fromId: number; toId: number }) =>
  db
    .selectFrom('events')
    // A cross join keeps this order: the other way round, SQLite would look at every plan.
    .crossJoin('run_plans')
    .select(['events.id', 'events.run_id', 'events.data', 'run_plans.notify'])
    .whereRef('run_plans.run_id', '=', 'events.run_id')
    .where('events.id', '>=', fromId)
    .where('events.id', '<=', toId)
    .where('events.type', '=', 'run.finished')
    .where('run_plans.notify', 'is not', null)
    .orderBy('events.id')
    .limit(endedAtOnce),
);

export function createNotificationStore({ read }: Database): NotificationStore {
  return {
    async cursor() {
      const row = await read.selectFrom('sequences').select('next_id').where('name', '=', 'notices').executeTakeFirst();
      return row?.next_id ?? 1;
    },

    async moveCursor(tx, toEventId) {
      await tx.db
        .insertInto('sequences')
        .values({ name: 'notices', next_id: toEventId })
        .onConflict((conflict) => conflict.column('name').doUpdateSet({ next_id: toEventId }))
        .execute();
    },

    async ended({ fromId, toId }) {
      const rows = await selectEnded(read, { fromId, toId });
      return rows.map(({ id, run_id, data, notify }) => ({
        eventId: id,
        runId: run_id,
        status: JSON.parse(data ?? '{}').status,
        notify: JSON.parse(notify ?? '[]'),
      }));
    },

    async add(tx, notifications) {
      for (const notification of notifications) {
        await tx.db
          .insertInto('notices')
          .values(toRow(notification))
          .onConflict((conflict) => conflict.columns(['run_id', 'n']).doNothing())
          .execute();
      }
    },

    async due(nowMs, busyOrigins, limit) {
      let query = read
        .selectFrom('notices')
        .select(['id', 'run_id as runId', 'webhook', 'origin', 'attempts'])
        .where('next_at', '<=', nowMs)
        .orderBy('next_at')
        .limit(limit);
      if (busyOrigins.length > 0) query = query.where('origin', 'not in', busyOrigins);
      return query.execute();
    },

    async nextDueAtMs(nowMs) {
      const waiting = read.selectFrom('notices').select('next_at').where('next_at', '>', nowMs);
      return (await waiting.orderBy('next_at').limit(1).executeTakeFirst())?.next_at ?? null;
    },

    async settle(tx, id, { status, attempts, error, nextAtMs, atMs }) {
      const finishedAtMs = status === 'pending' ? null : atMs;
      await tx.db
        .updateTable('notices')
        .set({ status, attempts, last_error: error, next_at: nextAtMs, finished_at: finishedAtMs })
        .where('id', '=', id)
        .execute();
    },

    async moveDues(tx, byMs) {
      await tx.db
        .updateTable('notices')
        .set((eb) => ({ next_at: eb('next_at', '+', byMs) }))
        .where('next_at', 'is not', null)
        .execute();
    },

    async list(runId) {
      const rows = await read.selectFrom('notices').selectAll().where('run_id', '=', runId).orderBy('n').execute();
      return rows.map(toNotification);
    },

    pendingCount: () => countRows(read.selectFrom('notices').where('next_at', 'is not', null)),
  };
}

function toRow({ id, runId, n, webhook, createdAtMs }: NewNotification): NotificationRow {
  return {
    id,
    run_id: runId,
    n,
    status: 'pending',
    origin: new URL(webhook).origin,
    attempts: 0,
    next_at: createdAtMs,
    created_at: createdAtMs,
    finished_at: null,
    last_error: null,
    webhook,
  };
}

function toNotification(row: NotificationRow): Notification {
  return {
    id: row.id,
    status: row.status,
    origin: row.origin,
    attempts: row.attempts,
    last_error: row.last_error,
    created_at: toTimestamp(row.created_at),
    next_attempt_at: toTimestampOrNull(row.next_at),
    finished_at: toTimestampOrNull(row.finished_at),
  };
}
