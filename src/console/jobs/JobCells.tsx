// What the cells of a job's row show. They are drawn again only when the row has changed, not while the list scrolls.

import { type MouseEvent, memo, type ReactNode, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { RunBars } from '../design/charts/RunBars.tsx';
import { Sparkline } from '../design/charts/Sparkline.tsx';
import { Button } from '../design/controls/Button.tsx';
import { Chip } from '../design/text/Chip.tsx';
import { Play } from '../design/text/icons.tsx';
import { JobName } from '../design/text/JobName.tsx';
import { Pending } from '../design/text/Pending.tsx';
import { StatusIcon, StatusText } from '../design/text/Status.tsx';
import { SuccessRate } from '../design/text/SuccessRate.tsx';
import { Age, Duration, Time } from '../design/text/Time.tsx';
import { useRequestKeys } from '../session/request-keys.ts';
import { useClient } from '../session/session.tsx';
import { WithCode } from '../widgets/Notes.tsx';
import { harmless, jobPath, runPath } from '../words.ts';
import styles from './JobCells.module.css';
import { type InvalidJob, isRefused, type JobRow, leastDays, monthOf, notableChange } from './job-rows.ts';

type Props = { readonly row: JobRow };

export const JobCell = memo(function JobCell({ row: { id, job } }: Props): ReactNode {
  return (
    <span className={styles.job}>
      <Link href={jobPath(id)} data-row title={job?.description ?? undefined}>
        <JobName id={id} />
      </Link>
      {job && !job.enabled && <Chip look="sunk">disabled</Chip>}
      {job?.tags.map((tag) => (
        <Chip key={tag}>{harmless(tag)}</Chip>
      ))}
    </span>
  );
});

/** Shows an invalid job with its first error, which extends over the empty cells of the row. */
export function InvalidCell({ of: { id, errors } }: { readonly of: InvalidJob }): ReactNode {
  const [error] = errors;
  return (
    <span className={styles.invalid}>
      <Link href={jobPath(id)} data-row>
        <JobName id={id} />
      </Link>
      <StatusIcon of="failed" word="Invalid" />
      {error && (
        <>
          <code>
            {harmless(error.file)}:{error.line}:{error.column}
          </code>
          <span className={styles.message} title={error.message}>
            <WithCode text={harmless(error.message)} />
          </span>
          {errors.length > 1 && <span className={styles.quiet}>and {errors.length - 1} more</span>}
        </>
      )}
    </span>
  );
}

export const LastRunCell = memo(function LastRunCell({ row }: Props): ReactNode {
  const { numbers, invalid, loading, starts } = row;
  const [last] = numbers?.last_runs ?? [];
  if (invalid) return null;
  if (numbers !== undefined && isRefused(row))
    return (
      <span title={harmless(starts?.refused?.detail ?? '')}>
        <StatusText of="failed" word="Did not start" />
      </span>
    );
  if (numbers === undefined) return loading.numbers && <Pending />;
  if (!last) return <span className={styles.quiet}>Never run</span>;
  return (
    <Link href={runPath(last.run_id)} className={styles.last}>
      <StatusText of={last.status} isShort />
      {last.status !== 'running' && (
        <span className={styles.quiet}>
          <Age at={last.created_at} />
        </span>
      )}
    </Link>
  );
});

export const LastTen = memo(function LastTen({ row: { numbers, invalid, loading } }: Props): ReactNode {
  if (!numbers) return loading.numbers && !invalid && <Pending />;
  return <RunBars runs={numbers.last_runs} />;
});

export const Rate = memo(function Rate({ row: { numbers, invalid, loading } }: Props): ReactNode {
  const { success_rate: rate = null, runs = 0 } = numbers ?? {};
  if (loading.numbers && !invalid) return <Pending />;
  return <SuccessRate rate={rate} of={monthOf(runs)} />;
});

function None(): ReactNode {
  return <span className={styles.quiet}>–</span>;
}

export const Usual = memo(function Usual({ row: { numbers, invalid, loading } }: Props): ReactNode {
  const ms = numbers?.duration.p50_ms ?? null;
  if (loading.numbers && !invalid) return <Pending />;
  return ms === null ? <None /> : <Duration ms={ms} />;
});

export const Trend = memo(function Trend({ row: { numbers, change } }: Props): ReactNode {
  const daily = numbers?.daily_median_ms ?? [];
  if (daily.filter((ms) => ms !== null).length < leastDays) return null;
  const isSlower = (change ?? 0) > notableChange;
  const isNotable = Math.abs(change ?? 0) > notableChange;
  return (
    <span className={styles.trend}>
      <Sparkline values={daily} joinsGaps look={isSlower ? 'late' : 'plain'} label={trendWords(change)} />
      {isNotable && change !== null && (
        <span className={isSlower ? styles.late : styles.quiet}>
          {change > 0 ? '+' : '−'}
          {Math.round(Math.abs(change) * 100)} %
        </span>
      )}
    </span>
  );
});

function trendWords(change: number | null): string {
  if (change === null) return 'Median of each day';
  const percent = Math.round(Math.abs(change) * 100);
  const compared = percent === 0 ? 'the same as' : `${percent} % ${change > 0 ? 'above' : 'below'}`;
  return `Median of each day. The median of the last 7 days is ${compared} that of the last 30 days`;
}

export const Next = memo(function Next({ row: { starts, invalid, loading } }: Props): ReactNode {
  if (starts?.nextAt) return <Time at={starts.nextAt} />;
  if (invalid) return null;
  if (starts?.off) return <span className={styles.quiet}>{starts.off}</span>;
  return loading.next ? <Pending /> : <None />;
});

/** A button that opens the form. A click with Shift starts the job at once, unless the job needs arguments. */
export const RunCell = memo(function RunCell({ row: { id, job } }: Props): ReactNode {
  const client = useClient();
  const [, navigate] = useLocation();
  const once = useRequestKeys();
  // This is an id and not a boolean, because the row may show another job by the time the request ends.
  const [startingId, setStartingId] = useState<string | null>(null);
  if (!job) return null;
  const run = async (event: MouseEvent): Promise<void> => {
    if (!event.shiftKey) return navigate(jobPath(id));
    setStartingId(id);
    try {
      const { run_id: runId } = await once(id, (headers) =>
        client.call('createRun', { body: { job_id: id }, headers }),
      );
      navigate(runPath(runId));
    } catch {
      // The form says what is missing, or why the job cannot start.
      navigate(jobPath(id));
    }
  };
  return (
    <span className={styles.run}>
      <Button
        look="quiet"
        size="small"
        icon={Play}
        disabled={startingId === id}
        data-key="r"
        aria-label={`Run ${harmless(id)}`}
        title="Opens the form; with Shift, starts at once"
        onClick={(event) => void run(event)}
      >
        Run
      </Button>
    </span>
  );
});

/** A row of two lines, on phones. */
export function CompactJob({ row }: Props): ReactNode {
  const { id, invalid, numbers, starts } = row;
  if (invalid) return <InvalidCell of={invalid} />;
  return (
    <span className={styles.compact}>
      <Link href={jobPath(id)} data-row className={styles.cut}>
        <JobName id={id} />
      </Link>
      <LastTen row={row} />
      <span className={styles.second}>
        <LastRunCell row={row} />
        {starts?.nextAt && (
          <span className={styles.quiet}>
            · next <Time at={starts.nextAt} />
          </span>
        )}
        {starts && starts.off !== '' && <span className={styles.quiet}>· {starts.off.toLowerCase()}</span>}
      </span>
      <span className={styles.rate}>{numbers && numbers.success_rate !== null && <Rate row={row} />}</span>
    </span>
  );
}
