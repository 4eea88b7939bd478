// The runs as a table of virtual rows. On phones a row has two lines.

import { type ReactNode, useMemo } from 'react';
import { Link } from 'wouter';
import { approvalWords, spanWords, workMs } from '../../client/took.ts';
import { stepAndMessage } from '../../domain/outcome/step-and-message.ts';
import type { StepStatus } from '../../domain/run.ts';
import { type Column, Table } from '../design/table/Table.tsx';
import { JobName } from '../design/text/JobName.tsx';
import { StatusIcon, StatusText } from '../design/text/Status.tsx';
import { Elapsed, Time, Worked } from '../design/text/Time.tsx';
import { useWidth } from '../design/width.ts';
import { useNow } from '../session/clock.ts';
import { errorWords, harmless, type RunRow, reasonWords, runPath } from '../words.ts';
import { byName, RunBy } from './RunBy.tsx';
import styles from './RunTable.module.css';
import { useUsualTimes } from './usual-times.ts';

/** Below this width the sidebar and the column "By" show icons only. */
const iconsPx = 1_180;

export function RunTable(o: {
  readonly rows: readonly RunRow[];
  readonly chosen?: ReadonlySet<string>;
  readonly choose?: (runIds: readonly string[], isChosen: boolean) => void;
}): ReactNode {
  const hasNames = useWidth() >= iconsPx;
  const usual = useUsualTimes(o.rows);
  const columns = useMemo((): readonly Column<RunRow>[] => {
    return [
      {
        id: 'status',
        head: 'Status',
        width: '7rem',
        isNeverCut: true,
        isDrawnAtSpeed: true,
        cell: (run) => (
          <span className={styles.status}>
            <StatusText of={lookOf(run)} isShort />
          </span>
        ),
      },
      {
        id: 'job',
        head: 'Job',
        width: '18%',
        isDrawnAtSpeed: true,
        cell: (run) => (
          <Link href={runPath(run.run_id)} data-row className={styles.job}>
            <JobName id={run.job_id} />
          </Link>
        ),
      },
      { id: 'what', head: 'Arguments or reason', cell: (run) => <What run={run} /> },
      {
        id: 'by',
        head: 'By',
        width: hasNames ? '8rem' : '3rem',
        isNeverCut: true,
        leavesBelowPx: 900,
        cell: (run) => <RunBy run={run} isIcon={!hasNames} />,
      },
      {
        id: 'started',
        head: 'Started',
        width: '8.5rem',
        isNeverCut: true,
        isNumber: true,
        cell: (run) => <Time at={run.started_at ?? run.created_at} />,
      },
      {
        id: 'took',
        head: 'Duration vs. usual',
        width: '10.75rem',
        isNeverCut: true,
        isNumber: true,
        cell: (run) => <TookAgainst run={run} usualMs={usual?.get(run.job_id)} />,
      },
    ];
  }, [hasNames, usual]);
  return (
    <Table
      label="Runs"
      rows={o.rows}
      columns={columns}
      keyOf={keyOf}
      nameOf={keyOf}
      compact={compact}
      reusesRows
      {...(o.chosen && { chosen: o.chosen })}
      {...(o.choose && { choose: o.choose })}
    />
  );
}

function keyOf({ run_id: id }: RunRow): string {
  return id;
}

function lookOf({ status, waiting_approval: asking }: RunRow): StepStatus {
  return asking.length > 0 ? 'waiting_approval' : status;
}

/** Messages of programs are shown unchanged and in a monospaced font, flwd's own words in the normal font. */
function What({ run }: { readonly run: RunRow }): ReactNode {
  const [asking, ...others] = run.waiting_approval;
  if (asking) {
    const more = others.length === 0 ? '' : ` and ${others.length} more`;
    return <Words text={`${asking.question ?? asking.step_id}${more}`} />;
  }
  if (run.status === 'pending')
    return <Words text={run.waiting === null ? 'Waits in the queue' : `Waits: ${run.waiting}`} />;
  if (run.status === 'failed')
    return <Message text={run.error ? errorWords(stepAndMessage(run.error)) : reasonWords(run.reason)} />;
  if (run.status === 'running' && run.waiting !== null) return <Words text={`Waits: ${run.waiting}`} />;
  if (run.status === 'running' && run.progress) {
    return <Words text={`${Math.round(run.progress.percent)} % – ${run.progress.message}`} />;
  }
  return (
    <span className={styles.args} title={harmless(run.args_text)}>
      {harmless(run.args_text)}
    </span>
  );
}

function Words({ text }: { readonly text: string }): ReactNode {
  return (
    <span className={styles.words} title={harmless(text)}>
      {harmless(text)}
    </span>
  );
}

function Message({ text }: { readonly text: string }): ReactNode {
  return (
    <span className={styles.message} title={harmless(text)}>
      {harmless(text)}
    </span>
  );
}

/** The position of the mark for the usual duration, as a share of the track. RunTable.module.css has the same value. */
const usualShare = 0.6;
const slowShare = 1.35;

/**
 * A bar for the duration of a run, with a mark at the usual duration. The bar is orange if the run takes much longer
 * than usual.
 */
function TookAgainst({
  run,
  usualMs,
}: {
  readonly run: RunRow;
  /** null: there is no usual duration; undefined: not known yet. */
  readonly usualMs: number | null | undefined;
}): ReactNode {
  const now = useNow(10_000, run.started_at !== null && run.finished_at === null);
  const ms = workMs(run, now);
  if (ms === null || usualMs === null || run.waiting_approval.length > 0) return <TookOrWaits run={run} />;
  if (usualMs === undefined) {
    return (
      <span className={styles.took}>
        <Track />
        <Worked of={run} />
      </span>
    );
  }
  // Runs that failed or were cancelled are not called slow.
  const isSlow = ms > usualMs * slowShare && (run.status === 'running' || run.status === 'success');
  const asides = [approvalWords(run), isSlow ? 'longer than usual' : ''].filter(Boolean);
  const share = Math.max(0.03, Math.min(1, (ms / Math.max(1, usualMs)) * usualShare));
  return (
    <span className={styles.took} title={[`Usually ${spanWords(usualMs)} of work`, ...asides].join('; ')}>
      <Track look={isSlow ? 'late' : run.status} share={share} />
      {isSlow ? (
        <span>
          <Worked of={run} />
          <span className="unseen"> longer than usual</span>
        </span>
      ) : (
        <Worked of={run} />
      )}
    </span>
  );
}

/** Shows how long the run worked or, if it waits for an approval, how long it has waited. */
function TookOrWaits({ run }: { readonly run: RunRow }): ReactNode {
  const [asking] = run.waiting_approval;
  if (!asking) return <Worked of={run} />;
  return (
    <span>
      waits <Elapsed since={asking.since} />
    </span>
  );
}

/**
 * Without `look`, draws only the empty track. CSS draws it, because an SVG in each row would make scrolling a twentieth
 * slower.
 */
function Track({ look, share = 0 }: { readonly look?: string; readonly share?: number }): ReactNode {
  const style: Record<string, string> = { '--share': `${share * 100}%` };
  return <span className={styles.track} data-look={look} style={style} aria-hidden="true" />;
}

function compact(run: RunRow): ReactNode {
  return (
    <span className={styles.compact}>
      <StatusIcon of={lookOf(run)} />
      <Link href={runPath(run.run_id)} data-row className={styles.job}>
        <JobName id={run.job_id} />
      </Link>
      <Time at={run.started_at ?? run.created_at} />
      <span className={styles.second}>
        <StatusText of={lookOf(run)} isShort />
        {run.started_at !== null && (
          <>
            {' · '}
            <TookOrWaits run={run} />
          </>
        )}
        {' · '}
        {run.status === 'success' ? byName(run) : <What run={run} />}
      </span>
    </span>
  );
}
