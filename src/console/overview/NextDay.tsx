// A strip with the schedules of the next day, and with what was late or missed in the two hours before.

import { AlarmClock, Pause } from 'lucide-react';
import type { ReactNode } from 'react';
import { spanWords } from '../../client/took.ts';
import { Strip, type StripItem } from '../design/charts/Strip.tsx';
import { Card } from '../design/text/Card.tsx';
import { Time } from '../design/text/Time.tsx';
import { PauseWords } from '../schedules/PauseWords.tsx';
import { Shown } from '../widgets/Notes.tsx';
import { countOf, countWords, runPath, timeZone } from '../words.ts';
import styles from './Lists.module.css';
import { type Fires, useNextDay, usePauses } from './overview-data.ts';

type Fire = Fires['fires'][number];

const minuteMs = 60_000;

const title = 'Next 24 hours';

export function NextDay({ nowMs }: { readonly nowMs: number }): ReactNode {
  const { fromMs, toMs, ...answer } = useNextDay();
  const { data } = answer;
  const pauses = usePauses();
  if (!data) {
    return (
      <Card title={title}>
        <Shown of={answer} what="the schedules">
          {() => null}
        </Shown>
      </Card>
    );
  }
  const { fires } = data;
  // The answer also includes schedules that are held, and schedules that do not fire in the next 24 hours.
  const frequent = data.frequent.filter(({ next_at: at }) => at !== null && Date.parse(at) < toMs).length;
  const late = fires.filter(isLate).length;
  const missed =
    fires.filter(({ state }) => state === 'missed').length + data.frequent.reduce((sum, one) => sum + one.missed, 0);
  const schedules = new Set(fires.map(({ schedule_id: id }) => id)).size;
  return (
    <Card
      title={title}
      count={pauses.length === 0 ? schedulesWords(schedules, frequent) : ''}
      end={
        <>
          {late > 0 && (
            <span className={styles.late}>
              <AlarmClock size={14} strokeWidth={2.2} aria-hidden="true" /> {countWords(late)} late
            </span>
          )}
          {fires.length + data.frequent.length > 0 && (
            <span data-bad={missed > 0 || undefined}>
              {missed === 0 ? 'none missed' : `${countWords(missed)} missed`}
            </span>
          )}
          <span className={styles.zone}>{timeZone}</span>
        </>
      }
      isFlush={fires.length === 0}
    >
      {pauses.map((pause) => (
        <p key={`${pause.tenant} ${pause.by_operator}`} className={styles.paused}>
          <Pause size={14} strokeWidth={2.2} aria-hidden="true" />
          <span>
            <PauseWords of={pause} since={(at) => <Time at={at} />} />
          </span>
        </p>
      ))}
      {fires.length === 0 && pauses.length === 0 && (
        <p className={styles.nothing}>
          {frequent === 0
            ? 'No schedule starts a run in this time.'
            : 'Only schedules that run at least 16 times a day start runs in this time.'}
        </p>
      )}
      {fires.length > 0 && (
        <Strip
          label="Schedules of the next 24 hours"
          fromMs={fromMs}
          toMs={toMs}
          nowMs={nowMs}
          items={fires.map((fire) => toItem(fire, nowMs))}
        />
      )}
    </Card>
  );
}

/** @param frequent the number of schedules that run at least 16 times a day */
function schedulesWords(others: number, frequent: number): string {
  const often = frequent === 1 ? 'that runs at least 16 times a day' : 'that run at least 16 times a day';
  const words = countOf(others, 'schedule');
  if (frequent === 0) return words;
  return others === 0 ? `${countOf(frequent, 'schedule')} ${often}` : `${words}, and ${countWords(frequent)} ${often}`;
}

/** Whether the schedule should have started a run by now and has not. */
function isLate({ state, late }: Fire): boolean {
  return state === 'due' && late;
}

function toItem(fire: Fire, nowMs: number): StripItem {
  const { schedule_id: id, job_id: name, nominal_at: at, run, state } = fire;
  const status = run?.status ?? (isLate(fire) || state === 'missed' ? 'late' : undefined);
  const lateMs = Math.floor((nowMs - Date.parse(at)) / minuteMs) * minuteMs;
  const note = isLate(fire) ? `late ${spanWords(lateMs)}` : state === 'missed' ? 'missed' : undefined;
  return {
    key: `${id} ${at}`,
    atMs: Date.parse(at),
    name,
    href: run ? runPath(run.run_id) : `/schedules?schedule=${encodeURIComponent(id)}`,
    ...(status !== undefined && { status }),
    ...(note !== undefined && { note }),
  };
}
