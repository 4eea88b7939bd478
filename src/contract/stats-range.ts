// The time ranges that statistics cover.

/** Each range ends at the time of the request. */
export const statsRanges = ['24h', '7d', '30d'] as const;
export type StatsRange = (typeof statsRanges)[number];
