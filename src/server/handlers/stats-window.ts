// The time that statistics cover, in full hours or full days, and an equally long time before it.

import type { QueryOf } from '../../contract/operations.ts';
import type { StatsRange } from '../../contract/stats-range.ts';
import { validationError } from '../../domain/problem.ts';
import { type StatsSpan, spanMs } from '../../store/stats/count-stats.ts';
import type { StatsWindow } from '../../store/stats/stats.ts';
import { toMs } from './query-values.ts';

export type StatsTime = {
  readonly window: StatsWindow;
  readonly before: StatsWindow;
  /**
   * How much of the last span of `before` to count, from 0 to 1: as much as has already passed of the last span of
   * `window`. At half past ten, 0.5 of an hour has passed.
   */
  readonly share: number;
  /**
   * The span over which durations are summed. It is an hour for a recent window of at most two days, and otherwise a
   * day, because each span has many buckets of durations.
   */
  readonly timesSpan: StatsSpan;
};

const ranges = {
  '24h': { span: 'hour', count: 24 },
  '7d': { span: 'hour', count: 7 * 24 },
  '30d': { span: 'day', count: 30 },
} as const satisfies Record<StatsRange, object>;

/**
 * Counters of hours are used only if all of them are younger than this, and otherwise counters of days. Retention keeps
 * counters of hours a little longer.
 */
const hoursFromMs = 14 * spanMs.day + 12 * spanMs.hour;
const finestTimes = 48;
const mostDays = 400;

/** @throws Problem validation-error */
export function timeOf(query: Pick<QueryOf<'getStats'>, 'range' | 'since' | 'until'>, nowMs: number): StatsTime {
  const { range, since, until } = query;
  if (since === undefined && until === undefined) {
    const { span, count } = ranges[range ?? '24h'];
    const toMs = floor(nowMs, span) + spanMs[span];
    return toTime({ span, fromMs: toMs - count * spanMs[span], toMs }, nowMs);
  }
  if (range !== undefined) throw invalid('?range', 'cannot be combined with `since` and `until`');
  const untilMs = toMs(until) ?? nowMs;
  const sinceMs = toMs(since) ?? untilMs - spanMs.day;
  if (sinceMs >= untilMs) throw invalid('?since', 'is not before `until`');
  if (untilMs - sinceMs > mostDays * spanMs.day)
    throw invalid('?since', `is more than ${mostDays} days before \`until\``);
  const span = 2 * sinceMs - untilMs > nowMs - hoursFromMs ? 'hour' : 'day';
  return toTime({ span, fromMs: floor(sinceMs, span), toMs: floor(untilMs - 1, span) + spanMs[span] }, nowMs);
}

function toTime(window: StatsWindow, nowMs: number): StatsTime {
  const { span, fromMs, toMs } = window;
  const isFine = span === 'hour' && toMs - fromMs <= finestTimes * spanMs.hour;
  return {
    window,
    before: { span, fromMs: 2 * fromMs - toMs, toMs: fromMs },
    share: Math.min(1, Math.max(0, (nowMs - (toMs - spanMs[span])) / spanMs[span])),
    timesSpan: isFine ? 'hour' : 'day',
  };
}

/** Extends the window to whole spans, such as days for a window in hours. */
export function widened({ fromMs, toMs }: StatsWindow, span: StatsSpan): StatsWindow {
  return { span, fromMs: floor(fromMs, span), toMs: floor(toMs - 1, span) + spanMs[span] };
}

/** The start of every span. */
export function spansOf({ span, fromMs, toMs }: StatsWindow): number[] {
  return Array.from({ length: (toMs - fromMs) / spanMs[span] }, (_, n) => fromMs + n * spanMs[span]);
}

function floor(atMs: number, span: StatsSpan): number {
  return atMs - (atMs % spanMs[span]);
}

function invalid(pointer: string, message: string) {
  return validationError([{ pointer, message, keyword: 'range' }]);
}
