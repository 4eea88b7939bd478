// How long the job takes, whether it has become slower and since when, on which days it failed, and its slowest steps.

import type { ReactNode } from 'react';
import { useLocation, useSearch } from 'wouter';
import { percentWords } from '../../client/percent.ts';
import { spanWords } from '../../client/took.ts';
import { Segmented } from '../design/controls/Segmented.tsx';
import { SuccessRate } from '../design/text/SuccessRate.tsx';
import { Shown } from '../widgets/Notes.tsx';
import { countOf, countWords } from '../words.ts';
import { DayCalendar } from './DayCalendar.tsx';
import { DurationChart } from './DurationChart.tsx';
import styles from './JobStatistics.module.css';
import { type JobTimes, type Range, ranges, useBefore, useJobTimes } from './job-times.ts';
import { SlowSteps } from './SlowSteps.tsx';
import { figuresOf } from './statistics.ts';

const choices = [
  { value: '7d', label: '7 d' },
  { value: '30d', label: '30 d' },
  { value: '90d', label: '90 d' },
] as const;

export function JobStatistics({ jobId }: { readonly jobId: string }): ReactNode {
  const [path, navigate] = useLocation();
  const asked = new URLSearchParams(useSearch());
  const range = choices.find(({ value }) => value === asked.get('range'))?.value ?? '30d';
  const times = useJobTimes(jobId, range);
  const choose = (next: Range): void => {
    asked.set('range', next);
    navigate(`${path}?${asked.toString()}`, { replace: true });
  };
  return (
    <>
      <div className={styles.bar}>
        <Segmented label="Range" choices={choices} value={range} onChange={choose} />
        {times.data && (
          <span className={styles.quiet}>
            {countWords(times.data.runs.length)} {times.data.runs.length === 1 ? 'run' : 'runs'}
            {times.data.more && ' (only the newest; there are more)'}
          </span>
        )}
      </div>
      <Shown of={times} what="the statistics">
        {(data) =>
          data.runs.length === 0 ? (
            <p className={styles.quiet}>No run has ended in the last {ranges[range]} days.</p>
          ) : (
            <Charts times={data} range={range} />
          )
        }
      </Shown>
    </>
  );
}

const noSuccess = 'no complete run succeeded';

function Charts({ times, range }: { readonly times: JobTimes; readonly range: Range }): ReactNode {
  const days = ranges[range];
  const before = useBefore(times.job_id, range);
  const rateBefore = before?.success_rate ?? null;
  const { successRate, medianMs, p95Ms, runs, failed } = figuresOf(times.runs);
  const [worst] = times.steps.filter((step) => step.failed > 0).toSorted((a, b) => b.failed - a.failed);
  return (
    <>
      <dl className={styles.figures}>
        <Figure
          name="Success rate"
          value={<SuccessRate rate={successRate} of={`${countOf(runs, 'run')} in ${days} days`} />}
          note={`${failed} of ${runs} failed${
            rateBefore === null ? '' : `; ${percentWords(rateBefore)} in the ${days} days before`
          }`}
        />
        <Figure
          name="Median"
          value={medianMs === null ? '–' : spanWords(medianMs)}
          note={medianMs === null ? noSuccess : 'of work, without waiting'}
        />
        <Figure
          name="p95"
          value={p95Ms === null ? '–' : spanWords(p95Ms)}
          note={p95Ms === null ? noSuccess : '19 of 20 took at most this'}
        />
        <Figure
          name="Runs"
          value={countWords(runs)}
          note={`${aDay(runs, days)}${before ? `; ${aDay(before.runs, days)} before` : ''}`}
        />
        {worst && (
          <Figure
            name="Step with most failures"
            value={worst.step_id}
            note={`${worst.failed} ${worst.failed === 1 ? 'time' : 'times'}`}
          />
        )}
      </dl>
      <DurationChart runs={times.runs.toReversed()} />
      <div className={styles.pair}>
        <DayCalendar jobId={times.job_id} />
        {times.steps.length > 0 && <SlowSteps steps={times.steps} />}
      </div>
    </>
  );
}

function aDay(runs: number, days: number): string {
  return `${(runs / days).toFixed(1)} a day`;
}

function Figure(o: { readonly name: string; readonly value: ReactNode; readonly note: string }): ReactNode {
  return (
    <div>
      <dt>{o.name}</dt>
      <dd className={styles.figure}>{o.value}</dd>
      <dd className={styles.note}>{o.note}</dd>
    </div>
  );
}
