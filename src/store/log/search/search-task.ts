// A task for the search thread, and the answer of the thread.

import type { LogLevel } from '../../../domain/log-line.ts';
import type { LogFilter } from '../log-search.ts';
import type { Segment } from '../log-segment.ts';

export type SearchTask = {
  /** The folder of the logs. */
  readonly dir: string;
  readonly filter: LogFilter;
  /** The segments in the order in which they are searched. Each is searched from its end. */
  readonly segments: readonly SearchedSegment[];
  /** The most lines to return. */
  readonly most: number;
};

export type SearchedSegment = {
  readonly runId: string;
  readonly segment: Segment;
  /** Only lines with a smaller number than this. */
  readonly beforeSeq?: number;
};

export type SearchFound = {
  readonly lines: readonly FoundLine[];
  /** How many segments were searched. `bytes` is their size when decompressed. */
  readonly segments: number;
  readonly bytes: number;
  /** How many segments were damaged, or could not be read from the disk. */
  readonly unreadable: number;
};

export type FoundLine = {
  /** The index of the line's segment in the task. */
  readonly at: number;
  readonly seq: number;
  readonly timestamp: string;
  readonly level: LogLevel;
  /** The message, cut to about 1,000 characters around the text that was searched for. */
  readonly message: string;
};
