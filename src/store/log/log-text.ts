// Finds a text in the bytes of a log. The case of ASCII letters is ignored, and all other bytes must be equal, so UTF-8
// need not be decoded. Searching a copy in lower case took two to five times as long.

/**
 * Returns the place of the first occurrence between `from` and `to`, or -1. The time it takes is proportional to the
 * number of bytes.
 */
export type TextFinder = (bytes: Uint8Array, from: number, to: number) => number;

/** @param text must not be empty */
export function createTextFinder(text: string): TextFinder {
  const mayHold = createTextCheck(text);
  const find = createSteadySearch(toBytes(text));
  return (bytes, from, to) => (mayHold(bytes, from, to) ? find(bytes, from, to) : -1);
}

/**
 * Horspool's search. It looks at the byte where the text would end, and skips as far as that byte allows.
 * @returns a function that says whether the text may be in the bytes. It also returns true if too many bytes had to be
 * compared, for example in a search for 'abaa' in 'aaaa'
 */
export function createTextCheck(text: string): (bytes: Uint8Array, from: number, to: number) => boolean {
  const wanted = toBytes(text);
  const last = wanted.length - 1;
  const { skips, skipAfter } = skipsFor(wanted);
  const twoSkips = 2 * Math.max(...skips);
  const comparison = createComparison(wanted);

  function mayEndBetween(bytes: Uint8Array, from: number, to: number): boolean {
    for (let at = from; at < to; ) {
      const skip = skips[bytes[at] ?? 0] ?? 1;
      if (skip !== 0) at += skip;
      else if (comparison.mayEndAt(bytes, at)) return true;
      else at += skipAfter;
    }
    return false;
  }

  // Searches six parts of the bytes in one loop, which is three times as fast as a search of a single part. In a single
  // part, each position depends on the byte at the previous position, so the processor would have to wait for each
  // byte. Each pass of the loop reads three bytes of each part. The first two reads only skip ahead, by 0 if the text
  // may end at the byte. In that case, the third read finds the same byte, and the text is compared there.
  return (bytes, from, to) => {
    comparison.allow(to - from);
    const part = Math.trunc(Math.max(0, to - from - last) / 6);
    let a = from + last;
    let b = a + part;
    let c = b + part;
    let d = c + part;
    let e = d + part;
    let f = e + part;
    const [toA, toB, toC, toD, toE] = [b, c, d, e, f];
    while (a < toA && b < toB && c < toC && d < toD && e < toE && f < to - twoSkips) {
      a += skips[bytes[a] ?? 0] ?? 1;
      b += skips[bytes[b] ?? 0] ?? 1;
      c += skips[bytes[c] ?? 0] ?? 1;
      d += skips[bytes[d] ?? 0] ?? 1;
      e += skips[bytes[e] ?? 0] ?? 1;
      f += skips[bytes[f] ?? 0] ?? 1;
      a += skips[bytes[a] ?? 0] ?? 1;
      b += skips[bytes[b] ?? 0] ?? 1;
      c += skips[bytes[c] ?? 0] ?? 1;
      d += skips[bytes[d] ?? 0] ?? 1;
      e += skips[bytes[e] ?? 0] ?? 1;
      f += skips[bytes[f] ?? 0] ?? 1;
      const skipA = skips[bytes[a] ?? 0] ?? 1;
      const skipB = skips[bytes[b] ?? 0] ?? 1;
      const skipC = skips[bytes[c] ?? 0] ?? 1;
      const skipD = skips[bytes[d] ?? 0] ?? 1;
      const skipE = skips[bytes[e] ?? 0] ?? 1;
      const skipF = skips[bytes[f] ?? 0] ?? 1;
      if (skipA !== 0) a += skipA;
      else if (comparison.mayEndAt(bytes, a)) return true;
      else a += skipAfter;
      if (skipB !== 0) b += skipB;
      else if (comparison.mayEndAt(bytes, b)) return true;
      else b += skipAfter;
      if (skipC !== 0) c += skipC;
      else if (comparison.mayEndAt(bytes, c)) return true;
      else c += skipAfter;
      if (skipD !== 0) d += skipD;
      else if (comparison.mayEndAt(bytes, d)) return true;
      else d += skipAfter;
      if (skipE !== 0) e += skipE;
      else if (comparison.mayEndAt(bytes, e)) return true;
      else e += skipAfter;
      if (skipF !== 0) f += skipF;
      else if (comparison.mayEndAt(bytes, f)) return true;
      else f += skipAfter;
    }
    return (
      mayEndBetween(bytes, a, toA) ||
      mayEndBetween(bytes, b, toB) ||
      mayEndBetween(bytes, c, toC) ||
      mayEndBetween(bytes, d, toD) ||
      mayEndBetween(bytes, e, toE) ||
      mayEndBetween(bytes, f, to)
    );
  };
}

/** Says whether the text ends at a place. Once it has compared more bytes than allowed, it always says yes. */
function createComparison(wanted: Uint8Array) {
  const last = wanted.length - 1;
  let left = 0;
  return {
    allow(count: number): void {
      left = count;
    },
    /** Must only be called if the byte at `end` is the last byte of the text. */
    mayEndAt(bytes: Uint8Array, end: number): boolean {
      let back = 1;
      while (back <= last && toLowerCase(bytes[end - back] ?? 0) === wanted[last - back]) back++;
      left -= back;
      return back > last || left < 0;
    },
  };
}

/** Returns for each byte how far a search may skip; 0 if the text may end at that byte. */
function skipsFor(wanted: Uint8Array): { readonly skips: Uint8Array; readonly skipAfter: number } {
  const last = wanted.length - 1;
  const lastByte = wanted[last] ?? 0;
  const skips = new Uint8Array(256).fill(Math.min(wanted.length, mostSkip));
  for (const [index, byte] of wanted.subarray(0, last).entries())
    for (const one of casesOf(byte)) skips[one] = Math.min(last - index, mostSkip);
  const skipAfter = skips[lastByte] ?? 1;
  for (const one of casesOf(lastByte)) skips[one] = 0;
  return { skips, skipAfter };
}

const mostSkip = 255;

/** The search of Knuth, Morris and Pratt. It looks at each byte once, whatever the text is. */
function createSteadySearch(wanted: Uint8Array): TextFinder {
  // If a byte does not match after `n` matching bytes, `kept[n - 1]` of them still match the beginning of the text.
  const kept = new Uint16Array(wanted.length);
  for (let index = 1, found = 0; index < wanted.length; index++) {
    while (found > 0 && wanted[index] !== wanted[found]) found = kept[found - 1] ?? 0;
    if (wanted[index] === wanted[found]) found += 1;
    kept[index] = found;
  }
  return (bytes, from, to) => {
    for (let at = from, found = 0; at < to; at++) {
      const byte = toLowerCase(bytes[at] ?? 0);
      while (found > 0 && byte !== wanted[found]) found = kept[found - 1] ?? 0;
      if (byte === wanted[found]) found += 1;
      if (found === wanted.length) return at + 1 - found;
    }
    return -1;
  };
}

function toBytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text), toLowerCase);
}

function toLowerCase(byte: number): number {
  return byte >= upperA && byte <= upperZ ? byte | caseBit : byte;
}

function casesOf(byte: number): readonly number[] {
  return byte >= (upperA | caseBit) && byte <= (upperZ | caseBit) ? [byte, byte ^ caseBit] : [byte];
}

const upperA = 0x41;
const upperZ = 0x5a;
const caseBit = 0x20;
