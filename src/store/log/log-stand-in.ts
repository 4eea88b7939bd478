// The line in a log that stands for lines which cannot be read.

import type { LogLine } from '../../domain/log-line.ts';
import type { Chunk } from './log-chunk.ts';
import { createChunkEncoder, engineLine, maxChunkTextBytes } from './log-encode.ts';

/** A line of no step: no script can print one. */
export const noStep = '';

const encode = createChunkEncoder();
const start = { offset: 0, aheadBytes: 0 };

type Missing = { readonly firstSeq: number; readonly lastSeq: number; readonly lastAtUs: number };

/** Takes the place of the last line that is missing, so that a reader goes on behind it. */
export function standInFor({ firstSeq, lastSeq, lastAtUs }: Missing, file: string, why: string): Buffer {
  const lines = firstSeq === lastSeq ? `line ${firstSeq}` : `lines ${firstSeq} to ${lastSeq}`;
  return encodeStandIn(`… ${lines} of this log cannot be read: the file ${file} ${why} …`, lastSeq, lastAtUs);
}

/** For the end of a file, where nothing says how many lines are missing. */
export function standInFrom(seq: number, atUs: number, file: string): Buffer {
  return encodeStandIn(`… the lines from ${seq} on cannot be read: the file ${file} was damaged …`, seq, atUs);
}

function encodeStandIn(message: string, seq: number, atUs: number): Buffer {
  const bytes = engineLine(message);
  const input = { attempt: 1, stepId: noStep, bytes, isRecovered: false, from: start, to: start };
  const { out, chunks } = encode(input, { firstSeq: seq, firstAtUs: atUs, chunkTextBytes: maxChunkTextBytes });
  // Memory of its own: its reader may give it back.
  const content = Buffer.allocUnsafeSlow(chunks.at(-1)?.end ?? 0);
  out.copy(content);
  return content;
}

/** Whether lines between `lastSeq` and the chunk are missing, and the chunk is not the line that says so. */
export function isBehindGap({ firstSeq, lineCount, stepId }: Chunk, lastSeq: number): boolean {
  return firstSeq > lastSeq + 1 && (lineCount === 0 || stepId !== noStep);
}

/** Whether it stands for lines that cannot be read. */
export function isStandIn({ step_id: stepId }: LogLine): boolean {
  return stepId === noStep;
}
