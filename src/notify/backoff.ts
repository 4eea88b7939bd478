// Decides when a notification is retried: 15 attempts over 22 hours, with growing delays.

const firstDelayMs = 5_000;
const factor = 3;
const longestDelayMs = 3 * 3_600_000;
const jitter = 0.2;
const longestRetryAfterMs = 12 * 3_600_000;

export const mostAttempts = 15;

/** The delay after this many failed attempts. `random` is in [0, 1). */
export function delayAfter(attempts: number, retryAfterMs: number | null, random: number): number {
  const delayMs = Math.min(firstDelayMs * factor ** (attempts - 1), longestDelayMs);
  const spreadMs = Math.round(delayMs * (1 - jitter + 2 * jitter * random));
  return Math.max(spreadMs, Math.min(retryAfterMs ?? 0, longestRetryAfterMs));
}
