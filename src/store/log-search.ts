// Which lines of a log a reader wants. A chunk's head rules most chunks out; a search looks at bytes and makes line
// objects of its hits alone.

import { isOfStep, type LogLevel, type LogLine, logLevels } from '../domain/log-line.ts';
import { type Chunk, levelBits } from './log-chunk.ts';
import { toLines } from './log-render.ts';

export type LogFilter = {
  readonly afterSeq?: number;
  readonly beforeSeq?: number;
  /** Strictly after this instant, in microseconds. */
  readonly sinceUs?: number;
  /** At least. */
  readonly level?: LogLevel;
  /** A step with its instances, or one of these. */
  readonly stepId?: string;
  readonly attempt?: number;
  /** Anywhere in the line as it was printed; the letters A–Z in either case. */
  readonly text?: string;
};

/** One per query. */
export function createSelection(filter: LogFilter): (chunk: Chunk) => LogLine[] {
  const { afterSeq = 0, beforeSeq = Number.POSITIVE_INFINITY, sinceUs = 0, stepId, attempt } = filter;
  const lowestLevel = filter.level ? logLevels.indexOf(filter.level) : 0;
  const needle = toLowerCase(Buffer.from(filter.text ?? ''));
  const isLevelWanted = (flags: number): boolean => (flags & levelBits) >= lowestLevel;

  function select(chunk: Chunk): LogLine[] {
    if (stepId !== undefined && !isOfStep(chunk.stepId, stepId)) return [];
    if (attempt !== undefined && chunk.attempt !== attempt) return [];
    if (chunk.highestLevel < lowestLevel) return [];
    const from = Math.max(0, afterSeq + 1 - chunk.firstSeq, sinceUs + 1 - chunk.firstAtUs);
    if (from >= chunk.lineCount) return [];
    if (needle.length === 0) return toLines(chunk, from, lowestLevel > 0 ? isLevelWanted : undefined);

    const text = toLowerCase(chunk.file.subarray(chunk.textStart, chunk.textEnd));
    let hit = text.indexOf(needle);
    if (hit < 0) return [];
    return toLines(chunk, from, (flags, start, end) => {
      if (!isLevelWanted(flags)) return false;
      if (hit >= 0 && hit < start - chunk.textStart) hit = text.indexOf(needle, start - chunk.textStart);
      return hit >= 0 && hit + needle.length <= end - chunk.textStart;
    });
  }

  return (chunk) => {
    if (chunk.firstSeq >= beforeSeq) return [];
    const lines = select(chunk);
    return chunk.firstSeq + chunk.lineCount <= beforeSeq ? lines : lines.filter(({ seq }) => seq < beforeSeq);
  };
}

const lowerCase = Uint8Array.from({ length: 256 }, (_, byte) => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte));

/** Of ASCII letters alone: bytes keep their places, and UTF-8 stays what it is. */
function toLowerCase(text: Buffer): Buffer {
  const lowered = Buffer.allocUnsafe(text.length);
  for (let at = 0; at < text.length; at++) lowered[at] = lowerCase[text[at] ?? 0] ?? 0;
  return lowered;
}
