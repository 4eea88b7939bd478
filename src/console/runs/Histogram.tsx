// A chart of when the listed runs ended, with successes above the line and failures below it. Dragging across the chart
// selects a time range. The server counts runs only by job, namespace, tenant and status, so a list with another filter
// has no chart.

import type { ReactNode } from 'react';
import type { AnswerOf, QueryOf } from '../../contract/operations.ts';
import { type Bucket, failedWords, StackedBars } from '../design/charts/StackedBars.tsx';
import { narrowPx, useWidth } from '../design/width.ts';
import { useAnswer } from '../session/answers.tsx';
import { useNow } from '../session/clock.ts';
import { countWords } from '../words.ts';
import type { RunQuery } from './live-runs.ts';
import styles from './RunsPage.module.css';

const everyMs = 60_000;
const hourMs = 3_600_000;
const heightPx = 76;
const counted = new Set<string>(['job_id', 'prefix', 'tenant', 'status', 'since', 'until', 'top_level']);

export function Histogram(o: {
  readonly query: RunQuery;
  readonly choose: (fromMs: number, toMs: number) => void;
}): ReactNode {
  const isWide = useWidth() >= narrowPx;
  const nowMs = useNow(everyMs);
  const { status } = o.query;
  const isEnded = status === undefined || status === 'success' || status === 'failed' || status === 'cancelled';
  const enabled = isWide && isEnded && Object.keys(o.query).every((name) => counted.has(name));
  const query = statsQuery(o.query);
  const { data } = useAnswer(['runs by time', query], (client, signal) => client.call('getStats', { query, signal }), {
    enabled,
    refetchInterval: everyMs,
    placeholderData: (before) => before,
  });
  if (!enabled) return null;
  const buckets = data ? bucketsOf(data, status) : [];
  const total = (of: 'success' | 'failed'): string => countWords(buckets.reduce((sum, one) => sum + one[of], 0));
  const isOnlyFailed = status === 'failed';
  const succeeded = isOnlyFailed ? '' : `${total('success')} succeeded, `;
  const since = o.query.since === undefined ? 'Last 24 hours' : '';
  const hasFailed = !isOnlyFailed && buckets.some((one) => one.failed > 0);
  const failed = hasFailed ? failedWords(buckets, data?.span ?? 'hour') : '';
  return (
    <div className={styles.histogram}>
      <span className={styles.range}>{[since, failed].filter(Boolean).join('; ')}</span>
      <StackedBars
        label={`Runs by ${data?.span ?? 'hour'}: ${succeeded}${total('failed')} failed. Drag across the chart to choose a period.`}
        buckets={buckets}
        heightPx={heightPx}
        isOnlyFailed={isOnlyFailed}
        nowMs={nowMs}
        onChoose={o.choose}
      />
    </div>
  );
}

function statsQuery({ job_id: jobId, prefix, tenant, since, until }: RunQuery): QueryOf<'getStats'> {
  return {
    ...(jobId !== undefined && { job_id: jobId }),
    ...(prefix !== undefined && { namespace: prefix }),
    ...(tenant !== undefined && { tenant }),
    ...(since === undefined ? { range: '24h' as const } : { since }),
    ...(since !== undefined && until !== undefined && { until }),
  };
}

function bucketsOf({ runs, span }: AnswerOf<'getStats'>, status: RunQuery['status']): readonly Bucket[] {
  const spanMs = span === 'hour' ? hourMs : 24 * hourMs;
  const only = (of: 'success' | 'failed' | 'cancelled', count: number): number =>
    status === undefined || status === of ? count : 0;
  return runs.map(({ at, success, failed, cancelled }) => ({
    fromMs: Date.parse(at),
    toMs: Date.parse(at) + spanMs,
    success: only('success', success),
    failed: only('failed', failed),
    cancelled: only('cancelled', cancelled),
    running: 0,
  }));
}
