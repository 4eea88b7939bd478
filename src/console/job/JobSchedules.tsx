// Lists the schedules of a job: their next times, their last run, and a menu of actions.

import { CalendarPlus } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { Link, useLocation } from 'wouter';
import type { AnswerOf } from '../../contract/operations.ts';
import { showValue } from '../../domain/argument-fields.ts';
import { Button } from '../design/controls/Button.tsx';
import { Card } from '../design/text/Card.tsx';
import { Chip } from '../design/text/Chip.tsx';
import { MissingSecrets } from '../schedules/MissingSecrets.tsx';
import { Last, Next, RowMenu } from '../schedules/ScheduleCells.tsx';
import { ScheduleForm } from '../schedules/ScheduleForm.tsx';
import { ActionNotes } from '../schedules/SchedulePanel.tsx';
import { type ScheduleAct, useScheduleActions } from '../schedules/schedule-actions.ts';
import { missingSecretsOf, nextTimes, type Schedule } from '../schedules/schedule-data.ts';
import { ZoneTime } from '../schedules/ZoneTime.tsx';
import { type Answer, useAnswer } from '../session/answers.tsx';
import { useScopes } from '../session/scopes.ts';
import { Shown } from '../widgets/Notes.tsx';
import { harmless } from '../words.ts';
import styles from './JobSchedules.module.css';

type Schedules = AnswerOf<'listSchedules'>;

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

export function JobSchedules({
  jobId,
  job,
}: {
  readonly jobId: string;
  /** null: the job is invalid. */
  readonly job: AnswerOf<'getJob'> | null;
}): ReactNode {
  const schedules = useSchedules(jobId);
  const [, navigate] = useLocation();
  const actions = useScheduleActions((form, id) => navigate(`/schedules?${form}=${encodeURIComponent(id)}`));
  const mayAdd = useScopes()('schedules:write') === true && job !== null;
  const [isAdding, setAdding] = useState(false);
  const end = (
    <>
      <Link href="/schedules">All schedules</Link>
      {mayAdd && (
        <Button size="small" icon={CalendarPlus} onClick={() => setAdding(true)}>
          New schedule
        </Button>
      )}
    </>
  );
  return (
    <Card title="Schedules" count={schedules.data?.total} isFlush end={end}>
      {job?.enabled === false && <p className={styles.note}>The job is disabled, so its schedules do not start it.</p>}
      <Shown of={schedules} what="schedules">
        {({ schedules: rows }) =>
          rows.length === 0 ? (
            <p className={styles.note}>
              {job === null ? (
                'While the job is invalid, the schedules in its config.yaml cannot be read.'
              ) : (
                <>
                  The job has no schedules. Add one here, with{' '}
                  <code>flwd schedules add {harmless(jobId)} --cron '0 3 * * *'</code>, or under <code>schedules</code>{' '}
                  in its config.yaml.
                </>
              )}
            </p>
          ) : (
            <ul>
              {rows.map((schedule) => (
                <Row key={schedule.id} schedule={schedule} actions={actions.actsOf(schedule)} />
              ))}
            </ul>
          )
        }
      </Shown>
      {(actions.startedId !== null || actions.error !== null) && (
        <div className={styles.note}>
          <ActionNotes actions={actions} />
        </div>
      )}
      {isAdding && <ScheduleForm schedule={null} jobId={jobId} close={() => setAdding(false)} />}
    </Card>
  );
}

function Row({
  schedule,
  actions,
}: {
  readonly schedule: Schedule;
  readonly actions: readonly ScheduleAct[];
}): ReactNode {
  const { id, name, cron, at, sentence, timezone, args, enabled, held, paused, done, created_by: by } = schedule;
  const next = nextTimes([schedule]);
  const given = Object.entries(args).map(([key, value]) => `${key}=${showValue(value)}`);
  return (
    <li className={styles.row}>
      <div>
        <p className={styles.pattern}>
          <Link href={`/schedules?schedule=${encodeURIComponent(id)}`} className={styles.name}>
            {name === null ? sentence : harmless(name)}
          </Link>
          {name !== null && <span>{sentence}</span>}
          <code className={styles.quiet}>{cron ?? at}</code>
          <span className={styles.quiet}>{timezone}</span>
          {!enabled && <Chip look="sunk">disabled</Chip>}
          {enabled && paused && <Chip look="late">paused</Chip>}
          {done && <Chip look="sunk">done</Chip>}
          {enabled && held && <Chip look="late">held</Chip>}
        </p>
        {missingSecretsOf(schedule).length > 0 && (
          <div className={styles.wrong}>
            <MissingSecrets of={schedule} />
          </div>
        )}
        {given.length > 0 && <code className={styles.args}>{harmless(given.join(' '))}</code>}
      </div>
      <div>
        <span className={styles.quiet}>Next</span>
        {next.length === 0 ? (
          <Next schedule={schedule} />
        ) : (
          next.slice(0, firesShown).map((time) => <ZoneTime key={time.at} {...time} />)
        )}
      </div>
      <div>
        <span className={styles.quiet}>Last</span>
        <Last schedule={schedule} />
      </div>
      <span className={styles.quiet}>{by === null ? 'in its config.yaml' : `created by ${harmless(by)}`}</span>
      <span className={styles.menu}>
        <RowMenu schedule={schedule} actions={actions} />
      </span>
    </li>
  );
}
