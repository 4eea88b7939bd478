// Notifications. A cursor says how far the journal was searched for runs that ended or began to wait for an approval.
// Each notification has a row (ADR 0012). A job whose last run failed has a row of its own (ADR 0068).

import type { Notification, NotificationStatus, NotifyEvent, NotifyRule } from '../domain/notification.ts';
import type { Late } from '../domain/outcome/late.ts';
import type { Reach } from '../domain/principal.ts';
import type { RunStatus } from '../domain/run.ts';
import { toTimestamp } from '../lib/clock.ts';
import type { Database, Transaction } from './database.ts';
import { fingerprintOf } from './failure-fingerprint.ts';
import { failureOf } from './failures.ts';
import { readSequence, setSequence } from './journal-rows.ts';
import { prepareQuery } from './prepared-query.ts';
import { countRows } from './query-parts.ts';
import { toTimestampOrNull } from './run/run-rows.ts';
import type { NotificationRow } from './schema.ts';

/** A run with rules that has ended or waits for an approval. */
export type ReportedRun = {
  readonly eventId: number;
  /** When the run ended or began to wait. */
  readonly atMs: number;
  readonly runId: string;
  readonly jobId: string;
  readonly tenant: string;
  readonly status: RunStatus | 'waiting_approval';
  /** The step that waits for an approval. */
  readonly stepId: string | null;
  readonly notify: readonly NotifyRule[];
  /** The fingerprint of the failure; null if the run did not fail. */
  readonly fingerprint: string | null;
};

/** A job whose last run failed, and how often it has failed in a row. */
export type FailingJob = {
  readonly tenant: string;
  readonly jobId: string;
  /** The run that failed. If several runs have failed in a row, the one that was created last. */
  readonly runId: string;
  readonly failures: number;
  /**
   * When each channel, or each origin of a webhook, was last notified of each failure. A key is the channel and the
   * failure, with a space between them.
   */
  readonly told: Readonly<Record<string, number>>;
};

/** The content of a notification about something that is late. */
export type LateNotice = Pick<Late, 'tenant' | 'jobId' | 'detail' | 'atMs'> & {
  readonly title: string | null;
  /** The schedule that missed a time. */
  readonly scheduleId?: string | null;
};

export type NewNotification = {
  readonly id: string;
  /** null if the notification is about a job. Then `late` is its content. */
  readonly runId: string | null;
  readonly late?: LateNotice;
  readonly eventId: number;
  /** The index of the run's rule, from 0. */
  readonly n: number;
  readonly event: NotifyEvent;
  readonly stepId: string | null;
  readonly failures: number;
  /** null if the notification goes to `webhook`. */
  readonly channel: string | null;
  readonly webhook: string | null;
  readonly createdAtMs: number;
  readonly dueAtMs: number;
  /**
   * Whether the notification is sent together with other notifications of its channel that are due at the same time.
   */
  readonly isInDigest: boolean;
};

export type DueNotification = {
  readonly id: string;
  readonly runId: string | null;
  readonly late: LateNotice | null;
  readonly event: NotifyEvent;
  readonly stepId: string | null;
  readonly failures: number;
  /** null if the notification goes to `webhook`. */
  readonly channel: string | null;
  readonly webhook: string;
  /** The address or channel for which calls are limited. */
  readonly origin: string;
  readonly attempts: number;
  readonly createdAtMs: number;
  /** When the digest was due; null if the notification is sent on its own. */
  readonly digestAtMs: number | null;
  /** The addresses that have already received the mail. The mail server refused it only for other addresses. */
  readonly takenBy: readonly string[];
};

/** A channel's newest notification that was delivered, or that flwd gave up on. */
export type LastNotification = Pick<Notification, 'status' | 'last_error'> & { readonly finishedAtMs: number };

/** The messages to a channel, or to an address of a job, that could not be sent and will be tried again. */
export type WaitingMessages = {
  /** null if the messages go to an address that jobs name. */
  readonly channel: string | null;
  readonly origin: string;
  /** The job of the message that will be tried next. */
  readonly jobId: string;
  readonly messages: number;
  /** When the oldest of these messages was created. */
  readonly sinceMs: number;
  /** Why the message that will be tried next could not be sent. */
  readonly error: string;
  readonly nextAtMs: number;
};

export type NotificationStore = ReturnType<typeof createNotificationStore>;

/** How many events one query reads. The next query reads the others. */
const reportedAtOnce = 200;
/** The most notifications in a digest. Further ones are sent in another digest. */
const digestAtOnce = 200;

const selectReported = prepareQuery((db, { fromId, toId }: { fromId: number; toId: number }) =>
  db
    .selectFrom('events')
    // A cross join keeps this order of the tables. In the other order, SQLite would read every plan.
    .crossJoin('run_plans')
    .select(['events.id', 'events.run_id', 'events.job_id', 'events.tenant', 'events.type', 'events.data', 'events.at'])
    .select('run_plans.notify')
    .whereRef('run_plans.run_id', '=', 'events.run_id')
    .where('events.id', '>=', fromId)
    .where('events.id', '<=', toId)
    .where('events.type', 'in', ['run.finished', 'step.waiting_approval'])
    .where('run_plans.notify', 'is not', null)
    .orderBy('events.id')
    .limit(reportedAtOnce),
);

export function createNotificationStore({ read }: Database) {
  return {
    /** The first event that has not been checked. */
    cursor: async (): Promise<number> => (await readSequence(read, 'notices')) ?? 1,
    moveCursor: (tx: Transaction, toEventId: number): Promise<void> => setSequence(tx.db, 'notices', toEventId),

    /** Returns the runs with rules in the events from `fromId` to `toId`, oldest first. Both ids are included. */
    async reported(range: { readonly fromId: number; readonly toId: number }): Promise<readonly ReportedRun[]> {
      const rows = await selectReported(read, range);
      return rows.map(({ id, run_id, job_id, tenant, data, at, notify }) => {
        const { status, step_id = null, reason, message } = JSON.parse(data ?? '{}');
        const fingerprint = status === 'failed' ? fingerprintOf(failureOf({ reason, message })) : null;
        const run = { eventId: id, atMs: at, runId: run_id, jobId: job_id, tenant };
        return { ...run, status, fingerprint, stepId: step_id, notify: JSON.parse(notify ?? '[]') };
      });
    },

    ...createFailingJobs(read),

    /** Adds notifications. A notification that already exists stays unchanged. */
    async add(tx: Transaction, notifications: readonly NewNotification[]): Promise<void> {
      for (const notification of notifications) {
        await tx.db
          .insertInto('notices')
          .values(toRow(notification))
          .onConflict((conflict) => conflict.columns(['run_id', 'event_id', 'n']).doNothing())
          .execute();
      }
    },

    ...createDues(read),

    list: async (runId: string): Promise<readonly Notification[]> => {
      const rows = await read
        .selectFrom('notices')
        .selectAll()
        .where('run_id', '=', runId)
        .orderBy('event_id')
        .orderBy('n')
        .execute();
      return rows.map(toNotification);
    },

    /** Returns the last notification of each channel. Only notifications about runs in reach count. */
    async lastOf(channels: readonly string[], reach: Reach): Promise<ReadonlyMap<string, LastNotification>> {
      const found = await Promise.all(channels.map((channel) => lastOf(read, channel, reach)));
      return new Map(found.flatMap((last, at) => (last ? [[channels[at] ?? '', last] as const] : [])));
    },

    /** Only notifications about runs in reach count. */
    waiting: (reach: Pick<Reach, 'tenant'>): Promise<WaitingMessages[]> => readWaiting(read, reach),

    pendingCount: (): Promise<number> => countRows(read.selectFrom('notices').where('next_at', 'is not', null)),
    /** Counts the notifications that could not be delivered and will be tried again. */
    waitingCount: (): Promise<number> =>
      countRows(read.selectFrom('notices').where('next_at', 'is not', null).where('attempts', '>', 0)),
  };
}

function selectDue(read: Database['read']) {
  return read
    .selectFrom('notices')
    .select(['id', 'run_id as runId', 'event', 'step_id as stepId', 'failures', 'channel', 'webhook', 'origin'])
    .select(['attempts', 'created_at as createdAtMs', 'taken_by', 'late'])
    .select((eb) => eb.case().when('digest', '=', 1).then(eb.ref('next_at')).else(null).end().as('digestAtMs'));
}

type RawDue = Omit<DueNotification, 'takenBy' | 'late'> & Pick<NotificationRow, 'taken_by' | 'late'>;

function toDue({ taken_by: takenBy, late, ...due }: RawDue): DueNotification {
  return { ...due, late: late === null ? null : JSON.parse(late), takenBy: JSON.parse(takenBy ?? '[]') };
}

function toTakenBy(addresses: readonly string[]): string | null {
  return addresses.length === 0 ? null : JSON.stringify(addresses);
}

function createDues(read: Database['read']) {
  return {
    /**
     * Returns the notifications that are due, the one that has waited longest first. Leaves out those to `busyOrigins`.
     */
    async due(nowMs: number, busyOrigins: readonly string[], limit: number): Promise<readonly DueNotification[]> {
      let query = selectDue(read).where('next_at', '<=', nowMs).orderBy('next_at').limit(limit);
      if (busyOrigins.length > 0) query = query.where('origin', 'not in', busyOrigins);
      return (await query.execute()).map(toDue);
    },

    /** Returns when the next digest of each channel is due. Leaves out digests that are already due. */
    async openDigests(nowMs: number): Promise<readonly (readonly [channel: string, atMs: number])[]> {
      const rows = await read
        .selectFrom('notices')
        .select((eb) => ['channel', eb.fn.min('next_at').as('at')])
        .where('next_at', '>', nowMs)
        .where('digest', '=', 1)
        .where('attempts', '=', 0)
        .groupBy('channel')
        .execute();
      return rows.map(({ channel, at }) => [channel ?? '', Number(at)] as const);
    },

    /** Returns the notifications of the same digest, oldest first. */
    async digest({ origin, digestAtMs, takenBy }: DueNotification): Promise<readonly DueNotification[]> {
      const rows = await selectDue(read)
        .where('next_at', '=', digestAtMs)
        .where('origin', '=', origin)
        .where('digest', '=', 1)
        // Another digest may be due in the same millisecond. It then has other receivers.
        .where('taken_by', 'is not distinct from', toTakenBy(takenBy))
        .orderBy('id')
        .limit(digestAtOnce)
        .execute();
      return rows.map(toDue);
    },

    /** Returns when the first notification after `nowMs` is due; null if there is no such notification. */
    nextDueAtMs: async (nowMs: number): Promise<number | null> => {
      const waiting = read.selectFrom('notices').select('next_at').where('next_at', '>', nowMs);
      return (await waiting.orderBy('next_at').limit(1).executeTakeFirst())?.next_at ?? null;
    },

    /** Records how an attempt to deliver ended. If `nextAtMs` is given, there is another attempt at that time. */
    async settle(
      tx: Transaction,
      id: string,
      attempt: {
        readonly status: NotificationStatus;
        readonly attempts: number;
        readonly error: string | null;
        readonly takenBy: readonly string[];
        readonly nextAtMs: number | null;
        readonly atMs: number;
      },
    ): Promise<void> {
      const { status, attempts, error, takenBy, nextAtMs, atMs } = attempt;
      const finishedAtMs = status === 'pending' ? null : atMs;
      const ended = { status, attempts, last_error: error, next_at: nextAtMs, finished_at: finishedAtMs };
      await tx.db
        .updateTable('notices')
        .set({ ...ended, taken_by: toTakenBy(takenBy) })
        .where('id', '=', id)
        .execute();
    },

    /** Moves the times of the next attempts by `byMs`, because the wall clock was moved by the same amount. */
    async moveDues(tx: Transaction, byMs: number): Promise<void> {
      await tx.db
        .updateTable('notices')
        .set((eb) => ({ next_at: eb('next_at', '+', byMs) }))
        .where('next_at', 'is not', null)
        .execute();
    },
  };
}

function createFailingJobs(read: Database['read']) {
  return {
    /** Returns the given jobs whose last run failed. */
    async failing(jobIds: readonly string[]): Promise<readonly FailingJob[]> {
      if (jobIds.length === 0) return [];
      const rows = await read
        .selectFrom('failing_jobs')
        .select(['tenant', 'job_id as jobId', 'run_id as runId', 'failures', 'told'])
        .where('job_id', 'in', jobIds)
        .execute();
      return rows.map((row) => ({ ...row, told: JSON.parse(row.told) }));
    },

    /** Returns which of these failed runs ended after the success of a run of the same job that was created later. */
    async superseded(failed: readonly Pick<ReportedRun, 'runId'>[]): Promise<readonly string[]> {
      if (failed.length === 0) return [];
      const rows = await read
        .selectFrom('runs as failed')
        .select('failed.id')
        .where(
          'failed.id',
          'in',
          failed.map(({ runId }) => runId),
        )
        .where((eb) =>
          eb.exists(
            eb
              .selectFrom('runs as newer')
              .select('newer.id')
              .whereRef('newer.job_id', '=', 'failed.job_id')
              .where('newer.status', '=', 'success')
              .whereRef('newer.tenant', '=', 'failed.tenant')
              .whereRef('newer.created_at', '>=', 'failed.created_at')
              .whereRef('newer.id', '>', 'failed.id')
              .whereRef('newer.finished_at', '<', 'failed.finished_at'),
          ),
        )
        .execute();
      return rows.map(({ id }) => id);
    },

    async setFailing(tx: Transaction, { tenant, jobId, runId, failures, told }: FailingJob): Promise<void> {
      const changed = { run_id: runId, failures, told: JSON.stringify(told) };
      await tx.db
        .insertInto('failing_jobs')
        .values({ tenant, job_id: jobId, ...changed })
        .onConflict((conflict) => conflict.columns(['tenant', 'job_id']).doUpdateSet(changed))
        .execute();
    },

    async setFixed(tx: Transaction, { tenant, jobId }: Pick<FailingJob, 'tenant' | 'jobId'>): Promise<void> {
      await tx.db.deleteFrom('failing_jobs').where('tenant', '=', tenant).where('job_id', '=', jobId).execute();
    },
  };
}

/** Reads the messages that could not be sent and will be tried again, sorted by where they go. */
export async function readWaiting(
  read: Database['read'],
  { tenant }: Pick<Reach, 'tenant'>,
): Promise<WaitingMessages[]> {
  const waiting = read
    .selectFrom('notices')
    .leftJoin('runs', 'runs.id', 'notices.run_id')
    .where('notices.next_at', 'is not', null)
    .where('notices.attempts', '>', 0)
    .$if(tenant !== '*', (query) => query.where('runs.tenant', '=', tenant));
  const byOrigin = await waiting
    .select((eb) => [
      'notices.channel',
      'notices.origin',
      eb.fn.countAll().as('messages'),
      eb.fn.min('notices.created_at').as('sinceMs'),
      eb.fn.min('notices.next_at').as('nextAtMs'),
    ])
    .groupBy(['notices.channel', 'notices.origin'])
    .orderBy('notices.origin')
    .execute();
  const found = byOrigin.map(async ({ channel, origin, messages, sinceMs, nextAtMs }) => {
    const next = waiting.where('notices.origin', '=', origin).where('notices.next_at', '=', Number(nextAtMs));
    const row = await next.select(['notices.last_error', 'notices.late', 'runs.job_id']).limit(1).executeTakeFirst();
    const jobId = row?.job_id ?? JSON.parse(row?.late ?? '{}').jobId ?? '';
    const times = { sinceMs, nextAtMs: Number(nextAtMs) };
    return { channel, origin, jobId, messages: Number(messages), ...times, error: row?.last_error ?? '' };
  });
  return Promise.all(found);
}

async function lastOf(
  read: Database['read'],
  channel: string,
  { tenant }: Reach,
): Promise<LastNotification | undefined> {
  const row = await read
    .selectFrom('notices')
    .leftJoin('runs', 'runs.id', 'notices.run_id')
    .select(['notices.status', 'notices.last_error', 'notices.finished_at'])
    .where('notices.channel', '=', channel)
    .where('notices.finished_at', 'is not', null)
    .$if(tenant !== '*', (query) => query.where('runs.tenant', '=', tenant))
    .orderBy('notices.created_at', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row && { status: row.status, last_error: row.last_error, finishedAtMs: row.finished_at ?? 0 };
}

function toRow(notification: NewNotification): NotificationRow {
  const { id, runId, n, channel, webhook, createdAtMs } = notification;
  return {
    id,
    run_id: runId,
    n,
    status: 'pending',
    origin: channel === null ? new URL(webhook ?? '').origin : `channel:${channel}`,
    attempts: 0,
    next_at: notification.dueAtMs,
    created_at: createdAtMs,
    finished_at: null,
    last_error: null,
    webhook: webhook ?? '',
    event: notification.event,
    channel,
    step_id: notification.stepId,
    event_id: notification.eventId,
    failures: notification.failures,
    digest: notification.isInDigest ? 1 : null,
    taken_by: null,
    late: notification.late === undefined ? null : JSON.stringify(notification.late),
  };
}

function toNotification(row: NotificationRow): Notification {
  return {
    id: row.id,
    status: row.status,
    event: row.event,
    channel: row.channel,
    origin: row.channel === null ? row.origin : null,
    attempts: row.attempts,
    last_error: row.last_error,
    created_at: toTimestamp(row.created_at),
    next_attempt_at: toTimestampOrNull(row.next_at),
    finished_at: toTimestampOrNull(row.finished_at),
  };
}
