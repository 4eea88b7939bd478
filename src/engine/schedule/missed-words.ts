// Says which times a schedule missed, why, and which command starts their runs now.

import type { Schedule } from '../../domain/schedule.ts';
import { toLocalTimestamp } from '../../lib/cron/cron.ts';
import { startWords } from '../../lib/cron/start-words.ts';
import { zonedTime } from '../../lib/cron/zoned-time.ts';
import { shellWord } from '../../lib/shell-word.ts';

/** A span in which schedules could not start runs. */
export type Gap = {
  readonly fromMs: number;
  readonly toMs: number;
  /** Whether `fromMs` is exact. The end of a server that was killed is known only to the minute. */
  readonly isExact: boolean;
  /** Why nothing was started, such as `flwd was not running`. */
  readonly why: string;
};

export type Missed = {
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  readonly count: number;
  /** Whether there were more times than `count` says. */
  readonly hasMore: boolean;
  /** `count` counts the newest times. This is the oldest of them. */
  readonly countedFromMs: number;
};

/** A run may start this late and is still on time. So even a time shortly after a gap may be missed because of it. */
const afterGapMs = 30_000;

/** @param gaps what may have kept the schedule from starting runs; null if it is not known when flwd was not running */
export function missedWords(schedule: Schedule, missed: Missed, gaps: readonly (Gap | null)[]): string {
  const { timezone } = schedule;
  const why = whyWords(missed, gaps, timezone);
  const several = missed.hasMore ? `the newest ${missed.count} runs` : 'these runs';
  const runs = missed.count === 1 && !missed.hasMore ? 'this run' : several;
  const command = startOf(schedule, missed.countedFromMs, missed.lastAtMs);
  return `The schedule started no run for ${timesWords(missed, timezone)}: ${why}. To start ${runs} now: ${command}`;
}

export function refusedWords(schedule: Schedule, nominalAtMs: number, detail: string): string {
  const time = zonedTime(nominalAtMs, schedule.timezone);
  const why = detail.replace(/[.\s]+$/, '');
  return `The schedule could not start a run for ${time}: ${why}. To start it later: ${startOf(schedule, nominalAtMs, nominalAtMs)}`;
}

function timesWords({ firstAtMs, lastAtMs, count, hasMore }: Missed, timezone: string): string {
  const [first, last] = [firstAtMs, lastAtMs].map((atMs) => zonedTime(atMs, timezone));
  if (count === 1 && !hasMore) return `${last}`;
  return `${hasMore ? 'more than ' : ''}${count} of its times, from ${first} to ${last}`;
}

function whyWords({ firstAtMs, lastAtMs }: Missed, gaps: readonly (Gap | null)[], timezone: string): string {
  const gap = gaps.find((one) => one && firstAtMs >= one.fromMs && lastAtMs <= one.toMs + afterGapMs);
  if (gap) {
    const { fromMs, toMs, isExact, why } = gap;
    return `${why} from ${isExact ? '' : 'about '}${zonedTime(fromMs, timezone)} to ${zonedTime(toMs, timezone)}`;
  }
  const wasRunning = gaps.every((one) => one && firstAtMs > one.toMs + afterGapMs);
  const others =
    'flwd or the machine was suspended, flwd could not store the run or read the job, or the clock was set past that time';
  return wasRunning ? `perhaps ${others}` : `perhaps flwd was not running then, ${others}`;
}

/** A backfill needs a pattern that has times, so a single time and patterns such as `@reboot` cannot have one. */
function startOf(schedule: Schedule, firstAtMs: number, lastAtMs: number): string {
  const { id, jobId, timezone, cron } = schedule;
  if (cron === null || startWords.has(cron)) return `flwd schedules run ${id}`;
  const [from, until] = [firstAtMs, lastAtMs + 1_000].map((atMs) => toLocalTimestamp(atMs, timezone));
  return `flwd backfill ${shellWord(jobId)} --schedule ${id} --from ${from} --until ${until}`;
}
