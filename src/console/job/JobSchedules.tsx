// When the schedules of a job start it.

import type { ReactNode } from 'react';
import { Link } from 'wouter';
import type { AnswerOf } from '../../contract/operations.ts';
import { showValue } from '../../domain/argument-fields.ts';
import { cronWords } from '../../lib/cron-words.ts';
import { Card } from '../design/text/Card.tsx';
import { Chip } from '../design/text/Chip.tsx';
import { Time } from '../design/text/Time.tsx';
import { type Answer, useAnswer } from '../session/answers.tsx';
import { Shown } from '../widgets/Notes.tsx';
import { harmless, runPath } from '../words.ts';
import styles from './JobSchedules.module.css';

type Schedules = AnswerOf<'listSchedules'>;
type Schedule = Schedules['schedules'][number];

const everyMs = 30_000;
const mostShown = 100;
const firesShown = 3;

export function useSchedules(jobId: string): Answer<Schedules> {
  return useAnswer(
    ['schedules', 'of', jobId],
    (client, signal) => client.call('listSchedules', { query: { job_id: jobId, limit: mostShown }, signal }),
    { refetchInterval: everyMs },
  );
}

/** The next time at which one of them starts the job. */
export function nextOf(answer: Schedules | undefined): string | null {
  const fires = answer?.schedules
    .filter(({ enabled, held }) => enabled && !held)
    .flatMap(({ next_fires: [next] }) => (next ? [next.nominal_at] : []))
    .toSorted();
  return fires?.[0] ?? null;
}

export function JobSchedules({ job }: { readonly job: AnswerOf<'getJob'> }): ReactNode {
  const schedules = useSchedules(job.id);
  return (
    <Card title="Schedules" count={schedules.data?.total} isFlush end={<Link href="/schedules">All schedules</Link>}>
      {!job.enabled && <p className={styles.note}>The job is disabled, so its schedules do not start it.</p>}
      <Shown of={schedules} what="schedules">
        {({ schedules: rows }) =>
          rows.length === 0 ? (
            <p className={styles.note}>
              Nothing starts this job by itself. Its config.yaml may have <code>schedules</code>, or{' '}
              <code>flwd schedules add {harmless(job.id)} '0 3 * * *'</code> makes one.
            </p>
          ) : (
            <ul>
              {rows.map((schedule) => (
                <Row key={schedule.id} schedule={schedule} />
              ))}
            </ul>
          )
        }
      </Shown>
    </Card>
  );
}

function Row({ schedule }: { readonly schedule: Schedule }): ReactNode {
  const { id, name, cron, timezone, args, enabled, held, next_fires: fires, last_fire: last, source } = schedule;
  const given = Object.entries(args).map(([key, value]) => `${key}=${showValue(value)}`);
  return (
    <li className={styles.row}>
      <div>
        <p className={styles.pattern}>
          <Link href={`/schedules?schedule=${encodeURIComponent(id)}`} className={styles.name}>
            {name === null ? cronWords(cron) : harmless(name)}
          </Link>
          {name !== null && <span>{cronWords(cron)}</span>}
          <code className={styles.quiet}>{cron}</code>
          <span className={styles.quiet}>{timezone}</span>
          {!enabled && <Chip look="sunk">disabled</Chip>}
          {enabled && held && <Chip look="late">held</Chip>}
        </p>
        {given.length > 0 && <code className={styles.args}>{harmless(given.join(' '))}</code>}
      </div>
      <div>
        <span className={styles.quiet}>Next</span>
        {fires.length === 0 || !enabled || held
          ? '–'
          : fires.slice(0, firesShown).map(({ nominal_at: at }) => <Time key={at} at={at} />)}
      </div>
      <div>
        <span className={styles.quiet}>Last</span>
        {last === null ? (
          '–'
        ) : (
          <Link href={runPath(last.run_id)}>
            <Time at={last.nominal_at} />
          </Link>
        )}
      </div>
      <span className={styles.quiet}>{source === 'job' ? 'in its config.yaml' : 'made by the API'}</span>
    </li>
  );
}
