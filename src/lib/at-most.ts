// Sets a time limit for a wait.

import { setTimeout as delay } from 'node:timers/promises';

/** Waits for `work`, but not longer than `ms`. The wait does not keep the process running. */
export async function atMost(ms: number, work: Promise<unknown> | undefined): Promise<void> {
  await Promise.race([work, delay(ms, undefined, { ref: false })]);
}
