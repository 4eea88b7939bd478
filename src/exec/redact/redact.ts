// Takes a run's secrets out of everything that leaves its sandbox, before it is stored or sent.

import type { JsonValue } from '../../domain/job.ts';
import { cutBefore } from '../spool/spool-cut.ts';
import { createNeedleScan, type NeedleScan, type Stretch } from './needle-scan.ts';
import { needlesOf } from './needles.ts';

export type Redactor = {
  /** True when there is nothing to look for; all the rest is then the identity. */
  readonly isEmpty: boolean;
  /** The same buffer when it holds no secret. */
  bytes(bytes: Buffer): Buffer;
  text(text: string): string;
  /** Keys and texts; a number that reads like a secret becomes a text. */
  json<T extends JsonValue>(value: T): T;
  stream(): RedactionStream;
};

/** For bytes that come in pieces. Nothing is held back behind a newline. */
export type RedactionStream = {
  /** What can be given out by now. May be the given buffer, or a part of it. */
  push(bytes: Buffer): Buffer;
  flush(): Buffer;
  /** Input, up to the end of the last push, that must be read again by whoever resumes from what was given out. */
  readonly heldBytes: number;
};

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
  const find = (bytes: Buffer) => joined(inLines.find(bytes), overLines.find(bytes));

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

/** Of both together: ascending, overlapping and adjoining ones as one. */
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

/** The bytes up to `end`. A stretch that begins before 0 has its replacement out already. */
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

function createStream(scan: NeedleScan): RedactionStream {
  let held = nothing;
  /** A stretch whose replacement is out and that reaches up to `held` or into it; counted from where `held` begins. */
  let begun: Stretch | undefined;

  function give(bytes: Buffer, settledEnd: (joined: Buffer) => number): Buffer {
    const joined = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
    const end = settledEnd(joined);
    const stretches = scan.find(joined);
    if (begun) prepend(begun, stretches);
    const settled = stretches.filter(({ from }) => from < end);
    const last = settled.at(-1);
    begun = last && last.to >= end ? { from: last.from - end, to: last.to - end } : undefined;
    // A copy: the given buffer is its owner's again after this call.
    held = end === joined.length ? nothing : Buffer.from(joined.subarray(end));
    return replace(joined, settled, end);
  }

  /** Every match that begins before it is complete: needles hold no newline. */
  function settledEnd(bytes: Buffer): number {
    const lineStart = bytes.lastIndexOf(newline) + 1;
    return Math.max(lineStart, cutBefore(bytes, Math.max(0, bytes.length - scan.longestBytes + 1)));
  }

  return {
    push: (bytes) => give(bytes, settledEnd),
    flush() {
      const rest = give(nothing, (joined) => joined.length);
      begun = undefined;
      return rest;
    },
    get heldBytes() {
      return held.length + (begun ? -begun.from : 0);
    },
  };
}

function prepend(first: Stretch, stretches: Stretch[]): void {
  let { to } = first;
  while (stretches[0] && stretches[0].from <= to) to = Math.max(to, stretches.shift()?.to ?? to);
  stretches.unshift({ from: first.from, to });
}
