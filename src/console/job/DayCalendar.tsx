// A cell for each day (UTC) of half a year. The colour of a cell is stronger the more runs the day had. The red part of
// a cell is the share of runs that failed. A click opens the runs of the day.

import type { ReactNode } from 'react';
import { Link } from 'wouter';
import type { AnswerOf } from '../../contract/operations.ts';
import { useBoxWidth } from '../design/charts/box-width.ts';
import { Card } from '../design/text/Card.tsx';
import { useAnswer } from '../session/answers.tsx';
import { Shown } from '../widgets/Notes.tsx';
import { countOf, countWords } from '../words.ts';
import styles from './DayCalendar.module.css';
import { useRefreshAfterRuns } from './job-times.ts';

type Day = AnswerOf<'getStats'>['runs'][number];

const weekdays = ['Mon', '', 'Wed', '', 'Fri', '', ''];
const mostWeeks = 26;
/** The width of a column with its gap, and the width of the names of the weekdays. */
const [weekPx, weekdayPx] = [14, 44];
const dayMs = 86_400_000;
const everyMs = 5 * 60_000;
const monthName = new Intl.DateTimeFormat('en-US', { month: 'short', timeZone: 'UTC' });
const dayName = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short', timeZone: 'UTC' });

export function DayCalendar({ jobId }: { readonly jobId: string }): ReactNode {
  const [frame, widthPx] = useBoxWidth<HTMLDivElement>();
  const weeks = mondays(Date.now());
  const [first = 0] = weeks;
  const since = new Date(first).toISOString();
  const queryKey = ['days of a job', jobId, since];
  useRefreshAfterRuns(queryKey, jobId);
  const stats = useAnswer(
    queryKey,
    (client, signal) => client.call('getStats', { query: { job_id: jobId, since }, signal }),
    { staleTime: everyMs },
  );
  // If not all weeks fit, the oldest are left out.
  const fitting = widthPx === 0 ? mostWeeks : Math.max(1, Math.floor((widthPx - weekdayPx) / weekPx));
  const shown = weeks.slice(-fitting);
  const days = (stats.data?.runs ?? []).filter(({ at }) => Date.parse(at) >= (shown[0] ?? 0));
  const total = days.reduce((sum, day) => sum + runsOf(day), 0);
  return (
    <Card title="Every day" count={`${shown.length} weeks, ${countOf(total, 'run')}`}>
      <div ref={frame}>
        <Shown of={stats} what="the days">
          {() => <Calendar jobId={jobId} weeks={shown} days={days} />}
        </Shown>
      </div>
      <p className={styles.legend} aria-hidden="true">
        fewer
        {[0, 1, 2, 3, 4].map((level) => (
          <span key={level} className={styles.cell} data-level={level} />
        ))}
        more runs
        <span className={styles.cell} data-level="3">
          <span className={styles.failed} style={{ height: '50%' }} />
        </span>
        share that failed
      </p>
    </Card>
  );
}

function Calendar({
  jobId,
  weeks,
  days,
}: {
  readonly jobId: string;
  /** The Monday of each week. */
  readonly weeks: readonly number[];
  readonly days: readonly Day[];
}): ReactNode {
  const now = Date.now();
  const known = new Map(days.map((day) => [Date.parse(day.at), day]));
  const most = Math.max(1, ...days.map(runsOf));
  return (
    <table className={styles.calendar}>
      <thead>
        <tr>
          <th scope="col">
            <span className="unseen">Day of the week</span>
          </th>
          {weeks.map((week, index) =>
            isNewMonth(weeks, index) ? (
              <th key={week} scope="col">
                <span className={styles.month}>{monthName.format(week)}</span>
              </th>
            ) : (
              <td key={week} />
            ),
          )}
        </tr>
      </thead>
      <tbody>
        {weekdays.map((name, weekday) => (
          <tr key={weekday}>
            {name === '' ? <td /> : <th scope="row">{name}</th>}
            {weeks.map((week) => {
              const at = week + weekday * dayMs;
              return <td key={week}>{at <= now && <Cell jobId={jobId} at={at} day={known.get(at)} most={most} />}</td>;
            })}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function runsOf({ success, failed, cancelled }: Day): number {
  return success + failed + cancelled;
}

function Cell(o: {
  readonly jobId: string;
  readonly at: number;
  readonly day: Day | undefined;
  readonly most: number;
}): ReactNode {
  const { jobId, at, day } = o;
  const name = dayName.format(at);
  const runs = day ? runsOf(day) : 0;
  if (!day || runs === 0) return <span className={styles.cell} data-level="0" title={`${name}: no run`} />;
  const { failed } = day;
  const words = `${name}: ${countWords(runs)} ${runs === 1 ? 'run' : 'runs'}, ${failed === 0 ? 'none' : countWords(failed)} failed`;
  const query = `job:${jobId} since:${new Date(at).toISOString()} until:${new Date(at + dayMs).toISOString()}`;
  return (
    <Link
      href={`/runs?q=${encodeURIComponent(query)}`}
      className={styles.cell}
      data-level={Math.max(1, Math.ceil((runs / o.most) * 4))}
      title={words}
      aria-label={words}
    >
      {failed > 0 && (
        <span className={styles.failed} style={{ height: `${Math.max(20, Math.round((failed / runs) * 100))}%` }} />
      )}
    </Link>
  );
}

/** The Mondays of the weeks up to the current week. They are in UTC, like the days that the server returns. */
function mondays(now: number): readonly number[] {
  const today = Math.floor(now / dayMs) * dayMs;
  const monday = today - ((new Date(today).getUTCDay() + 6) % 7) * dayMs;
  return Array.from({ length: mostWeeks }, (_, n) => monday - (mostWeeks - 1 - n) * 7 * dayMs);
}

function isNewMonth(weeks: readonly number[], index: number): boolean {
  const [week = 0, before] = [weeks[index], weeks[index - 1]];
  return before === undefined || new Date(week).getUTCMonth() !== new Date(before).getUTCMonth();
}
