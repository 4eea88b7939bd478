// Notifies webhooks and channels about runs: at least once, and without delaying a run (ADRs 0012 and 0068).

import type { Hub } from '../engine/hub.ts';
import type { SteadyClock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { Store } from '../store/open.ts';
import type { Channels } from './channels.ts';
import { collectNotifications } from './collect.ts';
import { collectLate, type LateNotices } from './collect-late.ts';
import { type Outcome, startDelivery } from './deliver.ts';
import { createDueClock } from './due-clock.ts';
import { startHeartbeats, type TenantSecret } from './heartbeats.ts';
import type { Messages } from './message.ts';
import type { ReachOf } from './reach.ts';
import type { Signer } from './signing.ts';

export type Notifier = ReturnType<typeof startNotifier>;

export const answerMs = 10_000;

/** Starts with the notifications that an earlier process left. */
export function startNotifier(o: {
  readonly store: Pick<Store, 'db' | 'notifications' | 'runs' | 'late' | 'heartbeats'>;
  readonly hub: Hub;
  readonly channels: Channels;
  readonly messages: Messages;
  readonly signer: Signer;
  readonly late: LateNotices;
  readonly tenantSecret: TenantSecret;
  readonly reachOf: ReachOf;
  readonly clock: SteadyClock;
  readonly log: Logger;
  readonly timeoutMs?: number;
  readonly random?: () => number;
}) {
  const { timeoutMs = answerMs, random = Math.random } = o;
  const ending = new AbortController();
  /** How attempts have ended since the start. */
  const outcomes: Record<Outcome, number> = { delivered: 0, retried: 0, failed: 0 };
  const clock = createDueClock({ ...o, signal: ending.signal });
  const delivery = startDelivery(
    {
      ...o,
      clock,
      timeoutMs,
      random,
      onOutcome(outcome) {
        outcomes[outcome] += 1;
      },
    },
    ending.signal,
  );
  const heartbeats = startHeartbeats({ ...o, clock, timeoutMs, random }, ending.signal);
  const onAdded = (): void => {
    delivery.wake();
    heartbeats.wake();
  };
  const collected = collectNotifications({ ...o, clock, monotonicMs: o.clock.monotonicMs, onAdded }, ending.signal);
  const collectedLate = collectLate({ ...o, ...o.late, clock, onAdded: delivery.wake }, ending.signal);
  return {
    outcomes,
    /** Aborts the calls in progress. They are repeated after the next start. */
    async close(): Promise<void> {
      ending.abort();
      await Promise.all([collected, collectedLate, delivery.ended, heartbeats.ended]);
    },
  };
}
