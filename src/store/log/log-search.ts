// Selects the lines of a log that a reader wants. The head of a chunk is enough to rule out most chunks. A text search
// compares bytes.

import { isOfStep, type LogLevel, logLevels } from '../../domain/log-line.ts';
import { type Chunk, type ChunkPart, isOwnLine, levelBits } from './log-chunk.ts';
import { noStep } from './log-placeholder.ts';
import { createTextFinder } from './log-text.ts';

export type LogFilter = {
  readonly afterSeq?: number;
  readonly beforeSeq?: number;
  /** Only lines after this instant, in microseconds. */
  readonly sinceUs?: number;
  /** Only lines before this instant, in microseconds. */
  readonly untilUs?: number;
  /** Only lines of this level or a more severe one. */
  readonly level?: LogLevel;
  /** Only lines of this step or instance. The id of a step also selects the lines of its instances. */
  readonly stepId?: string;
  readonly attempt?: number;
  /**
   * Only lines that contain this text. The search compares lines as they were printed, and ignores the case of ASCII
   * letters.
   */
  readonly text?: string;
  /** Leaves out the lines that flwd itself has added. */
  readonly isPrinted?: true;
};

/**
 * Returns the lines of a chunk that a query wants; undefined if no line can match. The result is valid until the next
 * call.
 */
export type Selection = (chunk: Chunk) => ChunkPart | undefined;

/** Create one per query. */
export function createSelection(filter: LogFilter): Selection {
  const { afterSeq = 0, beforeSeq = Number.POSITIVE_INFINITY, sinceUs = 0, stepId, attempt } = filter;
  const { untilUs = Number.POSITIVE_INFINITY } = filter;
  const lowestLevel = filter.level ? logLevels.indexOf(filter.level) : 0;
  const find = filter.text ? createTextFinder(filter.text) : undefined;
  const textBytes = Buffer.byteLength(filter.text ?? '');
  const { isPrinted = false } = filter;
  const hasFlagsWanted = (flags: number): boolean =>
    (flags & levelBits) >= lowestLevel && !(isPrinted && isOwnLine(flags));

  function canHold(chunk: Chunk): boolean {
    if (stepId !== undefined && !isOfStep(chunk.stepId, stepId)) return false;
    return (attempt === undefined || chunk.attempt === attempt) && chunk.highestLevel >= lowestLevel;
  }

  return (chunk) => {
    // A placeholder is selected whatever the filter says, because the lines that it stands for might match.
    const isForDamaged = chunk.stepId === noStep;
    if (!isForDamaged && !canHold(chunk)) return undefined;
    const from = Math.max(0, afterSeq + 1 - chunk.firstSeq, sinceUs + 1 - chunk.firstAtUs);
    const until = Math.min(chunk.lineCount, beforeSeq - chunk.firstSeq, untilUs - chunk.firstAtUs);
    if (from >= until) return undefined;
    if (isForDamaged) return { chunk, from, until, isWanted: undefined };
    if (!find) return { chunk, from, until, isWanted: lowestLevel > 0 || isPrinted ? hasFlagsWanted : undefined };

    const { file, textEnd } = chunk;
    let hit = find(file, chunk.textStart, textEnd);
    if (hit < 0) return undefined;
    const isWanted = (flags: number, start: number, end: number): boolean => {
      if (!hasFlagsWanted(flags)) return false;
      if (hit >= 0 && hit < start) hit = find(file, start, textEnd);
      return hit >= 0 && hit + textBytes <= end;
    };
    return { chunk, from, until, isWanted };
  };
}
