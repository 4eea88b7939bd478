// Reads time spans of systemd: `5min 20s`, `1h30m`, `90`.

const unitMs: readonly (readonly [RegExp, number])[] = [
  [/^(?:usec|us|μs|µs)$/, 0.001],
  [/^(?:msec|ms)$/, 1],
  [/^(?:seconds|second|sec|s|)$/, 1_000],
  [/^(?:minutes|minute|min|m)$/, 60_000],
  [/^(?:hours|hour|hr|h)$/, 3_600_000],
  [/^(?:days|day|d)$/, 86_400_000],
  [/^(?:weeks|week|w)$/, 604_800_000],
  [/^(?:months|month|M)$/, 2_629_800_000],
  [/^(?:years|year|y)$/, 31_557_600_000],
];

/** Returns the milliseconds of a time span; undefined for `infinity`, and for anything that is not a time span. */
export function spanMs(text: string): number | undefined {
  if (!/^\s*(?:\d+(?:\.\d+)?\s*[a-zA-Zμµ]*\s*)+$/.test(text) || text.length > 100) return undefined;
  let total = 0;
  for (const [, number = '', unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)\s*([a-zA-Zμµ]*)/g)) {
    const ms = unitMs.find(([name]) => name.test(unit))?.[1];
    if (ms === undefined) return undefined;
    total += Number(number) * ms;
  }
  return Math.round(total);
}
