// A placeholder is a line that says which lines of a log cannot be read.

import type { LogLine } from '../../domain/log-line.ts';
import type { Chunk } from './log-chunk.ts';
import { createChunkEncoder, engineLine, maxChunkTextBytes } from './log-encode.ts';

/** A placeholder has no step. Every line of a script has one, so a script cannot imitate a placeholder. */
export const noStep = '';

const encode = createChunkEncoder();
const start = { offset: 0, aheadBytes: 0 };

type Missing = { readonly firstSeq: number; readonly lastSeq: number; readonly lastAtUs: number };

/** Returns the chunk of a placeholder, with the number of the last missing line, so that readers continue after it. */
export function placeholderFor({ firstSeq, lastSeq, lastAtUs }: Missing, file: string, why: string): Buffer {
  const lines = firstSeq === lastSeq ? `line ${firstSeq}` : `lines ${firstSeq} to ${lastSeq}`;
  return encodePlaceholder(`… ${lines} of this log cannot be read: the file ${file} ${why} …`, lastSeq, lastAtUs);
}

/** Returns a placeholder for the end of a file, if the number of missing lines is unknown. */
export function placeholderFrom(seq: number, atUs: number, file: string): Buffer {
  return encodePlaceholder(`… the lines from ${seq} on cannot be read: the file ${file} was damaged …`, seq, atUs);
}

function encodePlaceholder(message: string, seq: number, atUs: number): Buffer {
  const bytes = engineLine(message);
  const input = { attempt: 1, stepId: noStep, bytes, isRecovered: false, from: start, to: start };
  const { out, chunks } = encode(input, { firstSeq: seq, firstAtUs: atUs, chunkTextBytes: maxChunkTextBytes });
  // Copies the chunk to memory of its own, because the reader may free it.
  const content = Buffer.allocUnsafeSlow(chunks.at(-1)?.end ?? 0);
  out.copy(content);
  return content;
}

/** Whether lines are missing between `lastSeq` and the chunk. False if the chunk is the placeholder for these lines. */
export function isBehindGap({ firstSeq, lineCount, stepId }: Chunk, lastSeq: number): boolean {
  return firstSeq > lastSeq + 1 && (lineCount === 0 || stepId !== noStep);
}

/** Whether the line is a placeholder. */
export function isPlaceholder({ step_id: stepId }: LogLine): boolean {
  return stepId === noStep;
}
