// Finds thousands of needles in one pass that looks only at every n-th position. If the shortest needle has n + 3
// bytes, one of its first n four-byte words is at such a position. Two small tables contain hashes of these words. Each
// table uses a hash function of its own. The text is compared with needles only where both tables match.

/** `from` is the first byte, `to` the one after the last. */
export type Stretch = { readonly from: number; to: number };

export type NeedleScan = ReturnType<typeof createNeedleScan>;

type Needle = {
  readonly text: string;
  readonly bytes: Buffer;
  /** The longest other needle with which this one begins. */
  readonly prefix: Needle | undefined;
};

const wordBytes = 4;
const longestStride = 8;
const goldenRatio = 0x9e3779b1;
const otherRatio = 0x85ebca6b;
const nothing = Buffer.alloc(0);

/** `texts` must be latin1, of at least four characters each, and without duplicates. */
export function createNeedleScan(texts: readonly string[]) {
  const lengths = texts.map((text) => text.length);
  const shortestBytes = lengths.reduce((shortest, length) => Math.min(shortest, length), Number.POSITIVE_INFINITY);
  const longestBytes = lengths.reduce((longest, length) => Math.max(longest, length), 0);
  const stride = Math.min(shortestBytes - wordBytes + 1, longestStride);

  // With 16 slots per word, only a few per cent of the positions match by chance. A larger table would not fit into the
  // cache.
  const shift = 32 - Math.min(Math.max(Math.ceil(Math.log2(texts.length * stride)) + 4, 12), 20);
  /** Maps the hash of a word to the offsets (one bit each) at which needles have it. */
  const offsets = new Uint8Array(1 << (32 - shift));
  /**
   * A second table with another hash function. Only 6 % of the accidental matches in the first table also match in this
   * one. With 13,000 short needles, this doubles the speed.
   */
  const otherOffsets = new Uint8Array(1 << (32 - shift));
  /** Maps the first word of a needle to all needles that begin with it, sorted. */
  const groups = new Map<number, Needle[]>();
  for (const needle of linkPrefixes(texts.toSorted((a, b) => (a < b ? -1 : 1)))) {
    for (let offset = 0; offset < stride; offset++) {
      const word = needle.bytes.readInt32LE(offset);
      mark(offsets, Math.imul(word, goldenRatio) >>> shift, offset);
      mark(otherOffsets, Math.imul(word, otherRatio) >>> shift, offset);
    }
    const group = groups.get(needle.bytes.readInt32LE());
    if (group) group.push(needle);
    else groups.set(needle.bytes.readInt32LE(), [needle]);
  }

  /** Returns the offsets at which a needle may have the word, as bits. */
  function candidatesAt(word: number): number {
    const some = offsets[Math.imul(word, goldenRatio) >>> shift] ?? 0;
    return some & (otherOffsets[Math.imul(word, otherRatio) >>> shift] ?? 0);
  }

  /** The hot loop. Returns the next position whose word is in both tables, or -1. */
  function nextWord(words: DataView, from: number): number {
    const end = words.byteLength - wordBytes;
    // An unaligned read of a DataView is one instruction. Combining four bytes is three times slower.
    for (let i = from; i <= end; i += stride) {
      const word = words.getInt32(i, true);
      if (offsets[Math.imul(word, goldenRatio) >>> shift] !== 0 && candidatesAt(word) !== 0) return i;
    }
    return -1;
  }

  /** Returns the positions of needles, ascending. Needles that overlap or adjoin form one stretch. */
  function find(bytes: Buffer): Stretch[] {
    const found: Stretch[] = [];
    const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let i = nextWord(words, 0); i >= 0; i = nextWord(words, i + stride)) {
      const candidates = candidatesAt(words.getInt32(i, true));
      for (let offset = Math.min(stride - 1, i); offset >= 0; offset--) {
        if ((candidates & (1 << offset)) === 0) continue;
        const from = i - offset;
        const group = groups.get(words.getInt32(from, true));
        const needle = group && longestAt(bytes, from, group);
        if (!needle) continue;
        const to = from + needle.bytes.length;
        const last = found.at(-1);
        if (last && from <= last.to) last.to = Math.max(last.to, to);
        else found.push({ from, to });
      }
    }
    return found;
  }

  return { longestBytes, find };
}

function mark(table: Uint8Array, slot: number, offset: number): void {
  table[slot] = (table[slot] ?? 0) | (1 << offset);
}

/** The longest needle of a group that is at `at`. The group is sorted, and its first word is known to match. */
function longestAt(bytes: Buffer, at: number, group: readonly Needle[]): Needle | undefined {
  let low = 0;
  let high = group.length;
  // All needles between the borders begin with the bytes that the needles at both borders share with the text. These
  // bytes are not compared again.
  let lowCommon = wordBytes;
  let highCommon = wordBytes;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const needle = group[middle]?.bytes ?? nothing;
    const end = Math.min(needle.length, bytes.length - at);
    let common = Math.min(lowCommon, highCommon);
    while (common < end && needle[common] === bytes[at + common]) common++;
    // A needle that is the beginning of another one comes before it.
    if ((needle[common] ?? -1) > (bytes[at + common] ?? -1)) {
      high = middle;
      highCommon = common;
    } else {
      low = middle + 1;
      lowCommon = common;
    }
  }
  // This is the last needle that does not sort after the text. If it does not match to its end, the longest match is
  // one of its prefixes.
  let needle = group[low - 1];
  while (needle && needle.bytes.length > lowCommon) needle = needle.prefix;
  return needle;
}

function linkPrefixes(sorted: readonly string[]): Needle[] {
  let prefix: Needle | undefined;
  return sorted.map((text) => {
    while (prefix && !text.startsWith(prefix.text)) prefix = prefix.prefix;
    prefix = { text, bytes: Buffer.from(text, 'latin1'), prefix };
    return prefix;
  });
}
