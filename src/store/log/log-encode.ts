// Turns bytes of a spool into chunks. It works on bytes and makes no object for a line, because a script that prints
// 100 MB must not wait for its log.

import { findMark, logLevels, progressMark, spoolMark, spoolMarks } from '../../domain/log-line.ts';
import type { Progress } from '../../domain/run.ts';
import {
  levelBits,
  recoveredFlag,
  type SpoolPosition,
  stderrFlag,
  structuredFlag,
  textStartOf,
  writeHead,
} from './log-chunk.ts';
import { structuredLevel } from './log-structured.ts';

export type SpoolBytes = {
  readonly attempt: number;
  readonly stepId: string;
  /** Whole lines. If the last byte is not a newline, the bytes after the last newline count as a line, too. */
  readonly bytes: Buffer;
  /** True if the lines were printed while no server read the spool. */
  readonly isRecovered: boolean;
  /** The position in the spool before these bytes, and the position after them. */
  readonly from: SpoolPosition;
  readonly to: SpoolPosition;
};

export type EncodedChunk = {
  readonly start: number;
  readonly end: number;
  readonly lineCount: number;
  readonly lastSeq: number;
  readonly firstAtUs: number;
  readonly lastAtUs: number;
  readonly textBytes: number;
  /** The part of the input that the chunk contains. */
  readonly inputStart: number;
  readonly inputEnd: number;
  readonly spool: SpoolPosition;
};

/** `afterSeq` is the number of the last line that was printed before the progress was reported. */
export type ReportedProgress = Progress & { readonly afterSeq: number };

export type Encoded = {
  /** The chunks, one after the other. They are valid until the next call. */
  readonly out: Buffer;
  readonly chunks: readonly EncodedChunk[];
  readonly progress: readonly ReportedProgress[];
};

export type ChunkEncoder = (
  input: SpoolBytes,
  at: { readonly firstSeq: number; readonly firstAtUs: number; readonly chunkTextBytes: number },
) => Encoded;

/**
 * A chunk is read, held back and sent as a whole. The limit on lines is needed, too: a chunk of 64 KiB of empty lines
 * would become megabytes of SSE.
 */
export const maxChunkTextBytes = 65_536;
const maxChunkLines = 4096;

const rs = String.fromCharCode(spoolMark);
const newline = 0x0a;
const carriageReturn = 0x0d;
const openBrace = 0x7b;
const closeBrace = 0x7d;
/** An entry of the table has one byte for the flags and at most five bytes for the length. */
const maxEntryBytes = 6;

const stdoutFlags = logLevels.indexOf('info');
const noMark = 0xff;
const progressFlags = 0xfe;
/** The flags of a line that begins with RS, by the letter after RS. */
const flagsOfMark = new Uint8Array(256).fill(noMark);
flagsOfMark[progressMark.charCodeAt(0)] = progressFlags;
for (const [letter, { stream, level }] of Object.entries(spoolMarks)) {
  flagsOfMark[letter.charCodeAt(0)] = logLevels.indexOf(level) | (stream === 'stderr' ? stderrFlag : 0);
}

/** Turns a message of flwd itself into a line with the mark for such lines. */
export function engineLine(message: string): Buffer {
  const line = message.replaceAll('\n', ' ').replaceAll(rs, ' ');
  return Buffer.from(`${rs}W${line}\n`);
}

/** Create one per store. All calls share its buffers. */
export function createChunkEncoder(): ChunkEncoder {
  let out = Buffer.alloc(0);
  const table = new Uint8Array(maxChunkLines * maxEntryBytes);

  return (input, at) => {
    const { bytes, from, stepId } = input;
    const recovered = input.isRecovered ? recoveredFlag : 0;
    const size = bytes.length;
    const capacity = capacityFor(size, textStartOf(0, stepId), at.chunkTextBytes);
    if (out.length < capacity) out = Buffer.allocUnsafeSlow(capacity);

    const chunks: EncodedChunk[] = [];
    const progress: ReportedProgress[] = [];
    let { firstSeq, firstAtUs } = at;
    let start = 0;
    let position = 0;
    let mark = findMark(bytes, 0);
    let lineEnd = -1;

    while (position < size) {
      const inputStart = position;
      const textStart = textStartOf(start, stepId);
      let text = textStart;
      let tableBytes = 0;
      let lineCount = 0;
      let highestLevel = 0;
      // Consecutive lines that need no change are copied together, from this position on.
      let verbatimFrom = position;

      while (
        position < size &&
        text + position - verbatimFrom - textStart < at.chunkTextBytes &&
        lineCount < maxChunkLines
      ) {
        const lineStart = position;
        let contentStart = position;
        let flags = stdoutFlags;
        if (mark === position) {
          flags = flagsOfMark[bytes[position + 1] ?? 0] ?? noMark;
          contentStart += 2;
          mark = findMark(bytes, contentStart);
        }
        if (lineEnd < contentStart) {
          const found = bytes.indexOf(newline, contentStart);
          lineEnd = found < 0 ? size : found;
        }
        let contentEnd = lineEnd;
        if (mark < lineEnd) {
          contentEnd = mark;
          position = mark;
        } else {
          position = Math.min(size, lineEnd + 1);
          if (lineEnd < size && contentEnd > contentStart && bytes[contentEnd - 1] === carriageReturn) contentEnd--;
        }

        if (flags === progressFlags) {
          const said = parseProgress(bytes.toString('utf8', contentStart, contentEnd));
          if (said) {
            text += bytes.copy(out, text, verbatimFrom, lineStart);
            verbatimFrom = position;
            progress.push({ ...said, afterSeq: firstSeq + lineCount - 1 });
            continue;
          }
          flags = stdoutFlags;
        }
        if (bytes[contentStart] === openBrace && bytes[contentEnd - 1] === closeBrace) {
          const level = structuredLevel(bytes.toString('utf8', contentStart, contentEnd));
          if (level) flags = (flags & stderrFlag) | structuredFlag | logLevels.indexOf(level);
        }
        if (contentStart !== lineStart || position !== contentEnd + 1) {
          if (verbatimFrom < lineStart) text += bytes.copy(out, text, verbatimFrom, lineStart);
          text += bytes.copy(out, text, contentStart, contentEnd);
          out[text++] = newline;
          verbatimFrom = position;
        }
        if ((flags & levelBits) > highestLevel) highestLevel = flags & levelBits;
        table[tableBytes++] = flags | recovered;
        let length = contentEnd - contentStart;
        for (; length >= 0x80; length >>>= 7) table[tableBytes++] = (length & 0x7f) | 0x80;
        table[tableBytes++] = length;
        lineCount++;
      }
      text += bytes.copy(out, text, verbatimFrom, position);
      if (lineCount === 0) break;

      out.set(table.subarray(0, tableBytes), text);
      const end = text + tableBytes;
      const spool = position === size ? input.to : { offset: from.offset, aheadBytes: from.aheadBytes + position };
      const head = { firstSeq, lineCount, firstAtUs, highestLevel, attempt: input.attempt, stepId, spool };
      writeHead(out, start, end, text - textStart, head);
      const textBytes = text - textStart;
      const lastSeq = firstSeq + lineCount - 1;
      const lastAtUs = firstAtUs + lineCount - 1;
      const range = { lineCount, lastSeq, firstAtUs, lastAtUs };
      chunks.push({ start, end, ...range, textBytes, inputStart, inputEnd: position, spool });
      start = end;
      firstSeq = lastSeq + 1;
      firstAtUs = lastAtUs + 1;
    }
    return { out, chunks, progress };
  };
}

/**
 * Returns how much space the chunks may need. Each byte of input adds at most one line and two bytes of table. A chunk
 * ends when its text or its number of lines reaches the limit.
 */
function capacityFor(inputBytes: number, headBytes: number, chunkTextBytes: number): number {
  const chunkCount = Math.ceil(inputBytes / Math.min(chunkTextBytes, maxChunkLines)) + 1;
  return chunkCount * (headBytes + maxEntryBytes) + 3 * (inputBytes + 1);
}

function parseProgress(text: string): Progress | undefined {
  const match = /^\s*(\d{1,6}(?:\.\d{1,6})?)%?(?:\s+(.*))?$/s.exec(text);
  return match ? { percent: Math.min(100, Number(match[1])), message: match[2]?.trim() ?? '' } : undefined;
}
