// Chunks → what is shown of them: line objects, and the SSE frames of a run's log.

import { isAscii } from 'node:buffer';
import type { LogLine } from '../domain/log-line.ts';
import { type Chunk, eachLine, levelOf, recoveredFlag, stderrFlag, structuredFlag } from './log-chunk.ts';
import { parseStructured } from './log-structured.ts';

/** A chunk's lines from the index `from` on. */
export type ChunkPart = { readonly chunk: Chunk; readonly from: number };

/** The lines of a chunk from the index `from` on, those that `isWanted` says. */
export function toLines(
  chunk: Chunk,
  from: number,
  isWanted?: (flags: number, start: number, end: number) => boolean,
): LogLine[] {
  const toTimestamp = createTimestamps();
  const lines: LogLine[] = [];
  eachLine(chunk, from, (index, flags, start, end) => {
    if (isWanted && !isWanted(flags, start, end)) return;
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

export type FrameEncoder = (parts: readonly ChunkPart[]) => Buffer;

/** One per store: its buffer is used again by each call, and what is returned is a copy of the right size. */
export function createFrameEncoder(): FrameEncoder {
  let out = Buffer.alloc(0);

  return (parts) => {
    const toTimestamp = createTimestamps();
    let size = 0;
    let frames = '';

    // Encoded a few at a time: one string of them all takes four times as long to flatten.
    function encodeFrames(): void {
      if (size + 3 * frames.length > out.length) {
        out = Buffer.concat([out.subarray(0, size)], 2 * out.length + 3 * frames.length);
      }
      size += out.write(frames, size);
      frames = '';
    }

    for (const { chunk, from } of parts) {
      const { file, textStart, textEnd } = chunk;
      // A slice of a string costs a third of decoding each line.
      const isPlain = isAscii(file.subarray(textStart, textEnd));
      const text = isPlain ? file.toString('latin1', textStart, textEnd) : undefined;
      const tail = `,"step_id":${JSON.stringify(chunk.stepId)},"stream":"`;
      const end = `","attempt":${chunk.attempt}`;
      eachLine(chunk, from, (index, flags, start, stop) => {
        const line = text?.slice(start - textStart, stop - textStart) ?? file.toString('utf8', start, stop);
        const structured = flags & structuredFlag ? parseStructured(line) : undefined;
        const fields =
          structured && hasMembers(structured.fields) ? `,"fields":${JSON.stringify(structured.fields)}` : '';
        frames +=
          `id: ${chunk.firstSeq + index}\nevent: log\ndata: {"timestamp":"${toTimestamp(chunk.firstAtUs + index)}",` +
          `"level":"${levelOf(flags)}","message":${JSON.stringify(structured?.message ?? line)}` +
          `${tail}${streamOf(flags)}${end}${flags & recoveredFlag ? ',"recovered":true' : ''}${fields}}\n\n`;
        if (frames.length > encodedLength) encodeFrames();
      });
    }
    encodeFrames();
    return Buffer.from(out.subarray(0, size));
  };
}

const encodedLength = 4096;

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
