// The runs of a job: the last few below its form, and all of them in a tab.

import type { ReactNode } from 'react';
import { Link } from 'wouter';
import type { AnswerOf } from '../../contract/operations.ts';
import { stepAndMessage } from '../../domain/outcome/step-and-message.ts';
import type { StepStatus } from '../../domain/run.ts';
import { type Column, Table } from '../design/table/Table.tsx';
import { Card } from '../design/text/Card.tsx';
import { StatusText } from '../design/text/Status.tsx';
import { Time, Worked } from '../design/text/Time.tsx';
import { RunBy } from '../runs/RunBy.tsx';
import { type Answer, useAnswer, useRefresh } from '../session/answers.tsx';
import { useRunEvents } from '../session/streams.ts';
import { Shown } from '../widgets/Notes.tsx';
import { harmless, type RunRow, reasonWords, runPath } from '../words.ts';
import styles from './JobRuns.module.css';

type RunList = AnswerOf<'listRuns'>;

const mostRuns = 200;
const settleMs = 1_000;

const status: Column<RunRow> = {
  id: 'status',
  head: 'Status',
  width: '120px',
  cell: (run) => <StatusText of={lookOf(run)} isShort />,
};
const started: Column<RunRow> = {
  id: 'started',
  head: 'Started',
  width: '132px',
  cell: (run) => (
    <Link href={runPath(run.run_id)} data-row className={styles.started}>
      <Time at={run.created_at} />
    </Link>
  ),
};
const columns: readonly Column<RunRow>[] = [
  status,
  started,
  {
    id: 'args',
    head: 'Arguments or reason',
    cell: (run) => <Why run={run} />,
  },
  { id: 'by', head: 'By', width: '150px', leavesBelowPx: 1000, cell: (run) => <RunBy run={run} /> },
  { id: 'took', head: 'Took', width: '112px', isNumber: true, cell: (run) => <Worked of={run} /> },
];

function lookOf({ status: of, waiting_approval: asking }: RunRow): StepStatus {
  return asking.length > 0 ? 'waiting_approval' : of;
}

function whyOf({ status: of, waiting, error, reason }: RunRow): string {
  if (waiting !== null) return waiting;
  return of === 'failed' ? (error === null ? reasonWords(reason) : stepAndMessage(error)) : '';
}

/** Shows why the run has its status, followed by the arguments if there is room. */
function Why({ run }: { readonly run: RunRow }): ReactNode {
  const why = harmless(whyOf(run));
  const args = harmless(run.args_text);
  return (
    <span className={styles.why} title={args}>
      {why === '' ? (
        args
      ) : (
        <>
          {why} <span className={styles.args}>{args}</span>
        </>
      )}
    </span>
  );
}

function Compact({ run }: { readonly run: RunRow }): ReactNode {
  return (
    <span className={styles.compact}>
      <Link href={runPath(run.run_id)} data-row className={styles.started}>
        <StatusText of={lookOf(run)} isShort /> <Time at={run.created_at} />
      </Link>
      <Worked of={run} />
      <Why run={run} />
    </span>
  );
}

const keyOf = ({ run_id: id }: RunRow): string => id;
const compact = (run: RunRow): ReactNode => <Compact run={run} />;

/** The newest runs of the job. The page Runs shows all of them, with every filter. */
export function JobRuns({ jobId }: { readonly jobId: string }): ReactNode {
  const refresh = useRefresh();
  const queryKey = ['runs of a job', jobId, mostRuns];
  useRunEvents({ jobId, settleMs }, { change: () => refresh({ queryKey }) });
  const runs = useAnswer(queryKey, (client, signal) =>
    client.call('listRuns', { query: { job_id: jobId, limit: mostRuns }, signal }),
  );
  return (
    <Card title="Runs" count={runs.data?.total} isFlush end={<AllRuns jobId={jobId} />}>
      <Shown of={runs} what="runs">
        {({ runs: rows }) =>
          rows.length === 0 ? (
            <p className={styles.none}>No runs yet.</p>
          ) : (
            <Table
              label="Runs"
              rows={rows}
              columns={columns}
              keyOf={keyOf}
              compact={compact}
              headTop="calc(var(--header) + 37px)"
            />
          )
        }
      </Shown>
    </Card>
  );
}

function AllRuns({ jobId }: { readonly jobId: string }): ReactNode {
  return (
    <Link href={`/runs?q=${encodeURIComponent(`job:${jobId}`)}`} className={styles.all}>
      Open in Runs
    </Link>
  );
}

const shown = 5;

/** A text that is cut where its column ends. */
function Cut({ text }: { readonly text: string }): ReactNode {
  return (
    <span className={styles.why} title={text}>
      {text}
    </span>
  );
}

/** The last runs. Their arguments can be taken over into the form. */
export function LastRuns({ jobId, of }: { readonly jobId: string; readonly of: Answer<RunList> }): ReactNode {
  return (
    <Card title="Last runs" count={of.data?.total} isFlush end={<AllRuns jobId={jobId} />}>
      <Shown of={of} what="runs">
        {({ runs }) =>
          runs.length === 0 ? (
            <p className={styles.none}>No runs yet.</p>
          ) : (
            <ul aria-label="Last runs" className={styles.last}>
              {runs.slice(0, shown).map((run) => (
                <li key={run.run_id}>
                  <StatusText of={lookOf(run)} isShort />
                  <Link href={runPath(run.run_id)} className={styles.started}>
                    <Time at={run.created_at} />
                  </Link>
                  <Cut text={harmless(run.args_text)} />
                  <Cut text={harmless(whyOf(run))} />
                  <RunBy run={run} />
                  <Worked of={run} />
                  <Link
                    href={`?from=${encodeURIComponent(run.run_id)}`}
                    className={styles.fill}
                    aria-label={`Fill in the arguments of ${run.run_id}`}
                  >
                    Fill in
                  </Link>
                </li>
              ))}
            </ul>
          )
        }
      </Shown>
    </Card>
  );
}
