// The figures of the range: how many runs ended, how many failed, how long they took and waited, and how that compares
// with the range before.

import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { percentWords } from '../../client/percent.ts';
import { spanWords } from '../../client/took.ts';
import type { StatsRange } from '../../contract/stats-range.ts';
import { Sparkline } from '../design/charts/Sparkline.tsx';
import { Pending } from '../design/text/Pending.tsx';
import { narrowPx, useWidth } from '../design/width.ts';
import { type Answer, failureText } from '../session/answers.tsx';
import { countWords } from '../words.ts';
import styles from './Figures.module.css';
import type { Slots, Stats } from './overview-data.ts';
import { runsPath } from './runs-path.ts';

const beforeWords = { '24h': 'yesterday', '7d': 'the week before', '30d': 'the month before' } as const;

type Figure = {
  readonly name: string;
  readonly value: ReactNode;
  readonly unit?: string;
  readonly note: string;
  readonly href?: string;
  readonly isBad?: boolean;
  readonly trend?: ReactNode;
};

export function Figures({
  stats,
  range,
  groups,
  slots,
}: {
  readonly stats: Stats;
  readonly range: StatsRange;
  /** How many groups of failures there are; undefined: unknown. */
  readonly groups: number | undefined;
  /** null: the caller may not read the slots. */
  readonly slots: Answer<Slots | null> | null;
}): ReactNode {
  // Phones have no room for more words.
  const was = useWidth() < narrowPx ? 'was' : beforeWords[range];
  const figures = figuresOf(stats, { range, groups, was });
  return (
    <dl className={styles.figures}>
      {figures.map((figure) => (
        <Shown key={figure.name} {...figure} />
      ))}
      {slots && slots.data !== null && <SlotsFigure of={slots} />}
    </dl>
  );
}

function SlotsFigure({ of }: { readonly of: Answer<Slots | null> }): ReactNode {
  const name = 'Slots in use';
  const { data } = of;
  const failure = failureText(of);
  if (!data) return <Shown name={name} value={failure === null ? <Pending /> : '–'} note={failure ?? ''} />;
  const { running, concurrency } = data;
  return (
    <Shown
      name={name}
      value={countWords(running)}
      unit={`of ${countWords(concurrency)}`}
      note={`${countWords(Math.max(0, concurrency - running))} free`}
      trend={<meter className={styles.slots} aria-label={name} max={concurrency} value={running} />}
    />
  );
}

function figuresOf(
  { totals, before, runs, times }: Stats,
  { range, groups, was }: { readonly range: StatsRange; readonly groups: number | undefined; readonly was: string },
): Figure[] {
  const { duration, waiting } = totals;
  const ended = thin(runs.map(({ success, failed }) => success + failed));
  const isWorse = (totals.success_rate ?? 1) < (before.success_rate ?? 1);
  return [
    {
      name: 'Runs',
      value: countWords(totals.runs),
      note: changeWords(totals.runs, before.runs, beforeWords[range]),
      href: runsPath(`since:${range}`),
      trend: (
        <Sparkline
          values={thin(runs.map(({ success, failed, cancelled }) => success + failed + cancelled))}
          isLastOpen
          label="Trend of runs"
        />
      ),
    },
    {
      name: 'Success rate',
      value: totals.success_rate === null ? '–' : percentWords(totals.success_rate),
      note: before.success_rate === null ? '' : `${was} ${percentWords(before.success_rate)}`,
      trend: (
        <Sparkline
          look={isWorse ? 'plain' : 'success'}
          values={thin(runs.map(({ success }) => success)).map((success, n) => {
            const all = ended[n] ?? 0;
            return all === 0 ? null : success / all;
          })}
          isLastOpen
          label="Trend of the success rate"
        />
      ),
    },
    {
      name: 'Failed',
      value: countWords(totals.failed),
      isBad: totals.failed > 0,
      note: failedWords(totals.failed, before.failed, range === '24h' ? groups : undefined, was),
      href: runsPath(`status:failed since:${range}`),
      trend: (
        <Sparkline
          look={totals.failed > 0 ? 'failed' : 'plain'}
          values={thin(runs.map(({ failed }) => failed))}
          isLastOpen
          label="Trend of failures"
        />
      ),
    },
    {
      name: 'Duration',
      value: duration.p50_ms === null ? '–' : spanWords(duration.p50_ms),
      unit: 'p50',
      note: duration.p95_ms === null ? '' : `${spanWords(duration.p95_ms)} p95`,
      trend: (
        <Sparkline values={times.map((one) => one.duration.p50_ms)} isLastOpen label="Trend of the median duration" />
      ),
    },
    {
      name: 'Waited for a slot',
      value: waiting.p95_ms === null ? '–' : spanWords(waiting.p95_ms),
      unit: 'p95',
      note: before.waiting.p95_ms === null ? '' : `${was} ${spanWords(before.waiting.p95_ms)}`,
      trend: <Sparkline values={times.map((one) => one.waiting.p95_ms)} isLastOpen label="Trend of waiting" />,
    },
  ];
}

function Shown({ name, value, unit, note, href, isBad, trend }: Figure): ReactNode {
  return (
    <div className={styles.figure}>
      <dt>{href === undefined ? name : <Link href={href}>{name}</Link>}</dt>
      <dd className={styles.value} data-bad={isBad || undefined}>
        {value} {unit !== undefined && <small>{unit}</small>}
      </dd>
      <dd className={styles.note}>{note}</dd>
      {trend !== undefined && <dd className={styles.trend}>{trend}</dd>}
    </div>
  );
}

/** A small line cannot show a point for each of the 168 hours of a week. */
const mostPoints = 28;

function thin(values: readonly number[]): number[] {
  const size = Math.ceil(values.length / mostPoints);
  return Array.from({ length: Math.ceil(values.length / size) }, (_, n) =>
    values.slice(n * size, (n + 1) * size).reduce((sum, value) => sum + value, 0),
  );
}

function changeWords(now: number, before: number, then: string): string {
  if (before === 0) return `no runs ${then}`;
  if (now > 10 * before) return `${countWords(Math.round(now / before))} times ${then}`;
  const percent = Math.round((now / before - 1) * 100);
  if (percent === 0) return `same as ${then}`;
  return `${percent > 0 ? '+' : '−'}${countWords(Math.abs(percent))} % on ${then}`;
}

function failedWords(failed: number, before: number, groups: number | undefined, was: string): string {
  if (groups !== undefined && failed > 0) return groups === 1 ? 'all with one error' : `${groups} different errors`;
  return `${was} ${countWords(before)}`;
}
