// Removes a run's secrets from everything that leaves its sandbox, before it is stored or sent.

import type { JsonValue } from '../../domain/job.ts';
import { cutBefore } from '../spool/spool-cut.ts';
import { endWithVisible, findVisible } from './invisible.ts';
import { createNeedleScan, type NeedleScan, type Stretch } from './needle-scan.ts';
import { needlesOf } from './needles.ts';

export type Redactor = {
  /** True if there is nothing to search for. Then all functions return their input. */
  readonly isEmpty: boolean;
  /** Returns the same buffer if it contains no secret. */
  bytes(bytes: Buffer): Buffer;
  text(text: string): string;
  /** Redacts keys and texts. A number that looks like a secret becomes a text. */
  json<T extends JsonValue>(value: T): T;
  stream(): RedactionStream;
};

/** Redacts bytes that come in pieces. Everything up to the last newline is returned at once. */
export type RedactionStream = ReturnType<typeof createStream>;

const replacement = '[redacted]';
const replacementBytes = Buffer.from(replacement);
const nothing: Buffer = Buffer.alloc(0);
const newline = 10;

export function createRedactor(secrets: Iterable<string>): Redactor {
  const values = [...secrets];
  const needles = needlesOf(values);
  if (needles.length === 0) return identity;
  const inLines = createNeedleScan(needles.filter((needle) => !needle.includes('\n')));
  const overLines = createNeedleScan(needles.filter((needle) => needle.includes('\n')));
  const findPlain = (bytes: Buffer) => joined(inLines.find(bytes), overLines.find(bytes));
  const find = (bytes: Buffer) => joined(findPlain(bytes), findVisible(bytes, findPlain));

  function text(value: string): string {
    const given = Buffer.from(value);
    const stretches = find(given);
    return stretches.length === 0 ? value : replace(given, stretches, given.length).toString();
  }

  function json<T extends JsonValue>(value: T): T;
  function json(value: JsonValue): JsonValue {
    if (typeof value === 'string') return text(value);
    if (typeof value === 'number') {
      const shown = text(String(value));
      return shown === String(value) ? value : shown;
    }
    if (value === null || typeof value === 'boolean') return value;
    if (Array.isArray(value)) return value.map((item) => json(item));
    const members = new Map<string, JsonValue>();
    for (const [key, member] of Object.entries(value)) {
      const name = text(key);
      let unique = name;
      for (let n = 2; members.has(unique); n++) unique = `${name} (${n})`;
      members.set(unique, json(member));
    }
    return Object.fromEntries(members);
  }

  return {
    isEmpty: false,
    bytes(given) {
      const stretches = find(given);
      return stretches.length === 0 ? given : replace(given, stretches, given.length);
    },
    text,
    json,
    stream: () => createStream(inLines),
  };
}

const identity: Redactor = {
  isEmpty: true,
  bytes: (bytes) => bytes,
  text: (text) => text,
  json: (value) => value,
  stream: () => ({ push: (bytes) => bytes, flush: () => nothing, heldBytes: 0 }),
};

/** Merges both lists in ascending order, and joins stretches that overlap or adjoin. */
function joined(some: Stretch[], others: Stretch[]): Stretch[] {
  if (others.length === 0) return some;
  const all: Stretch[] = [];
  for (const { from, to } of [...some, ...others].toSorted((a, b) => a.from - b.from)) {
    const last = all.at(-1);
    if (last && from <= last.to) last.to = Math.max(last.to, to);
    else all.push({ from, to });
  }
  return all;
}

/**
 * Returns the bytes up to `end`, with the stretches replaced. For a stretch that begins before 0, the replacement was
 * returned earlier.
 */
function replace(bytes: Buffer, stretches: readonly Stretch[], end: number): Buffer {
  if (stretches.length === 0) return bytes.subarray(0, end);
  const out = Buffer.allocUnsafe(bytes.length + stretches.length * replacement.length);
  let length = 0;
  let at = 0;
  for (const { from, to } of stretches) {
    if (from >= 0) {
      length += bytes.copy(out, length, at, from);
      length += replacementBytes.copy(out, length);
    }
    at = to;
  }
  length += bytes.copy(out, length, at, Math.max(at, end));
  return out.subarray(0, length);
}

function createStream(scan: NeedleScan) {
  const bothOf = (bytes: Buffer) => joined(scan.find(bytes), findVisible(bytes, scan.find));
  let held = nothing;
  /**
   * The last stretch whose replacement has been returned, if it ends at the start of `held` or later. Its positions
   * count from the start of `held`.
   */
  let begun: Stretch | undefined;

  function give(bytes: Buffer, settledEnd: (joined: Buffer) => number): Buffer {
    const joined = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
    const end = settledEnd(joined);
    const stretches = bothOf(joined);
    if (begun) prepend(begun, stretches);
    const settled = stretches.filter(({ from }) => from < end);
    const last = settled.at(-1);
    begun = last && last.to >= end ? { from: last.from - end, to: last.to - end } : undefined;
    // `held` is a copy, because the caller may use its buffer again after this call.
    held = end === joined.length ? nothing : Buffer.from(joined.subarray(end));
    return replace(joined, settled, end);
  }

  /**
   * Returns a position before which every match is complete. The needles of a stream contain no newline, so no match
   * extends over the end of a line.
   */
  function settledEnd(bytes: Buffer): number {
    const lineStart = bytes.lastIndexOf(newline) + 1;
    return Math.max(lineStart, cutBefore(bytes, endWithVisible(bytes, scan.longestBytes - 1)));
  }

  return {
    /** Returns the bytes that are safe by now. They may be the given buffer itself, or a part of it. */
    push: (bytes: Buffer): Buffer => give(bytes, settledEnd),
    flush(): Buffer {
      const rest = give(nothing, (joined) => joined.length);
      begun = undefined;
      return rest;
    },
    /**
     * How many bytes at the end of the input have not been returned yet. A later process must read these bytes again.
     */
    get heldBytes(): number {
      return held.length + (begun ? -begun.from : 0);
    },
  };
}

function prepend(first: Stretch, stretches: Stretch[]): void {
  let { to } = first;
  while (stretches[0] && stretches[0].from <= to) to = Math.max(to, stretches.shift()?.to ?? to);
  stretches.unshift({ from: first.from, to });
}
