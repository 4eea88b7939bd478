// A chart of the runs of each hour or day, with the failures below the line. A click opens the runs of that time.

import type { ReactNode } from 'react';
import { useLocation } from 'wouter';
import { ChartCard } from '../design/charts/ChartCard.tsx';
import { failedWords, StackedBars } from '../design/charts/StackedBars.tsx';
import { countWords, spanTimes } from '../words.ts';
import type { Stats } from './overview-data.ts';
import { betweenPath } from './runs-path.ts';

const spanMs = { hour: 3_600_000, day: 86_400_000 } as const;
const cancelledLegend = { status: 'cancelled', word: 'cancelled' };

export function RunsChart({
  stats,
  running,
  nowMs,
}: {
  readonly stats: Stats;
  readonly running: number;
  readonly nowMs: number;
}): ReactNode {
  const [, navigate] = useLocation();
  const { span } = stats;
  const buckets = stats.runs.map(({ at, success, failed, cancelled }, index) => ({
    fromMs: Date.parse(at),
    toMs: Date.parse(at) + spanMs[span],
    success,
    failed,
    cancelled,
    running: index === stats.runs.length - 1 ? running : 0,
  }));
  const legend = [
    { status: 'success', word: 'success' },
    { status: 'failed', word: failedWords(buckets, span) },
    { status: 'running', word: 'running' },
  ];
  const title = span === 'hour' ? 'Runs per hour' : 'Runs per day';
  return (
    <ChartCard
      title={title}
      legend={stats.totals.cancelled > 0 ? [...legend, cancelledLegend] : legend}
      head={[span === 'hour' ? 'Hour' : 'Day', 'Success', 'Failed', 'Cancelled']}
      rows={buckets
        .toReversed()
        .map((one) => [
          spanTimes(one.fromMs, one.toMs),
          countWords(one.success),
          countWords(one.failed),
          countWords(one.cancelled),
        ])}
    >
      <StackedBars
        label={`${title}: ${countWords(stats.totals.success)} succeeded, ${countWords(stats.totals.failed)} failed`}
        buckets={buckets}
        nowMs={nowMs}
        heightPx={180}
        onChoose={(fromMs, toMs) => navigate(betweenPath(fromMs, toMs))}
      />
    </ChartCard>
  );
}
