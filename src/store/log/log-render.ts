// Chunks → what is shown of them: line objects, text, JSON lines, and the SSE frames of a run's log. All but the objects are
// made of bytes alone: a string or an object for each line costs more than everything else together.

import { isUtf8 } from 'node:buffer';
import { type LogLine, logLevels } from '../../domain/log-line.ts';
import {
  type Chunk,
  type ChunkPart,
  eachLine,
  levelBits,
  levelOf,
  recoveredFlag,
  stderrFlag,
  structuredFlag,
} from './log-chunk.ts';
import { parseStructured, type Structured } from './log-structured.ts';

export function toLines(part: ChunkPart): LogLine[] {
  const { chunk } = part;
  const toTimestamp = createTimestamps();
  const lines: LogLine[] = [];
  eachLine(part, (index, flags, start, end) => {
    const text = chunk.file.toString('utf8', start, end);
    const structured = flags & structuredFlag ? parseStructured(text) : undefined;
    lines.push({
      seq: chunk.firstSeq + index,
      timestamp: toTimestamp(chunk.firstAtUs + index),
      level: levelOf(flags),
      message: structured?.message ?? text,
      step_id: chunk.stepId,
      stream: streamOf(flags),
      attempt: chunk.attempt,
      ...(flags & recoveredFlag ? { recovered: true as const } : {}),
      ...(structured && hasMembers(structured.fields) && { fields: structured.fields }),
    });
  });
  return lines;
}

/** Puts lines one behind the other, in a buffer that is used again. */
export type LineEncoder = {
  readonly add: (part: ChunkPart) => void;
  /** Bytes that were added and not taken. */
  readonly size: number;
  /** All of them; good until more is added. */
  readonly take: () => Buffer;
};

/** The first `size` bytes are taken. */
type Room = { bytes: Buffer; size: number };

/** What stands around the members of a line. */
type LineForm = { readonly beforeSeq: string; readonly afterSeq: string; readonly end: string };

/** The messages alone. */
export const createTextEncoder = (): LineEncoder => createEncoder(addText);
/** JSON.stringify of each line. */
export const createJsonEncoder = (): LineEncoder =>
  createEncoder(createJsonAdder({ beforeSeq: '{"seq":', afterSeq: ',"timestamp":"', end: '}\n' }));
/** SSE frames of /runs/{id}/logs. */
export const createFrameEncoder = (): LineEncoder =>
  createEncoder(createJsonAdder({ beforeSeq: 'id: ', afterSeq: '\nevent: log\ndata: {"timestamp":"', end: '}\n\n' }));

function createEncoder(add: (room: Room, part: ChunkPart) => void): LineEncoder {
  const room: Room = { bytes: nothing, size: 0 };
  return {
    add: (part) => add(room, part),
    get size() {
      return room.size;
    },
    take() {
      const taken = room.bytes.subarray(0, room.size);
      room.size = 0;
      return taken;
    },
  };
}

/** Room for so many bytes more. What is not written to takes no memory. */
function reserve(room: Room, bytes: number): void {
  const needed = room.size + bytes;
  if (needed <= room.bytes.length) return;
  const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * room.bytes.length));
  room.bytes.copy(larger, 0, 0, room.size);
  room.bytes = larger;
}

function put(room: Room, bytes: Buffer): void {
  reserve(room, bytes.length);
  room.bytes.set(bytes, room.size);
  room.size += bytes.length;
}

/** Lines that stand behind each other are copied together. */
function addText(room: Room, part: ChunkPart): void {
  const { file } = part.chunk;
  let runStart = 0;
  let runEnd = 0;
  const putRun = (): void => {
    const run = file.subarray(runStart, runEnd);
    put(room, isUtf8(run) ? run : Buffer.from(run.toString()));
  };
  eachLine(part, (_index, flags, start, end) => {
    const isStructured = (flags & structuredFlag) !== 0;
    if (start !== runEnd || isStructured) {
      putRun();
      runStart = start;
    }
    runEnd = end + 1;
    if (!isStructured) return;
    const line = file.toString('utf8', start, end);
    put(room, Buffer.from(`${parseStructured(line)?.message ?? line}\n`));
    runStart = runEnd;
  });
  putRun();
}

const nothing = Buffer.alloc(0);
const quote = 0x22;
const backslash = 0x5c;
const firstPrintable = 0x20;
const escapes = Array.from({ length: backslash + 1 }, (_, code) => jsonText(String.fromCharCode(code)));
/** A control character: `\u001b`. */
const mostBytesOfByte = 6;
const levelEnds = logLevels.map((level) => Buffer.from(`${level}","message":"`));

function createJsonAdder(form: LineForm): (room: Room, part: ChunkPart) => void {
  const heads = createLineHeads(form);

  return (room, part) => {
    const { chunk } = part;
    const { file, textStart, textEnd } = chunk;
    const isText = isUtf8(file.subarray(textStart, textEnd));
    const tails = createTails(chunk, form);
    eachLine(part, (index, flags, start, end) => {
      reserve(room, heads.mostBytes + mostBytesOfByte * (end - start));
      room.size = heads.write(room.bytes, room.size, chunk.firstSeq + index, chunk.firstAtUs + index);
      put(room, levelEnds[flags & levelBits] ?? nothing);
      const structured = flags & structuredFlag ? parseStructured(file.toString('utf8', start, end)) : undefined;
      if (structured) put(room, jsonText(structured.message));
      else if (isText) room.size = escapeInto(room.bytes, room.size, file, start, end);
      else put(room, jsonText(file.toString('utf8', start, end)));
      put(room, tails(flags, structured?.fields));
    });
  };
}

/** Bytes of UTF-8 as they stand between the quotes of JSON. */
function escapeInto(out: Buffer, from: number, file: Buffer, start: number, end: number): number {
  let at = from;
  for (let i = start; i < end; i++) {
    const byte = file[i] ?? 0;
    if (byte >= firstPrintable && byte !== quote && byte !== backslash) out[at++] = byte;
    else for (const escaped of escapes[byte] ?? nothing) out[at++] = escaped;
  }
  return at;
}

/** What stands between the quotes. */
function jsonText(text: string): Buffer {
  return Buffer.from(JSON.stringify(text).slice(1, -1));
}

/** The beginning of a line up to its level. Most lines are of the same second, so only the digits are written for each. */
function createLineHeads({ beforeSeq, afterSeq }: LineForm) {
  const mostSeqDigits = 15;
  const microDigits = 6;
  const timeLength = '2026-01-01T00:00:00.000000'.length;
  const end = 'Z","level":"';
  let template = nothing;
  let second = Number.NaN;
  let seqLimit = 0;
  let seqEnd = 0;
  return {
    mostBytes: beforeSeq.length + mostSeqDigits + afterSeq.length + timeLength + end.length,
    write(out: Buffer, at: number, seq: number, atUs: number): number {
      const ofSecond = Math.floor(atUs / 1e6);
      if (ofSecond !== second || seq >= seqLimit || seq * 10 < seqLimit) {
        const digits = String(seq);
        second = ofSecond;
        seqLimit = 10 ** digits.length;
        seqEnd = beforeSeq.length + digits.length;
        const time = new Date(second * 1000).toISOString().slice(0, -4);
        template = Buffer.from(`${beforeSeq}${digits}${afterSeq}${time}${'0'.repeat(microDigits)}${end}`);
      }
      out.set(template, at);
      writeDigits(out, at + seqEnd, seq);
      writeDigits(out, at + template.length - end.length, atUs - ofSecond * 1e6);
      return at + template.length;
    },
  };
}

/** The digits of a whole number, up to `end`; what is left of them in front stays. */
function writeDigits(out: Buffer, end: number, value: number): void {
  let at = end;
  for (let rest = value; rest > 0; ) {
    const tenth = Math.floor(rest / 10);
    out[--at] = 0x30 + rest - tenth * 10;
    rest = tenth;
  }
}

/** What follows a message. */
function createTails(
  { stepId, attempt }: Chunk,
  { end }: LineForm,
): (flags: number, fields: Structured['fields'] | undefined) => Buffer {
  const tail = (flags: number, members: string): Buffer =>
    Buffer.from(
      `","step_id":${JSON.stringify(stepId)},"stream":"${streamOf(flags)}","attempt":${attempt}` +
        `${flags & recoveredFlag ? ',"recovered":true' : ''}${members}${end}`,
    );
  const tails = [0, stderrFlag, recoveredFlag, stderrFlag | recoveredFlag].map((flags) => tail(flags, ''));
  return (flags, fields) => {
    if (fields && hasMembers(fields)) return tail(flags, `,"fields":${JSON.stringify(fields)}`);
    return tails[(flags & stderrFlag ? 1 : 0) + (flags & recoveredFlag ? 2 : 0)] ?? nothing;
  };
}

function streamOf(flags: number): 'stdout' | 'stderr' {
  return flags & stderrFlag ? 'stderr' : 'stdout';
}

/** toMicroTimestamp for lines of the same second: 0.1 µs each, where a Date costs 0.4. */
function createTimestamps(): (atUs: number) => string {
  let second = Number.NaN;
  let prefix = '';
  return (atUs) => {
    const thisSecond = Math.floor(atUs / 1e6);
    if (thisSecond !== second) {
      second = thisSecond;
      prefix = new Date(thisSecond * 1000).toISOString().slice(0, -4);
    }
    return `${prefix}${String(atUs - thisSecond * 1e6).padStart(6, '0')}Z`;
  };
}

function hasMembers(fields: object): boolean {
  return Object.keys(fields).length > 0;
}
