// Selects the lines of a log that a reader wants. The heads rule out most chunks. A text search compares bytes.

import { isOfStep, type LogLevel, logLevels } from '../../domain/log-line.ts';
import { type Chunk, type ChunkPart, levelBits } from './log-chunk.ts';
import { noStep } from './log-stand-in.ts';

export type LogFilter = {
  readonly afterSeq?: number;
  readonly beforeSeq?: number;
  /** Strictly after this instant, in microseconds. */
  readonly sinceUs?: number;
  /** Strictly before this instant, in microseconds. */
  readonly untilUs?: number;
  /** This level or a higher one. */
  readonly level?: LogLevel;
  /** A step with all its instances, or one instance. */
  readonly stepId?: string;
  readonly attempt?: number;
  /** Anywhere in the line as it was printed. Ignores the case of ASCII letters. */
  readonly text?: string;
};

/** The lines of a chunk that a query wants; undefined when no line can match. Read them before the next chunk. */
export type Selection = (chunk: Chunk) => ChunkPart | undefined;

/** Create one per query. */
export function createSelection(filter: LogFilter): Selection {
  const { afterSeq = 0, beforeSeq = Number.POSITIVE_INFINITY, sinceUs = 0, stepId, attempt } = filter;
  const { untilUs = Number.POSITIVE_INFINITY } = filter;
  const lowestLevel = filter.level ? logLevels.indexOf(filter.level) : 0;
  const toLowerCase = createLowerCase();
  const needle = Buffer.from(toLowerCase(Buffer.from(filter.text ?? '')));
  const isLevelWanted = (flags: number): boolean => (flags & levelBits) >= lowestLevel;

  function canHold(chunk: Chunk): boolean {
    if (stepId !== undefined && !isOfStep(chunk.stepId, stepId)) return false;
    return (attempt === undefined || chunk.attempt === attempt) && chunk.highestLevel >= lowestLevel;
  }

  return (chunk) => {
    // A stand-in is always shown: the lines it stands for might match.
    const isForDamaged = chunk.stepId === noStep;
    if (!isForDamaged && !canHold(chunk)) return undefined;
    const from = Math.max(0, afterSeq + 1 - chunk.firstSeq, sinceUs + 1 - chunk.firstAtUs);
    const until = Math.min(chunk.lineCount, beforeSeq - chunk.firstSeq, untilUs - chunk.firstAtUs);
    if (from >= until) return undefined;
    if (isForDamaged) return { chunk, from, until, isWanted: undefined };
    if (needle.length === 0) return { chunk, from, until, isWanted: lowestLevel > 0 ? isLevelWanted : undefined };

    const text = toLowerCase(chunk.file.subarray(chunk.textStart, chunk.textEnd));
    let hit = text.indexOf(needle);
    if (hit < 0) return undefined;
    const isWanted = (flags: number, start: number, end: number): boolean => {
      if (!isLevelWanted(flags)) return false;
      if (hit >= 0 && hit < start - chunk.textStart) hit = text.indexOf(needle, start - chunk.textStart);
      return hit >= 0 && hit + needle.length <= end - chunk.textStart;
    };
    return { chunk, from, until, isWanted };
  };
}

/**
 * Changes ASCII letters only, so every byte keeps its place and UTF-8 stays valid. Takes four bytes at a time, which is
 * twice as fast. The result is valid until the next call.
 */
function createLowerCase(): (text: Buffer) => Buffer {
  let room = Buffer.alloc(0);
  let words = new Uint32Array();
  return (text) => {
    if (text.length > room.length) {
      room = Buffer.allocUnsafeSlow(Math.ceil(text.length / wordBytes) * wordBytes);
      words = new Uint32Array(room.buffer);
    }
    text.copy(room);
    const count = Math.ceil(text.length / wordBytes);
    for (let at = 0; at < count; at++) {
      const word = words[at] ?? 0;
      // In each byte, the highest bit says first whether the rest is at least "A", then whether it is above "Z".
      const rest = word & 0x7f_7f_7f_7f;
      const isLetter = ((rest + 0x3f_3f_3f_3f) ^ (rest + 0x25_25_25_25)) & ~word & 0x80_80_80_80;
      words[at] = word | (isLetter >>> 2);
    }
    return room.subarray(0, text.length);
  };
}

const wordBytes = 4;
