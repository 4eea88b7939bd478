// Finds a text in the bytes of a log. The case of ASCII letters does not count; other bytes must be the same, so UTF-8
// needs no decoding. Searching a copy in lower case took two to five times as long.

/** The place of the first occurrence between `from` and `to`, or -1. Takes time in proportion to the bytes. */
export type TextFinder = (bytes: Uint8Array, from: number, to: number) => number;

/** `text` must not be empty. */
export function createTextFinder(text: string): TextFinder {
  const mayHold = createTextCheck(text);
  const find = createSteadySearch(toBytes(text));
  return (bytes, from, to) => (mayHold(bytes, from, to) ? find(bytes, from, to) : -1);
}

/**
 * Horspool's search: looks at the byte where the text would end, and skips as far as that byte allows.
 * @returns a function that says whether the text is there; also true if there was too much to compare, as when one
 * searches 'abaa' in 'aaaa'
 */
export function createTextCheck(text: string): (bytes: Uint8Array, from: number, to: number) => boolean {
  const wanted = toBytes(text);
  const last = wanted.length - 1;
  const lastByte = wanted[last] ?? 0;
  // By the byte that was looked at; 0: the text may end there.
  const skips = new Uint8Array(256).fill(Math.min(wanted.length, mostSkip));
  for (const [index, byte] of wanted.subarray(0, last).entries())
    for (const one of casesOf(byte)) skips[one] = Math.min(last - index, mostSkip);
  const skipAfter = skips[lastByte] ?? 1;
  for (const one of casesOf(lastByte)) skips[one] = 0;
  let mayCompare = 0;

  function mayEndAt(bytes: Uint8Array, end: number): boolean {
    let back = 1;
    while (back <= last && toLowerCase(bytes[end - back] ?? 0) === wanted[last - back]) back++;
    mayCompare -= back;
    return back > last || mayCompare < 0;
  }

  function mayEndBetween(bytes: Uint8Array, from: number, to: number): boolean {
    for (let at = from; at < to; ) {
      const skip = skips[bytes[at] ?? 0] ?? 1;
      if (skip !== 0) at += skip;
      else if (mayEndAt(bytes, at)) return true;
      else at += skipAfter;
    }
    return false;
  }

  // Looks at four places in turn: two looks that depend on each other make a processor wait. Twice as fast.
  return (bytes, from, to) => {
    mayCompare = to - from;
    const quarter = Math.max(0, to - from - last) >>> 2;
    let a = from + last;
    let b = a + quarter;
    let c = b + quarter;
    let d = c + quarter;
    const [toA, toB, toC] = [b, c, d];
    while (a < toA && b < toB && c < toC && d < to) {
      const skipA = skips[bytes[a] ?? 0] ?? 1;
      const skipB = skips[bytes[b] ?? 0] ?? 1;
      const skipC = skips[bytes[c] ?? 0] ?? 1;
      const skipD = skips[bytes[d] ?? 0] ?? 1;
      if (skipA !== 0) a += skipA;
      else if (mayEndAt(bytes, a)) return true;
      else a += skipAfter;
      if (skipB !== 0) b += skipB;
      else if (mayEndAt(bytes, b)) return true;
      else b += skipAfter;
      if (skipC !== 0) c += skipC;
      else if (mayEndAt(bytes, c)) return true;
      else c += skipAfter;
      if (skipD !== 0) d += skipD;
      else if (mayEndAt(bytes, d)) return true;
      else d += skipAfter;
    }
    const rests = [mayEndBetween(bytes, a, toA), mayEndBetween(bytes, b, toB), mayEndBetween(bytes, c, toC)];
    return rests.includes(true) || mayEndBetween(bytes, d, to);
  };
}

const mostSkip = 255;

/** The search of Knuth, Morris and Pratt: looks at each byte once, whatever the text. */
function createSteadySearch(wanted: Uint8Array): TextFinder {
  // How much of the text is still found, by how much had been found before a byte that does not fit.
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
