// Durations and sizes as people write them: `1h30m`, `250ms`, `1GiB`, `64kB`.

const durationUnits: Record<string, number> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};
const sizeUnits: Record<string, number> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** Parses `1h30m` into milliseconds; undefined when the text is not a duration. */
export function parseDuration(text: string): number | undefined {
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d|w))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/g)) {
    total += Number(amount) * (durationUnits[unit ?? ''] ?? Number.NaN);
  }
  const ms = Math.round(total);
  return Number.isSafeInteger(ms) ? ms : undefined;
}

/** Parses `1GiB` into bytes; undefined when the text is not a size. A bare number is bytes. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)?$/.exec(text);
  if (!match) return undefined;
  const bytes = Math.round(Number(match[1]) * (sizeUnits[match[2] ?? 'B'] ?? Number.NaN));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/**
 * Returns the size that `64M`, `64Mi` or `64mb` most likely means, in the spelling of parseSize. One letter alone means
 * a power of 1024, as in systemd, Docker and Java.
 */
export function nearestSize(text: string): string | undefined {
  const [, amount, letter = '', rest = ''] = /^(\d+(?:\.\d+)?)\s*([kmgt])(b|ib?)?$/i.exec(text) ?? [];
  if (amount === undefined || parseSize(text) !== undefined) return undefined;
  const large = letter.toUpperCase();
  if (rest.toLowerCase() !== 'b') return `${amount}${large}iB`;
  return `${amount}${large === 'K' ? 'k' : large}B`;
}

/** Formats milliseconds as a text that parses to the same value: 5,400,000 becomes `1h30m`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  let rest = ms;
  let text = '';
  for (const unit of ['d', 'h', 'm', 's', 'ms']) {
    const size = durationUnits[unit] ?? 1;
    const amount = Math.floor(rest / size);
    if (amount > 0) text += `${amount}${unit}`;
    rest -= amount * size;
  }
  return text;
}

/** Returns null for null, which means no limit. */
export function formatDurationOrNull(ms: number | null): string | null {
  return ms === null ? null : formatDuration(ms);
}

/**
 * Formats bytes as a text that parses to nearly the same value: 67,108,864 becomes `64MiB`, 1,500,000 becomes
 * `1.43MiB`.
 */
export function formatSize(bytes: number): string {
  const { amount, unit } = inLargestUnit(bytes);
  return `${Math.round(amount * 100) / 100}${unit}`;
}

/** Bytes as people read them: "853 B", "33.2 MiB", "2 GiB". */
export function sizeWords(bytes: number): string {
  const { amount, unit } = inLargestUnit(bytes);
  return `${Math.round(amount * 10) / 10} ${unit}`;
}

function inLargestUnit(bytes: number): { readonly amount: number; readonly unit: string } {
  const unit = ['TiB', 'GiB', 'MiB', 'KiB'].find((name) => bytes >= (sizeUnits[name] ?? 1)) ?? 'B';
  return { amount: bytes / (sizeUnits[unit] ?? 1), unit };
}
