// Lists backfills with their progress. A list above the schedules has the backfills that are under way, and the panel
// of a schedule has those of the schedule.

import { type ReactNode, useState } from 'react';
import { Link } from 'wouter';
import { backfillLabel } from '../../domain/schedule.ts';
import { Button } from '../design/controls/Button.tsx';
import { Confirm } from '../design/controls/Dialog.tsx';
import { Card } from '../design/text/Card.tsx';
import { JobName } from '../design/text/JobName.tsx';
import { StatusIcon } from '../design/text/Status.tsx';
import { Time } from '../design/text/Time.tsx';
import type { Schedule } from '../schedules/schedule-data.ts';
import { knownZone } from '../schedules/zone-time.ts';
import { useActions } from '../session/actions.ts';
import { useRefresh } from '../session/answers.tsx';
import { useNow } from '../session/clock.ts';
import { useScopes } from '../session/scopes.ts';
import { ErrorNote } from '../widgets/Notes.tsx';
import { countOf, countWords, exactTime, harmless } from '../words.ts';
import styles from './Backfills.module.css';
import { type Backfill, isOpen, runsOf, useBackfills } from './backfill-data.ts';

const dayMs = 86_400_000;
const endedShown = 3;
const shownParts = { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' } as const;

/** The backfills that are under way, and those that failed within a day. Shows nothing without such backfills. */
export function OpenBackfills(o: {
  /** The time zone of the page. */
  readonly zone: string;
  readonly choose: (scheduleId: string) => void;
}): ReactNode {
  const { zone, choose } = o;
  const { data: all = [] } = useBackfills();
  const nowMs = useNow(60_000);
  const isNew = ({ finished_at: at }: Backfill) => at !== null && Date.parse(at) > nowMs - dayMs;
  const shown = all.filter((one) => isOpen(one) || (one.status === 'failed' && isNew(one)));
  if (shown.length === 0) return null;
  return (
    <div className={styles.page}>
      <Card title="Backfills" count={countWords(shown.length)} isFlush>
        <ul aria-label="Backfills">
          {shown.map((one) => (
            <li key={one.id} className={styles.row}>
              <StatusIcon of={one.status === 'failed' ? 'failed' : one.paused ? 'pending' : 'running'} />
              <button type="button" className={styles.job} onClick={() => choose(one.schedule_id)}>
                <JobName id={one.job_id} />
              </button>
              <Span of={one} zone={zone} />
              <Progress of={one} />
              <Actions of={one} />
            </li>
          ))}
        </ul>
      </Card>
    </div>
  );
}

/** The backfills of a schedule that are under way, and the backfills that ended last. */
export function ScheduleBackfills({ schedule }: { readonly schedule: Schedule }): ReactNode {
  const { data = [] } = useBackfills();
  const all = data.filter((one) => one.schedule_id === schedule.id);
  const shown = [...all.filter(isOpen), ...all.filter((one) => !isOpen(one)).slice(0, endedShown)];
  if (shown.length === 0) return null;
  const { timezone: zone } = schedule;
  return (
    <section className={styles.part} aria-label="Backfills">
      <h3>Backfills</h3>
      <ul>
        {shown.map((one) => (
          <li key={one.id} className={styles.own}>
            <p>
              <StatusIcon of={lookOf(one)} />
              <Span of={one} zone={zone} />
            </p>
            <Progress of={one} />
            <p className={styles.quiet}>
              by {harmless(one.created_by)}, <Time at={one.created_at} hasDay />
            </p>
            <Actions of={one} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Span({ of, zone }: { readonly of: Backfill; readonly zone: string }): ReactNode {
  const year = String(new Date(useNow(dayMs)).getFullYear());
  const isOfYear = [of.from, of.until].every((at) => at.startsWith(year));
  const clock = new Intl.DateTimeFormat('en-GB', {
    ...shownParts,
    ...(!isOfYear && { year: 'numeric' }),
    timeZone: knownZone(zone),
  });
  return (
    <span className={styles.span} title={`${exactTime(of.from)} – ${exactTime(of.until)}`}>
      {[of.from, of.until].map((at) => clock.format(new Date(at)).replace(',', '')).join(' – ')}
    </span>
  );
}

function lookOf({ status, paused, failed_runs: failed }: Backfill) {
  if (status === 'running') return paused ? 'pending' : 'running';
  if (status === 'done') return failed === 0 ? 'success' : 'failed';
  return status;
}

function Progress({ of }: { readonly of: Backfill }): ReactNode {
  const all = runsOf(of);
  return (
    <div className={styles.progress}>
      {isOpen(of) && (
        <progress aria-label={`Progress of the backfill of ${of.job_id}`} max={Math.max(all, 1)} value={of.started} />
      )}
      <Link href={`/runs?q=${encodeURIComponent(`label:${backfillLabel}=${of.id}`)}`} className={styles.runs}>
        {progressWords(of, all)}
      </Link>
      {of.error !== null && <p className={styles.failed}>{harmless(of.error.detail)}</p>}
    </div>
  );
}

function progressWords({ status, paused, started, failed_runs: failed }: Backfill, all: number): string {
  if (status === 'done') return `${countOf(started, 'run')}${failed ? `, ${countWords(failed)} failed` : ''}`;
  const words = `${countWords(started)} of ${countOf(all, 'run')} started`;
  if (status === 'cancelled') return `Cancelled, ${words}`;
  return paused ? `Paused, ${words}` : words;
}

/** The button that cancels a backfill that is under way. */
function Actions({ of }: { readonly of: Backfill }): ReactNode {
  const may = useScopes();
  const refresh = useRefresh();
  const { act, isBusy, error } = useActions(() => refresh({ queryKey: ['backfills'] }));
  const [isAsking, setAsking] = useState(false);
  if (!isOpen(of) || may('schedules:write') !== true) return null;
  const path = { backfill_id: of.id };
  return (
    <div className={styles.actions}>
      <Button
        size="small"
        look="danger"
        aria-label={`Cancel the backfill of ${of.job_id}`}
        disabled={isBusy}
        onClick={() => setAsking(true)}
      >
        Cancel
      </Button>
      {error !== null && <ErrorNote text={error} />}
      {isAsking && (
        <Confirm
          title="Cancel this backfill?"
          text={`It starts no more runs of ${harmless(of.job_id)}. ${goOnWords(of.started)}`}
          yes="Cancel the backfill"
          no="Keep it"
          confirm={() => void act((client) => client.call('cancelBackfill', { path }))}
          close={() => setAsking(false)}
        />
      )}
    </div>
  );
}

function goOnWords(started: number): string {
  if (started === 0) return 'It has not started any run.';
  return started === 1 ? 'The run that it has started continues.' : `The ${started} runs that it has started continue.`;
}
