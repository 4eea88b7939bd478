// The runs in progress, each with the time that it still needs, and the waiting runs, each with the reason.

import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { outlookOf } from '../../client/run-outlook.ts';
import { Card } from '../design/text/Card.tsx';
import { JobName } from '../design/text/JobName.tsx';
import { StatusIcon } from '../design/text/Status.tsx';
import { Elapsed } from '../design/text/Time.tsx';
import { countWords, harmless, type RunRow, runPath } from '../words.ts';
import styles from './Lists.module.css';
import { useOverviewRuns } from './overview-data.ts';

const shownRunning = 12;
const shownWaiting = 6;

export function UnderWay({ nowMs }: { readonly nowMs: number }): ReactNode {
  const data = useOverviewRuns();
  const running = data?.running ?? [];
  const pending = data?.pending ?? [];
  return (
    <Card title="Running" count={data && countWords(running.length)} end={running.length > 1 && 'oldest first'} isFlush>
      <ul className={styles.rows} aria-label="Running">
        {running.slice(0, shownRunning).map((run) => (
          <Running key={run.run_id} run={run} nowMs={nowMs} />
        ))}
      </ul>
      {data && running.length === 0 && <p className={styles.nothing}>Nothing is running.</p>}
      <More count={running.length - shownRunning} href="/runs?q=status%3Arunning" />
      {pending.length > 0 && (
        <>
          <h3 className={styles.sub}>
            Waiting <span>{countWords(data?.waiting ?? pending.length)}</span>
          </h3>
          <ul className={styles.rows} aria-label="Waiting">
            {pending.slice(0, shownWaiting).map((run) => (
              <Waiting key={run.run_id} run={run} />
            ))}
          </ul>
          <More count={(data?.waiting ?? 0) - shownWaiting} href="/runs?q=status%3Apending" />
        </>
      )}
    </Card>
  );
}

function Running({ run, nowMs }: { readonly run: RunRow; readonly nowMs: number }): ReactNode {
  const { share, words, isLong } = outlookOf(run, run.expected_ms, nowMs);
  const message = run.progress?.message ?? '';
  return (
    <li className={styles.run}>
      <StatusIcon of="running" />
      <Link href={runPath(run.run_id)} className={styles.job}>
        <JobName id={run.job_id} />
      </Link>
      <span className={styles.what}>{harmless(message)}</span>
      {share === null ? (
        <span className={styles.track} data-long={isLong || undefined} />
      ) : (
        <progress className={styles.track} aria-label={`Progress of ${run.job_id}`} max={1} value={share} />
      )}
      <span className={styles.number}>
        <Elapsed since={run.started_at ?? run.created_at} />
      </span>
      <span className={styles.outlook} data-long={isLong || undefined}>
        {words}
      </span>
    </li>
  );
}

function Waiting({ run }: { readonly run: RunRow }): ReactNode {
  return (
    <li className={styles.run}>
      <StatusIcon of="pending" />
      <Link href={runPath(run.run_id)} className={styles.job}>
        <JobName id={run.job_id} />
      </Link>
      <span className={styles.why}>{harmless(run.waiting ?? 'waits in the queue')}</span>
      <span className={styles.outlook}>
        <Elapsed since={run.created_at} />
      </span>
    </li>
  );
}

function More({ count, href }: { readonly count: number; readonly href: string }): ReactNode {
  if (count <= 0) return null;
  return (
    <p className={styles.nothing}>
      <Link href={href}>{countWords(count)} more</Link>
    </p>
  );
}
