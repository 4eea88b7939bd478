// Delivers the notifications that are due, a few at a time, and records how each attempt ended.

import { setTimeout as delay } from 'node:timers/promises';
import { invariant } from '../domain/problem.ts';
import type { MayReach } from '../lib/http/http-request.ts';
import type { Logger } from '../lib/logger.ts';
import { retryShortage } from '../lib/shortage.ts';
import { createWakeSignal } from '../lib/wake-signal.ts';
import type { DueNotification } from '../store/notifications.ts';
import type { Store } from '../store/open.ts';
import { isStorageError } from '../store/storage-error.ts';
import { delayAfter, mostAttempts } from './backoff.ts';
import { type Attempt, failedAttempt } from './call-receiver.ts';
import type { Mail } from './channel/mail.ts';
import { ChannelError, type ChannelRequest } from './channel/request.ts';
import { webhookRequest } from './channel/webhook.ts';
import type { Channels } from './channels.ts';
import { startWhenDue } from './due-calls.ts';
import type { DueClock } from './due-clock.ts';
import { happenedAt, type Messages, noRunOf, type Report } from './message.ts';
import type { ReachOf } from './reach.ts';
import { send } from './send.ts';
import type { Signer } from './signing.ts';

export type Outcome = 'delivered' | 'retried' | 'failed';

const mostCalls = 4;
const mostCallsToOrigin = 2;
const againMs = 1_000;

type Parts = {
  readonly store: Pick<Store, 'db' | 'notifications' | 'runs'>;
  readonly channels: Channels;
  readonly messages: Messages;
  readonly reachOf: ReachOf;
  readonly signer: Signer;
  readonly clock: DueClock;
  readonly log: Logger;
  readonly timeoutMs: number;
  readonly random: () => number;
  readonly onOutcome: (outcome: Outcome) => void;
};

/** Call `wake` when something may be due. `ended` resolves when the signal is aborted and no call is in progress. */
export function startDelivery(o: Parts, signal: AbortSignal) {
  const { clock, log } = o;
  const { notifications, runs } = o.store;
  const wake = createWakeSignal(signal);
  const calls = createCalls(wake.raise);
  const news = createFailureNews(log);

  async function startDue(): Promise<void> {
    let hasStarted = true;
    while (hasStarted && !signal.aborted) {
      // Origins without a call in progress come first.
      hasStarted =
        (await startSome((origin) => calls.countTo(origin) === 0 && calls.mayCall(origin))) ||
        (await startSome(calls.mayCall));
    }
  }

  async function startSome(isTurnOf: (origin: string) => boolean): Promise<boolean> {
    let hasStarted = false;
    if (calls.isFull()) return false;
    const passedOver = calls.knownOrigins().filter((origin) => !isTurnOf(origin));
    for (const notification of await notifications.due(await clock.nowByDatabase(), passedOver, 2 * mostCalls)) {
      const { id, origin, digestAtMs } = notification;
      const key = digestAtMs === null ? id : `${origin} ${digestAtMs}`;
      if (calls.has(key) || calls.isFull() || !isTurnOf(origin)) continue;
      calls.add(key, origin, deliver(notification));
      hasStarted = true;
    }
    return hasStarted;
  }

  /** Never rejects. */
  async function deliver(notification: DueNotification): Promise<void> {
    try {
      const together = notification.digestAtMs === null ? [notification] : await notifications.digest(notification);
      const reports = await withRuns(together, runs);
      const [first] = reports;
      if (!first) return;
      const attempt = await attemptFor(reports, o, signal);
      calls.heard(notification.origin, attempt.isDelivered || !attempt.hasTimedOut);
      // If the disk is full, only the result is stored again. The call is not repeated.
      await retryShortage(() => settle(together, attempt, o), { isPassing: isStorageError, signal });
      news.tell(first, attempt);
    } catch (error) {
      if (signal.aborted) return;
      if (!isStorageError(error))
        log.error({ err: error, notice_id: notification.id }, 'a notification could not be delivered');
      await delay(againMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async function run(): Promise<void> {
    const { nextDueAtMs } = notifications;
    await startWhenDue({ startDue, nextDueAtMs, wake, clock, log, what: 'notifications' }, signal);
    await calls.ended();
  }

  return { wake: wake.raise, ended: run() };
}

/**
 * Adds the run to each notification. If retention has removed the run, it has removed the notification too, so the
 * notification is left out.
 */
async function withRuns(
  notifications: readonly DueNotification[],
  runs: Pick<Store['runs'], 'get'>,
): Promise<Report[]> {
  const reports: Report[] = [];
  for (const notification of notifications) {
    const { runId, late } = notification;
    const run = runId === null ? late && noRunOf(late) : await runs.get(runId);
    if (run) reports.push({ notification, run });
  }
  return reports;
}

async function attemptFor(reports: readonly Report[], o: Parts, signal: AbortSignal): Promise<Attempt> {
  const { signer, clock, timeoutMs } = o;
  const id = reports[0]?.notification.id ?? '';
  try {
    const request = await requestFor(reports, o);
    if (request === null) return { isDelivered: true };
    const mayReach = await reachFor(reports, o);
    return await send({ id, request, mayReach, signer, clock, timeoutMs, signal });
  } catch (error) {
    if (error instanceof ChannelError) return { ...failedAttempt(error.message), isFinal: error.isFinal };
    throw error;
  }
}

async function reachFor([first]: readonly Report[], { reachOf, store }: Parts): Promise<MayReach | undefined> {
  // A channel may send to every address, because only the operator can set it.
  if (!first || first.notification.channel !== null) return undefined;
  const { runId } = first.notification;
  return reachOf(first.run.job_id, runId !== null && (await store.runs.wasUntrusted(runId)));
}

/** All notifications of a digest get the same time for the next attempt, so that they stay together. */
async function settle(together: readonly DueNotification[], attempt: Attempt, o: Parts): Promise<void> {
  const { db, notifications } = o.store;
  const [first] = together;
  if (!first) return;
  const { runId, origin, channel } = first;
  const settled = settlement(first, attempt, o.clock.now(), o.random);
  await db.transact(async (tx) => {
    for (const { id } of together) await notifications.settle(tx, id, settled);
  });
  const { status, attempts, error } = settled;
  o.onOutcome(status === 'pending' ? 'retried' : status);
  if (status !== 'failed') return;
  const to = channel === null ? { origin } : { channel };
  o.log.warn({ run_id: runId, notice_id: first.id, ...to, attempts, error }, 'gave up delivering a notification');
}

const ofChannel = {
  fails: 'messages to a channel cannot be sent; flwd tries again for 22 hours',
  works: 'messages to a channel arrive again',
};
const ofAddress = {
  fails: 'messages to the address of a job cannot be sent; flwd tries again for 22 hours',
  works: 'messages to the address of a job arrive again',
};

/**
 * Logs once when messages to a channel, or to the address of a job, begin to fail, and once when they succeed again.
 */
function createFailureNews(log: Logger) {
  /** Whether the last call to a receiver failed. A receiver is missing here until its first call after the start. */
  const isFailing = new Map<string, boolean>();
  return {
    tell({ notification: { channel, origin, attempts }, run }: Report, attempt: Attempt): void {
      const [to, words] = channel === null ? [{ job_id: run.job_id, origin }, ofAddress] : [{ channel }, ofChannel];
      const receiver = channel ?? `${run.job_id} ${origin}`;
      if (attempt.isDelivered) {
        const wasFailing = isFailing.get(receiver) ?? attempts > 0;
        isFailing.set(receiver, false);
        if (wasFailing) log.info(to, words.works);
      } else if (!attempt.isFinal && !isFailing.get(receiver)) {
        isFailing.set(receiver, true);
        const { error } = attempt;
        log.warn({ ...to, error }, words.fails);
      }
    },
  };
}

/** Knows the calls in progress, and decides which origin may be called next. */
function createCalls(onEnd: () => void) {
  const calls = new Map<string, { readonly origin: string; readonly done: Promise<void> }>();
  /** The origins that did not answer the last call in time. */
  const hanging = new Set<string>();
  const countTo = (origin: string) => [...calls.values()].filter((call) => call.origin === origin).length;

  return {
    countTo,
    has: (id: string) => calls.has(id),
    isFull: () => calls.size >= mostCalls,
    knownOrigins: () => [...new Set([...hanging, ...[...calls.values()].map(({ origin }) => origin)])],
    /**
     * An origin that does not answer gets only one call at a time. All these origins together leave at least one call
     * free for the other origins.
     */
    mayCall: (origin: string): boolean => {
      const own = countTo(origin);
      const others = [...calls.values()].filter((call) => hanging.has(call.origin)).length;
      if (hanging.has(origin)) return own === 0 && others < mostCalls - 1;
      return own === 0 || (own < mostCallsToOrigin && calls.size < mostCalls - 1);
    },
    /** `done` never rejects. */
    add(id: string, origin: string, done: Promise<void>): void {
      const ended = done.finally(() => {
        calls.delete(id);
        onEnd();
      });
      calls.set(id, { origin, done: ended });
    },
    heard(origin: string, inTime: boolean): void {
      if (inTime) hanging.delete(origin);
      else hanging.add(origin);
    },
    async ended(): Promise<void> {
      await Promise.all([...calls.values()].map(({ done }) => done));
    },
  };
}

/** The state of a notification after an attempt. */
function settlement(before: DueNotification, attempt: Attempt, atMs: number, random: () => number) {
  const attempts = before.attempts + 1;
  if (attempt.isDelivered)
    return { status: 'delivered', attempts, error: null, takenBy: [], nextAtMs: null, atMs } as const;
  const { error } = attempt;
  const takenBy = [...before.takenBy, ...attempt.takenBy];
  if (attempt.isFinal || attempts >= mostAttempts)
    return { status: 'failed', attempts, error, takenBy, nextAtMs: null, atMs } as const;
  const nextAtMs = atMs + delayAfter(attempts, attempt.retryAfterMs, random());
  return { status: 'pending', attempts, error, takenBy, nextAtMs, atMs } as const;
}

/**
 * Returns null if there is nothing to send.
 * @throws ChannelError when the message cannot be sent with the current flwd.yaml and stored secrets
 */
async function requestFor(
  reports: readonly Report[],
  { channels, messages }: Pick<Parts, 'channels' | 'messages'>,
): Promise<ChannelRequest | Mail | null> {
  const [first] = reports;
  invariant(first, 'a call has a notification');
  const { notification, run } = first;
  const { channel, webhook, event, takenBy } = notification;
  if (channel !== null) {
    const message = await (reports.length === 1 ? messages.of(first) : messages.digest(reports));
    return channels.isOfNoUse(channel, message) ? null : channels.requestFor(channel, message, takenBy);
  }
  const detail = notification.late ? { detail: notification.late.detail } : {};
  return webhookRequest(webhook, { run, event, at: happenedAt(first) }, detail);
}
