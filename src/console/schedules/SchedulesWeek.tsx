// A week of schedules. A past time has the result of its run, and a later time has an outline. Schedules that fire
// nearly every hour are counted above the grid.

import { AlarmClock } from 'lucide-react';
import { type CSSProperties, type ReactNode, useCallback, useMemo } from 'react';
import { Link } from 'wouter';
import { StatusIcon } from '../design/text/Status.tsx';
import { narrowPx, useWidth } from '../design/width.ts';
import { useNow } from '../session/clock.ts';
import { Shown } from '../widgets/Notes.tsx';
import { countOf, countWords, runPath } from '../words.ts';
import styles from './SchedulesWeek.module.css';
import { type Fire, type Frequent, type Schedule, shortName, useFires } from './schedule-data.ts';
import { addDays, type Day, isoDay, isoTime, layOut, topOf } from './week-layout.ts';
import { instantIn, sentenceIn, wallAt } from './zone-time.ts';

type Choice = { readonly zone: string; readonly chosen: string | null; readonly choose: (id: string) => void };

export function SchedulesWeek({
  all,
  monday,
  ...choice
}: Choice & { readonly all: readonly Schedule[]; readonly monday: Date }): ReactNode {
  const isNarrow = useWidth() < narrowPx;
  const { zone } = choice;
  const fires = useFires(startOf(zone, monday), startOf(zone, addDays(monday, 7)));
  const sentences = useMemo(() => new Map(all.map((one) => [one.id, sentenceIn(zone, one)])), [all, zone]);
  return (
    <Shown of={fires} what="the week">
      {(week) => (
        <section className={styles.card} aria-label="Week">
          {isNarrow && week.frequent.length > 0 ? (
            <details className={styles.folded}>
              <summary>{countOf(week.frequent.length, 'schedule that fires', 'schedules that fire')} often</summary>
              <FrequentRows of={week.frequent} {...choice} />
            </details>
          ) : (
            <FrequentRows of={week.frequent} {...choice} />
          )}
          {isNarrow ? (
            <Agenda monday={monday} fires={week.fires} sentences={sentences} {...choice} />
          ) : (
            <Grid monday={monday} fires={week.fires} sentences={sentences} {...choice} />
          )}
          {!week.complete && <p className={styles.cut}>There are more times than are shown here.</p>}
        </section>
      )}
    </Shown>
  );
}

/** When a day begins in the time zone. */
function startOf(zone: string, day: Date): Date {
  return new Date(instantIn(zone, `${isoDay(day)}T00:00`) ?? day);
}

function runsOf({ runs }: Frequent): number {
  return sum(Object.values(runs));
}

/** Puts all hourly schedules into one group, whatever their minute. */
function frequencyOf({ sentence }: Frequent): string {
  return /^At \d+ minutes? past every hour$/.test(sentence) ? 'Every hour' : sentence;
}

/** A row for each group of schedules with the same frequency. The most frequent group comes first. */
function FrequentRows({ of, chosen, choose }: Choice & { readonly of: readonly Frequent[] }): ReactNode {
  const rows = Object.entries(
    Object.groupBy(
      of.toSorted((a, b) => runsOf(b) - runsOf(a)),
      frequencyOf,
    ),
  );
  const isAhead = of.every((one) => runsOf(one) === 0);
  return rows.map(([frequency, same = []]) => {
    const count = sum(same.map(runsOf));
    return (
      <div key={frequency} className={styles.frequent}>
        <span className={styles.frequency}>{frequency}</span>
        <span className={styles.names}>
          {same.map((one, index) => (
            <span key={one.schedule_id}>
              <button
                type="button"
                className={styles.link}
                data-current={chosen === one.schedule_id || undefined}
                title={one.sentence}
                onClick={() => choose(one.schedule_id)}
              >
                {one.job_id}
              </button>
              <Troubles of={one} />
              {index < same.length - 1 && ', '}
            </span>
          ))}
        </span>
        {!isAhead && <span className={styles.count}>{countWords(count)} runs</span>}
      </div>
    );
  });
}

/** Shown beside the name of a schedule if runs of it failed or were missed. */
function Troubles({ of: { runs, missed } }: { readonly of: Frequent }): ReactNode {
  return (
    <>
      {runs.failed > 0 && (
        <span className={styles.failed}>
          <StatusIcon of="failed" size={12} /> {countWords(runs.failed)} failed
        </span>
      )}
      {missed > 0 && (
        <span className={styles.late}>
          <AlarmClock size={12} strokeWidth={2.2} aria-hidden="true" /> {countWords(missed)} missed
        </span>
      )}
    </>
  );
}

type Times = Choice & {
  readonly monday: Date;
  readonly fires: readonly Fire[];
  readonly sentences: ReadonlyMap<string, string>;
};

function Grid({ monday, fires, sentences, ...choice }: Times): ReactNode {
  const { zone } = choice;
  const now = wallAt(zone, new Date(useNow(60_000)));
  const { days, hourTops, heightPx } = useMemo(() => layOut(monday, fires, zone), [monday.getTime(), fires, zone]);
  return (
    <div className={styles.grid}>
      <div className={styles.corner} />
      {days.map(({ date }) => (
        <DayHead key={date.getTime()} date={date} now={now} />
      ))}
      <div className={styles.hours} style={{ height: heightPx }} aria-hidden="true">
        {labelledHours(hourTops).map(({ hour, top }) => (
          <span key={hour} style={{ top }}>
            {String(hour).padStart(2, '0')}:00
          </span>
        ))}
      </div>
      {days.map((day) => (
        <DayColumn key={day.date.getTime()} day={day} hourTops={hourTops} now={now} sentences={sentences} {...choice} />
      ))}
    </div>
  );
}

const utc = { timeZone: 'UTC' } as const;
const longDay = new Intl.DateTimeFormat('en-GB', { ...utc, weekday: 'long', day: 'numeric', month: 'long' });
const shortDay = new Intl.DateTimeFormat('en-GB', { ...utc, weekday: 'short', day: 'numeric' });

function DayHead({ date, now }: { readonly date: Date; readonly now: Date }): ReactNode {
  const isToday = isSameDay(date, now);
  return (
    <div className={styles.day} data-today={isToday || undefined} data-later={(!isToday && date > now) || undefined}>
      {shortDay.format(date)}
      {isToday && <span className={styles.today}>today</span>}
    </div>
  );
}

function DayColumn({
  day,
  hourTops,
  now,
  sentences,
  ...choice
}: Choice & {
  readonly day: Day;
  readonly hourTops: readonly number[];
  readonly now: Date;
  readonly sentences: ReadonlyMap<string, string>;
}): ReactNode {
  const lines = labelledHours(hourTops);
  const showNow = useScrolledTo('nearest');
  return (
    <ol className={styles.column} aria-label={longDay.format(day.date)}>
      {lines.map(({ hour, top }) => (
        <li key={`line ${hour}`} className={styles.line} style={{ top }} aria-hidden="true" />
      ))}
      {isSameDay(day.date, now) && (
        <li ref={showNow} className={styles.now} style={{ top: topOf(now, hourTops) }}>
          <span className="unseen">Now: </span>
          <span className={styles.nowTime}>{isoTime(now)}</span>
        </li>
      )}
      {day.placed.map(({ fire, top }) => (
        <li key={keyOf(fire)} className={styles.place} style={{ top }}>
          <Mark fire={fire} sentence={sentences.get(fire.schedule_id)} {...choice} />
        </li>
      ))}
      {day.more.map(({ top, fires }) => (
        <li key={`more ${top}`} className={styles.place} style={{ top }}>
          <span className={styles.more} title={fires.map((fire) => titleOf(fire, choice.zone)).join('\n')}>
            {fires.length} more
          </span>
        </li>
      ))}
    </ol>
  );
}

/** Scrolls to the element once, when the page opens. */
function useScrolledTo(block: 'nearest' | 'start'): (element: HTMLElement | null) => void {
  return useCallback((element: HTMLElement | null) => element?.scrollIntoView({ block }), [block]);
}

/** Shows the days one below the other, for phones. */
function Agenda({ monday, fires, sentences, ...choice }: Times): ReactNode {
  const timeOf = (fire: Fire): Date => wallAt(choice.zone, new Date(fire.nominal_at));
  const now = wallAt(choice.zone, new Date(useNow(60_000)));
  const days = Array.from({ length: 7 }, (_, day) => addDays(monday, day));
  const showToday = useScrolledTo('start');
  return days.map((date) => {
    const own = fires.filter((fire) => isSameDay(timeOf(fire), date));
    return (
      <section key={date.getTime()} ref={isSameDay(date, now) ? showToday : null} className={styles.agenda}>
        <DayHead date={date} now={now} />
        <ol aria-label={longDay.format(date)}>
          {own.map((fire) => (
            <li key={keyOf(fire)}>
              <time dateTime={fire.nominal_at}>{isoTime(timeOf(fire))}</time>
              <Mark fire={fire} sentence={sentences.get(fire.schedule_id)} {...choice} />
            </li>
          ))}
        </ol>
      </section>
    );
  });
}

type MarkLook = 'success' | 'failed' | 'cancelled' | 'running' | 'pending' | 'late' | 'upcoming';

/** A past time is a link to its run. Any other time is a button that selects the schedule. */
function Mark({
  fire,
  sentence,
  zone,
  chosen,
  choose,
}: Choice & { readonly fire: Fire; readonly sentence: string | undefined }): ReactNode {
  const look = lookOf(fire);
  const title = `${titleOf(fire, zone)}${sentence === undefined ? '' : `\n${sentence}`}`;
  const attributes = {
    className: styles.mark ?? '',
    'data-look': look,
    'data-current': fire.schedule_id === chosen || undefined,
    title,
    'aria-label': `${shortName(fire)}, ${wordsOf(fire, zone)}`,
  };
  const content = (
    <>
      <MarkIcon fire={fire} look={look} />
      <span className={styles.name}>{shortName(fire)}</span>
    </>
  );
  if (fire.run) {
    return (
      <Link href={runPath(fire.run.run_id)} {...attributes}>
        {content}
      </Link>
    );
  }
  return (
    <button type="button" {...attributes} onClick={() => choose(fire.schedule_id)}>
      {content}
    </button>
  );
}

function MarkIcon({ fire, look }: { readonly fire: Fire; readonly look: MarkLook }): ReactNode {
  if (look === 'late') return <AlarmClock size={12} strokeWidth={2.2} aria-hidden="true" />;
  if (fire.run && look !== 'success') return <StatusIcon of={fire.run.status} size={12} />;
  return null;
}

function lookOf({ state, run, late }: Fire): MarkLook {
  if (state === 'upcoming' || (state === 'due' && !late)) return 'upcoming';
  if (!run) return 'late';
  return run.status === 'success' && late ? 'late' : run.status;
}

function wordsOf({ nominal_at: at, state, run, late, detail }: Fire, zone: string): string {
  const timeOf = (instant: string): string => isoTime(wallAt(zone, new Date(instant)));
  const time = timeOf(at);
  if (state === 'upcoming') return time;
  if (!run) return `${time}, ${state === 'missed' ? 'missed' : 'due'}${detail === null ? '' : `: ${detail}`}`;
  const started = late ? `, started late at ${timeOf(run.created_at)}` : '';
  return `${time}, ${run.status}${started}`;
}

function titleOf(fire: Fire, zone: string): string {
  return `${fire.job_id}${fire.name === null ? '' : ` (${fire.name})`}, ${wordsOf(fire, zone)}`;
}

function keyOf({ schedule_id: id, nominal_at: at }: Fire): string {
  return `${id} ${at}`;
}

function isSameDay(a: Date, b: Date): boolean {
  return isoDay(a) === isoDay(b);
}

function sum(counts: readonly number[]): number {
  return counts.reduce((all, count) => all + count, 0);
}

const labelPx = 34;

/** The hours that have room for a label. They get a label and a line. */
function labelledHours(hourTops: readonly number[]) {
  const found: { readonly hour: number; readonly top: NonNullable<CSSProperties['top']> & number }[] = [];
  for (const [hour, top] of hourTops.slice(0, 24).entries()) {
    const before = found.at(-1)?.top ?? -labelPx;
    const isCrowded = (hourTops[hour + 1] ?? 0) - top > labelPx / 2;
    if (top - before >= labelPx || (isCrowded && top - before >= labelPx / 2)) found.push({ hour, top });
  }
  return found;
}
