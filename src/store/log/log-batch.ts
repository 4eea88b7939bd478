// A batch of lines for the followers of a log. Each form of it is rendered for the first follower that needs it, and
// all others share the result.

import type { LogLine } from '../../domain/log-line.ts';
import { type ChunkPart, readChunk } from './log-chunk.ts';
import { type LineEncoder, toLines } from './log-render.ts';

export type LogBatch = ReturnType<typeof createBatch>;

/** The approximate memory that a line object takes besides its text. */
const lineObjectBytes = 256;

/**
 * @param chunks whole chunks
 * @param onGrow called with the memory that a newly rendered form takes
 */
export function createBatch(
  chunks: Buffer,
  afterSeq: number,
  encoder: LineEncoder,
  onGrow: (addedBytes: number) => void,
) {
  const parts: ChunkPart[] = [];
  for (let start = 0; start < chunks.length; ) {
    const chunk = readChunk(chunks, start);
    parts.push({ chunk, from: Math.max(0, afterSeq + 1 - chunk.firstSeq), until: chunk.lineCount });
    start = chunk.end;
  }
  let lines: readonly LogLine[] | undefined;
  let frames: Buffer | undefined;
  return {
    firstSeq: afterSeq + 1,
    lastSeq: parts.reduce((last, { chunk }) => Math.max(last, chunk.firstSeq + chunk.lineCount - 1), 0),
    lines(): readonly LogLine[] {
      if (!lines) {
        lines = parts.flatMap(toLines);
        onGrow(chunks.length + lines.length * lineObjectBytes);
      }
      return lines;
    },
    /** The batch as SSE frames of /runs/{id}/logs. */
    frames(): Buffer {
      if (!frames) {
        for (const part of parts) encoder.add(part);
        frames = Buffer.from(encoder.take());
        onGrow(frames.length);
      }
      return frames;
    },
  };
}
