// The ranges of time for which there are statistics.

/** Each range ends now. */
export const statsRanges = ['24h', '7d', '30d'] as const;
export type StatsRange = (typeof statsRanges)[number];
