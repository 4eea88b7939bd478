// Time comes from a Clock alone, so a test can hold it still.

export type Clock = {
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
};

export const systemClock: Clock = { now: Date.now };

/** An instant in milliseconds → RFC 3339 UTC with milliseconds. */
export function toTimestamp(atMs: number): string {
  return new Date(atMs).toISOString();
}

/** An instant in microseconds → RFC 3339 UTC with microseconds, the form of log lines. */
export function toMicroTimestamp(atUs: number): string {
  const ms = Math.floor(atUs / 1000);
  const us = String(atUs - ms * 1000).padStart(3, '0');
  return `${new Date(ms).toISOString().slice(0, -1)}${us}Z`;
}
