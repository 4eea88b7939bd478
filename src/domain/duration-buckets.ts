// Durations are counted in buckets whose bounds grow by a tenth, so counters of any size answer quantiles. The answer
// is the middle of a bucket, which is at most 5 % off.

const growth = 1.1;

/** Bucket 0 holds less than a millisecond, and bucket n from `growth ** (n - 1)` to `growth ** n` milliseconds. */
export function bucketOf(ms: number): number {
  return ms < 1 ? 0 : Math.floor(Math.log(ms) / Math.log(growth)) + 1;
}

/** How many durations are in each bucket, by its number. */
export type Buckets = number[];

/** @returns milliseconds; null without any duration */
export function quantileOf(buckets: Readonly<Buckets>, share: number): number | null {
  let rest = Math.ceil(buckets.reduce((sum, count) => sum + count, 0) * share);
  for (const [bucket, count = 0] of buckets.entries()) {
    rest -= count;
    if (rest <= 0) return bucket === 0 ? 0 : Math.round(growth ** (bucket - 0.5));
  }
  return null;
}
