// One schedule: what can be done with it, its next times, its last runs and its settings.

import { Pause, Trash2, X } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { Link } from 'wouter';
import { denialWords } from '../../client/schedule-denial.ts';
import { ScheduleBackfills } from '../backfills/Backfills.tsx';
import { Button, IconButton } from '../design/controls/Button.tsx';
import { Confirm } from '../design/controls/Dialog.tsx';
import { JobName } from '../design/text/JobName.tsx';
import { StatusText } from '../design/text/Status.tsx';
import { Age } from '../design/text/Time.tsx';
import { useAnswer } from '../session/answers.tsx';
import { useScopes } from '../session/scopes.ts';
import { ErrorNote, Shown } from '../widgets/Notes.tsx';
import { harmless, isOwnZone, jobPath, runPath } from '../words.ts';
import { HeartbeatFacts } from './Heartbeat.tsx';
import { MissingSecrets } from './MissingSecrets.tsx';
import styles from './SchedulePanel.module.css';
import { type OpenForm, type ScheduleActions, useScheduleActions } from './schedule-actions.ts';
import { argumentWords, isOn, missingSecretsOf, type Schedule, sentenceWords } from './schedule-data.ts';
import { ZoneTime } from './ZoneTime.tsx';

const shownRuns = 8;

export function SchedulePanel(o: {
  readonly schedule: Schedule;
  readonly open: OpenForm;
  readonly close: () => void;
  /** The dialog around the panel has its own title and close button. */
  readonly isInDialog: boolean;
}): ReactNode {
  const { schedule } = o;
  return (
    <section aria-label={`Schedule of ${schedule.job_id}`} className={styles.panel}>
      <header className={styles.head}>
        {!o.isInDialog && (
          <div className={styles.title}>
            <Link href={jobPath(schedule.job_id)}>
              <JobName id={schedule.job_id} />
            </Link>
            <IconButton size="small" icon={X} label="Close" keys="Esc" data-key="Escape" onClick={o.close} />
          </div>
        )}
        <h2 className={styles.sentence}>{schedule.sentence}</h2>
        <p className={styles.pattern}>
          <code>{schedule.cron ?? schedule.at}</code> {schedule.timezone}
        </p>
        {!isOn(schedule) && (
          <p className={styles.off}>
            <Pause size={14} strokeWidth={2.2} aria-hidden="true" />
            {whyOff(schedule)}
          </p>
        )}
        <PanelActions {...o} />
      </header>
      {schedule.last_error && (
        <div className={styles.wrong} role="note">
          <strong>
            No run was started for <ZoneTime at={schedule.last_error.nominal_at} zone={schedule.timezone} />.
          </strong>
          <p>{harmless(schedule.last_error.detail)}</p>
        </div>
      )}
      {missingSecretsOf(schedule).length > 0 && (
        <div className={styles.wrong} role="note">
          <strong>The next run cannot start.</strong>
          <MissingSecrets of={schedule} />
        </div>
      )}
      <Next schedule={schedule} />
      <ScheduleBackfills schedule={schedule} />
      <LastRuns schedule={schedule} />
      {schedule.heartbeat !== null && (
        <section className={styles.part} aria-label="Heartbeat">
          <h3>Heartbeat</h3>
          <HeartbeatFacts schedule={schedule} />
        </section>
      )}
      <Settings schedule={schedule} />
    </section>
  );
}

function whyOff({ enabled, paused, denied }: Schedule): string {
  if (!enabled) return 'Disabled: this schedule starts nothing.';
  if (paused) return 'All schedules are paused: this one starts nothing until they are resumed.';
  return denied
    ? `${denialWords(denied)}: ${harmless(denied.detail)}`
    : 'Held: this schedule starts nothing until it is released.';
}

function PanelActions({
  schedule,
  open,
  close,
}: {
  readonly schedule: Schedule;
  readonly open: OpenForm;
  readonly close: () => void;
}): ReactNode {
  const mayWrite = useScopes()('schedules:write');
  const [isAsking, setAsking] = useState(false);
  const actions = useScheduleActions(open);
  const path = { schedule_id: schedule.id };
  const remove = () => actions.act((client) => client.request('deleteSchedule', { path })).then(close);
  return (
    <>
      <div className={styles.actions}>
        {actions.actsOf(schedule).map(({ label, icon, isDisabled, act }) => (
          <Button key={label} icon={icon} disabled={isDisabled} onClick={act}>
            {label}
          </Button>
        ))}
        {mayWrite && schedule.source === 'api' && (
          <Button icon={Trash2} look="danger" disabled={actions.isBusy} onClick={() => setAsking(true)}>
            Delete…
          </Button>
        )}
      </div>
      {mayWrite === false && (
        <p className={styles.hint}>Callers with the scope schedules:write may hold and change it.</p>
      )}
      <ActionNotes actions={actions} />
      {isAsking && (
        <Confirm
          title="Delete this schedule?"
          text={`${schedule.job_id} no longer runs “${sentenceWords(schedule)}”. Its runs stay.`}
          yes="Delete the schedule"
          no="Keep it"
          confirm={() => void remove()}
          close={() => setAsking(false)}
        />
      )}
    </>
  );
}

/** Shows the result of the last action. */
export function ActionNotes({ actions }: { readonly actions: ScheduleActions }): ReactNode {
  return (
    <>
      <p role="status" className={styles.hint}>
        {actions.startedId !== null && (
          <>
            A run has started: <Link href={runPath(actions.startedId)}>open it</Link>
          </>
        )}
      </p>
      {actions.error !== null && <ErrorNote text={actions.error} />}
    </>
  );
}

function Next({ schedule }: { readonly schedule: Schedule }): ReactNode {
  const { next_fires: fires, clock_change: change } = schedule;
  if (!isOn(schedule)) return null;
  return (
    <section className={styles.part} aria-label="Next times">
      <h3>{isOwnZone(schedule.timezone) ? 'Next' : `Next, ${schedule.timezone}`}</h3>
      {fires.length === 0 ? (
        <p>{schedule.sentence}</p>
      ) : (
        <ol className={styles.times}>
          {fires.map(({ nominal_at: at, local }, index) => (
            <li key={at}>
              <time dateTime={at} title={at}>
                {wallWords(local)}
              </time>
              {index === 0 && (
                <span className={styles.quiet}>
                  <Age at={at} />
                </span>
              )}
            </li>
          ))}
        </ol>
      )}
      {change && <p className={styles.hint}>{change.text}</p>}
    </section>
  );
}

const wall = new Intl.DateTimeFormat('en-GB', {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  timeZone: 'UTC',
});

/** Formats a local time of the schedule's time zone, which is shown above. */
function wallWords(local: string): string {
  return wall.format(new Date(`${local.slice(0, 19)}Z`)).replaceAll(',', '');
}

function LastRuns({ schedule }: { readonly schedule: Schedule }): ReactNode {
  const may = useScopes();
  const answer = useAnswer(
    ['schedules', 'runs', schedule.id, schedule.last_run?.run_id, schedule.last_run?.status],
    (client, signal) =>
      client.call('listRuns', { query: { label: `schedule_id=${schedule.id}`, limit: shownRuns }, signal }),
    { enabled: may('runs:read') === true },
  );
  if (may('runs:read') !== true) return null;
  return (
    <section className={styles.part} aria-label="Last runs">
      <h3>{isOwnZone(schedule.timezone) ? 'Last' : `Last, ${schedule.timezone}`}</h3>
      <Shown of={answer} what="its runs">
        {({ runs, total }) =>
          runs.length === 0 ? (
            <p className={styles.quiet}>No run so far.</p>
          ) : (
            <>
              <ol className={styles.runs}>
                {runs.map((run) => (
                  <li key={run.run_id}>
                    <StatusText of={run.status} isShort />
                    <Link href={runPath(run.run_id)}>
                      <ZoneTime at={run.created_at} zone={schedule.timezone} />
                    </Link>
                    {run.labels.nominal_at === undefined && <span className={styles.quiet}>by {run.created_by}</span>}
                  </li>
                ))}
              </ol>
              {total > runs.length && (
                <Link className={styles.all} href={`/runs?q=${encodeURIComponent(`label:schedule_id=${schedule.id}`)}`}>
                  All {total} runs
                </Link>
              )}
            </>
          )
        }
      </Shown>
    </section>
  );
}

const missedWords = {
  none: 'left out',
  last: 'the newest one is caught up',
  all: 'each one is caught up',
} as const;

function Settings({ schedule }: { readonly schedule: Schedule }): ReactNode {
  const { defined_in: file, created_by: by } = schedule;
  const facts: readonly (readonly [name: string, value: ReactNode])[] = [
    ['Name', schedule.name],
    ['Arguments', argumentWords(schedule).map((word) => <code key={word}>{harmless(word)}</code>)],
    ['Missed times', missedWords[schedule.catch_up]],
    ['Delayed by', schedule.jitter === '0s' ? null : `a random time up to ${schedule.jitter}`],
    ['Labels', Object.entries(schedule.labels).map(([key, value]) => <code key={key}>{`${key}=${value}`}</code>)],
    ['Tenant', schedule.tenant === 'default' ? null : schedule.tenant],
    ['Defined in', file && <code>{`${file.source}: ${file.file}`}</code>],
    ['Created by', by],
  ];
  return (
    <section className={styles.part} aria-label="Settings">
      <h3>Settings</h3>
      <dl className={styles.facts}>
        {facts
          .filter(([, value]) => value !== null && !(Array.isArray(value) && value.length === 0))
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
      </dl>
      {file && <p className={styles.hint}>To change the schedule, edit this file. You can hold and run it here.</p>}
    </section>
  );
}
