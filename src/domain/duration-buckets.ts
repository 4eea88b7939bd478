// Counts durations in buckets and computes quantiles from the counts. Each bucket is a tenth larger than the one
// before, so few counters are needed. A quantile is the middle of a bucket, so it is wrong by at most 5 %.

const growth = 1.1;

/**
 * Bucket 0 is for durations of less than a millisecond. Bucket n is for `growth ** (n - 1)` to `growth ** n`
 * milliseconds.
 */
export function bucketOf(ms: number): number {
  return ms < 1 ? 0 : Math.floor(Math.log(ms) / Math.log(growth)) + 1;
}

/** The number of durations in each bucket. The index is the number of the bucket. */
export type Buckets = number[];

/** @returns milliseconds; null if no durations were counted */
export function quantileOf(buckets: Readonly<Buckets>, share: number): number | null {
  let rest = Math.ceil(buckets.reduce((sum, count) => sum + count, 0) * share);
  for (const [bucket, count = 0] of buckets.entries()) {
    rest -= count;
    if (rest <= 0) return bucket === 0 ? 0 : Math.round(growth ** (bucket - 0.5));
  }
  return null;
}
