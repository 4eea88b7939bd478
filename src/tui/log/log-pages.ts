// Where a log is opened: at its end, at its first line, or around a line.

import { type LogSource, pageLines, readPage, startsLog } from '../../client/log-pages.ts';
import { emptyLog, heldLine, type LogView } from './log-view.ts';

/** Where to begin: at the end, at the first line, or around this `seq`. */
export type LogStart = 'end' | 'first' | number;

const linesAbove = 200;
/** Above the line that is jumped to. */
const linesInSight = 3;

export async function openedLog(
  source: LogSource,
  start: LogStart,
): Promise<LogView & { readonly isExpired: boolean }> {
  if (start === 'end') {
    const { lines, isExpired } = await readPage(source, { tail: pageLines });
    return {
      ...emptyLog,
      lines: lines.map(heldLine),
      isFromStart: startsLog(lines),
      isToEnd: true,
      isExpired,
    };
  }
  const seq = start === 'first' ? 0 : start;
  const after = Math.max(0, seq - 1 - linesAbove);
  const { lines, isLast, isExpired } = await readPage(source, { cursor: String(after), limit: pageLines });
  const top = Math.max(0, lines.findIndex((line) => line.seq >= seq) - linesInSight);
  return {
    lines: lines.map(heldLine),
    isFromStart: after === 0,
    isToEnd: isLast,
    isFollowing: false,
    top,
    isExpired,
  };
}
