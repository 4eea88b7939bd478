// Calls the addresses of schedules after their successes, a few at a time. A call that fails is retried until a newer
// success replaces it, or until the success is a day old (ADR 0073).

import { setTimeout as delay } from 'node:timers/promises';
import type { Heartbeat } from '../domain/schedule.ts';
import type { Logger } from '../lib/logger.ts';
import { retryShortage } from '../lib/shortage.ts';
import { createWakeSignal } from '../lib/wake-signal.ts';
import type { Called } from '../store/heartbeats.ts';
import type { Store } from '../store/open.ts';
import { isStorageError } from '../store/storage-error.ts';
import { delayAfter } from './backoff.ts';
import { type Attempt, callReceiver, failedAttempt } from './call-receiver.ts';
import { ChannelError } from './channel/request.ts';
import { startWhenDue } from './due-calls.ts';
import type { DueClock } from './due-clock.ts';
import type { ReachOf } from './reach.ts';
import type { Signer } from './signing.ts';
import { openAddress } from './stored-text.ts';

export type TenantSecret = (tenant: string, name: string) => Promise<string>;

const mostCalls = 4;
const longestMs = 86_400_000;
const againMs = 1_000;

type Parts = {
  readonly store: Pick<Store, 'db' | 'heartbeats' | 'runs'>;
  /** @throws Problem secret-unavailable */
  readonly tenantSecret: TenantSecret;
  readonly reachOf: ReachOf;
  readonly signer: Signer;
  readonly clock: DueClock;
  readonly log: Logger;
  readonly timeoutMs: number;
  readonly random: () => number;
};

/** `ended` resolves when the signal is aborted and no call is in progress. */
export function startHeartbeats(o: Parts, signal: AbortSignal) {
  const { store, clock, log } = o;
  const wake = createWakeSignal(signal);
  /** The calls in progress, by schedule. Each schedule has one call at a time. */
  const calls = new Map<string, Promise<void>>();

  async function startDue(): Promise<void> {
    const free = mostCalls - calls.size;
    if (free === 0) return;
    for (const heartbeat of await store.heartbeats.due(await clock.nowByDatabase(), [...calls.keys()], free)) {
      const done = call(heartbeat).finally(() => {
        calls.delete(heartbeat.scheduleId);
        wake.raise();
      });
      calls.set(heartbeat.scheduleId, done);
    }
  }

  /** Never rejects. */
  async function call(heartbeat: Heartbeat): Promise<void> {
    try {
      const attempt = await attemptFor(heartbeat, o, signal);
      const settled = settlement(heartbeat, attempt, clock.now(), o.random());
      const settle = () => store.db.transact((tx) => store.heartbeats.settle(tx, heartbeat, settled));
      await retryShortage(settle, { isPassing: isStorageError, signal });
      await tell(heartbeat, settled, o);
    } catch (error) {
      if (signal.aborted) return;
      if (!isStorageError(error))
        log.error({ err: error, schedule_id: heartbeat.scheduleId }, 'a heartbeat could not be called');
      await delay(againMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async function run(): Promise<void> {
    const { nextDueAtMs } = store.heartbeats;
    await startWhenDue({ startDue, nextDueAtMs, wake, clock, log, what: 'heartbeats' }, signal);
    await Promise.all(calls.values());
  }

  return { wake: wake.raise, ended: run() };
}

async function attemptFor(heartbeat: Heartbeat, o: Parts, signal: AbortSignal): Promise<Attempt> {
  const { scheduleId: id, tenant, to } = heartbeat;
  try {
    const url = await openAddress(to, (name) => o.tenantSecret(tenant, name));
    // All heartbeat services accept GET, and they recognise a job by the address.
    const request = { method: 'GET', url, headers: {}, body: null, isSigned: false };
    const { heartbeats, runs } = o.store;
    const mayReach = o.reachOf(await heartbeats.jobId(heartbeat), await runs.wasUntrusted(heartbeat.runId));
    return await callReceiver({ ...o, id, request, mayReach, signal });
  } catch (error) {
    if (error instanceof ChannelError) return failedAttempt(error.message);
    throw error;
  }
}

/**
 * Logs when the calls of a schedule begin to fail, succeed again, or are given up. The stored row shows what has
 * already been logged.
 */
async function tell(heartbeat: Heartbeat, settled: Called, { store, log }: Parts): Promise<void> {
  const { scheduleId, to, attempts, lastCall, lastFailure } = heartbeat;
  const { error, nextAtMs } = settled;
  const wasFailing = (lastFailure?.atMs ?? 0) > (lastCall?.atMs ?? 0);
  const isKnown = error === null ? !wasFailing : wasFailing && (nextAtMs !== null || attempts === 0);
  if (isKnown) return;
  const jobId = await store.heartbeats.jobId(heartbeat);
  const origin = typeof to === 'string' ? new URL(to).origin : undefined;
  const subject = { schedule_id: scheduleId, job_id: jobId, origin };
  if (error === null) return log.info(subject, 'a heartbeat can be called again');
  const isOver = nextAtMs === null;
  const words = isOver ? 'gave up calling a heartbeat' : 'a heartbeat cannot be called; flwd tries again for a day';
  log.warn({ ...subject, error }, words);
}

function settlement({ attempts, successAtMs }: Heartbeat, attempt: Attempt, atMs: number, random: number): Called {
  if (attempt.isDelivered) return { atMs, error: null, nextAtMs: null };
  const nextAtMs = atMs + delayAfter(attempts + 1, attempt.retryAfterMs, random);
  const isOver = attempt.isFinal || nextAtMs > successAtMs + longestMs;
  return { atMs, error: attempt.error, nextAtMs: isOver ? null : nextAtMs };
}
