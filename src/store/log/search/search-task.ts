// The input of the search thread, and its answer.

import type { LogLevel } from '../../../domain/log-line.ts';
import type { LogFilter } from '../log-search.ts';
import type { Segment } from '../log-segment.ts';

export type SearchTask = {
  /** The folder of the logs. */
  readonly dir: string;
  readonly filter: LogFilter;
  /** In the order in which they are searched, each from its end. */
  readonly segments: readonly SearchedSegment[];
  /** How many lines are wanted. */
  readonly most: number;
};

export type SearchedSegment = {
  readonly runId: string;
  readonly segment: Segment;
  /** Only lines before this one. */
  readonly beforeSeq?: number;
};

export type SearchFound = {
  readonly lines: readonly FoundLine[];
  /** How many segments were searched, and their size when decompressed. */
  readonly segments: number;
  readonly bytes: number;
  /** Segments that are damaged, or on a bad place of the disk. */
  readonly unreadable: number;
};

export type FoundLine = {
  /** The index of the line's segment in the task. */
  readonly at: number;
  readonly seq: number;
  readonly timestamp: string;
  readonly level: LogLevel;
  /** At most about 1,000 characters, around the text that was searched for. */
  readonly message: string;
};
