// Finds the text that a reader sees: without colours, NULs and characters that have no width. If such characters
// interrupt a secret, people can still read it, and copy it in one piece. In JSON, these characters may be written as
// escapes.

import { isAscii } from 'node:buffer';
import { isInvisible } from '../../lib/plain-text.ts';
import type { Stretch } from './needle-scan.ts';

/** The bytes that a reader sees, and their positions in the text. */
type Visible = {
  readonly bytes: Buffer;
  /** Positions in `bytes`, ascending. Before each of them, something was left out of the text. */
  readonly gaps: readonly number[];
  /** For each gap, how many bytes were left out from the start of the text up to this gap. */
  readonly leftOut: readonly number[];
};

const escapeByte = 0x1b;
const newline = 10;
const bell = 7;
const backslash = 0x5c;
/** The bytes that end a sequence without a bracket, as in `stripVTControlCharacters`. */
const isShortEnd = new Uint8Array(256);
for (const byte of Buffer.from('0123456789ABCDEFGHIJKLMNOPRSTZcfghijklmntqry=><~')) isShortEnd[byte] = 1;
/** Marks each byte at which something invisible may begin. */
const mayBegin = Uint8Array.from({ length: 256 }, (_, byte) =>
  Number(byte >= 0x80 || byte === backslash || isInvisible(byte)),
);

/**
 * Whether the text may contain anything invisible. This takes a tenth of the time of the search for secrets. Other
 * control characters do not count, because every program that shows text shows a sign for them.
 */
function mayHide(bytes: Buffer): boolean {
  return bytes.includes(escapeByte) || bytes.includes(0) || bytes.includes('\\u') || !isAscii(bytes);
}

function visibleIn(bytes: Buffer): Visible | undefined {
  if (!mayHide(bytes)) return undefined;
  const visible = Buffer.allocUnsafe(bytes.length);
  const gaps: number[] = [];
  const leftOut: number[] = [];
  let length = 0;
  let copied = 0;
  for (let at = nextPlace(bytes, 0); at < bytes.length; ) {
    const end = endOfInvisible(bytes, at);
    if (end > at) {
      if (at > copied || gaps.length === 0) {
        // For a few bytes, a call of native code would take longer.
        if (at - copied > 64) length += bytes.copy(visible, length, copied, at);
        else while (copied < at) visible[length++] = bytes[copied++] ?? 0;
        gaps.push(length);
        leftOut.push(0);
      }
      copied = end;
      leftOut[leftOut.length - 1] = end - length;
    }
    at = nextPlace(bytes, Math.max(end, at + 1));
  }
  if (gaps.length === 0) return undefined;
  length += bytes.copy(visible, length, copied);
  return { bytes: visible.subarray(0, length), gaps, leftOut };
}

/** Returns the position of the next byte at which something invisible may begin. */
function nextPlace(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && mayBegin[bytes[at] ?? 0] === 0) at++;
  return at;
}

/** Returns the end of the invisible part that begins at `at`; `at` itself if it is visible. */
function endOfInvisible(bytes: Buffer, at: number): number {
  const byte = bytes[at] ?? 0;
  if (byte === escapeByte) return endOfLink(bytes, at + 1) ?? endOfSequence(bytes, at + 1);
  if (byte === backslash) return endOfJsonEscape(bytes, at);
  if (byte < 0x80) return at + 1;
  const size = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
  let code = byte & (0x7f >> size);
  for (let i = 1; i < size; i++) code = (code << 6) | ((bytes[at + i] ?? 0) & 0x3f);
  if (at + size > bytes.length || !isInvisible(code)) return at;
  return code === 0x9b ? endOfShort(bytes, at + size) : at + size;
}

/**
 * Returns the end of an invisible part that begins with a JSON escape. JSON writes a character beyond 16 bits as two
 * escapes.
 */
function endOfJsonEscape(bytes: Buffer, at: number): number {
  const code = jsonCode(bytes, at);
  const end = at + 6;
  if (code === escapeByte) return endOfSequence(bytes, end);
  if (code === 0x9b) return endOfShort(bytes, end);
  if (code >= 0xd800 && code < 0xdc00) {
    const pair = ((code - 0xd800) << 10) + (jsonCode(bytes, end) - 0xdc00) + 0x10000;
    return isInvisible(pair) ? end + 6 : at;
  }
  return isInvisible(code) ? end : at;
}

/** Returns the number in an escape such as `\u200b`; -1 if there is no escape. */
function jsonCode(bytes: Buffer, at: number): number {
  if (bytes[at] !== backslash || bytes[at + 1] !== 0x75) return -1;
  const digits = bytes.toString('latin1', at + 2, at + 6);
  return /^[\da-f]{4}$/i.test(digits) ? Number.parseInt(digits, 16) : -1;
}

/**
 * Returns the end of an OSC sequence, which sets a link's address or the terminal's title. `at` is the place after ESC.
 * Returns undefined if no OSC sequence begins there.
 */
function endOfLink(bytes: Buffer, at: number): number | undefined {
  if (bytes[at] !== 0x5d) return undefined;
  let end = at + 1;
  while (end < bytes.length && bytes[end] !== bell && bytes[end] !== escapeByte && bytes[end] !== newline) end++;
  if (end === bytes.length || bytes[end] === bell) return Math.min(end + 1, bytes.length);
  return bytes[end] === escapeByte && bytes[end + 1] === backslash ? end + 2 : at;
}

/**
 * Returns the end of a sequence (ECMA-48). `at` is the place after ESC. If no sequence begins there, only ESC itself is
 * left out.
 */
function endOfSequence(bytes: Buffer, at: number): number {
  const isControl = bytes[at] === 0x5b;
  let end = isControl ? at + 1 : at;
  if (isControl) while (isBetween(bytes[end], 0x30, 0x3f)) end++;
  while (isBetween(bytes[end], 0x20, 0x2f)) end++;
  if (end === at) return endOfShort(bytes, at);
  if (end === bytes.length) return end;
  return isBetween(bytes[end], isControl ? 0x40 : 0x30, 0x7e) ? end + 1 : at;
}

function endOfShort(bytes: Buffer, at: number): number {
  let end = at;
  while (isBetween(bytes[end], 0x30, 0x39) || bytes[end] === 0x3b) end++;
  if (isShortEnd[bytes[end] ?? 0] === 1) return end + 1;
  return end > at && bytes[end - 1] !== 0x3b ? end : at;
}

function isBetween(byte: number | undefined, least: number, most: number): boolean {
  return byte !== undefined && byte >= least && byte <= most;
}

/**
 * Returns a function that turns positions in the visible bytes into positions in the text. The positions must be
 * ascending.
 */
function createPlaces({ gaps, leftOut }: Visible): (at: number) => number {
  let next = 0;
  return (at) => {
    while ((gaps[next] ?? Number.POSITIVE_INFINITY) <= at) next++;
    return at + (leftOut[next - 1] ?? 0);
  };
}

/** Returns what `find` finds in the visible part of the text, or an empty list if all of the text is visible. */
export function findVisible(bytes: Buffer, find: (bytes: Buffer) => Stretch[]): Stretch[] {
  const visible = visibleIn(bytes);
  if (!visible) return [];
  const placeOf = createPlaces(visible);
  return find(visible.bytes).map(({ from, to }) => ({ from: placeOf(from), to: placeOf(to - 1) + 1 }));
}

/** Room for a sequence or a character whose rest has not arrived yet. */
const unfinishedBytes = 16;
/** In a line that arrives in pieces, a secret may be missed if more invisible bytes than this are between its parts. */
const mostEndBytes = 4_096;

/** Returns a position after which `bytes` contain at least `count` visible bytes. */
export function endWithVisible(bytes: Buffer, count: number): number {
  const from = Math.max(0, bytes.length - mostEndBytes);
  const visible = visibleIn(bytes.subarray(from));
  if (!visible) return Math.max(0, bytes.length - count);
  const at = visible.bytes.length - count - unfinishedBytes;
  return at <= 0 ? from : from + createPlaces(visible)(at);
}
