// The part of a log that is held: a stretch of its lines without gaps, at most so many that a page of them stays light.

import type { LogLine } from '../../domain/log-line.ts';

export type LogStretch = {
  readonly lines: readonly LogLine[];
  /** Nothing comes before the first of them. */
  readonly isFromStart: boolean;
  /** Nothing comes after the last of them but what the run has yet to print. */
  readonly isToEnd: boolean;
  /** The run had a log that retention has removed. */
  readonly isExpired: boolean;
};

export const mostLines = 2_000;

/** What a run printed last. Someone who reads further up is not moved: where there is no room, it is left for later. */
export function appended(held: LogStretch, added: readonly LogLine[], isFollowed: boolean): LogStretch {
  if (!held.isToEnd || added.length === 0) return held;
  const lines = [...held.lines, ...added];
  if (lines.length <= mostLines) return { ...held, lines };
  if (!isFollowed) return { ...held, isToEnd: false };
  return { ...held, lines: lines.slice(-mostLines), isFromStart: false };
}

/** What comes before the first line. */
export function prepended(held: LogStretch, added: readonly LogLine[], isFromStart: boolean): LogStretch {
  const lines = [...added, ...held.lines];
  return { ...held, lines: lines.slice(0, mostLines), isFromStart, isToEnd: held.isToEnd && lines.length <= mostLines };
}

/** What comes after the last line. */
export function extended(held: LogStretch, added: readonly LogLine[], isToEnd: boolean): LogStretch {
  const lines = [...held.lines, ...added];
  const cut = Math.max(0, lines.length - mostLines);
  return { ...held, lines: lines.slice(cut), isFromStart: held.isFromStart && cut === 0, isToEnd };
}
