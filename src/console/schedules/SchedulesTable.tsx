// All schedules in a table: each in words, with its next time, its last run, and how often its runs succeed.

import { ChevronRight } from 'lucide-react';
import { type ReactNode, useMemo, useState } from 'react';
import { heartbeatState } from '../../client/heartbeat-words.ts';
import { IconButton } from '../design/controls/Button.tsx';
import { type Column, type Sort, Table } from '../design/table/Table.tsx';
import { JobName } from '../design/text/JobName.tsx';
import { Pending } from '../design/text/Pending.tsx';
import { SuccessRate } from '../design/text/SuccessRate.tsx';
import { useWidth } from '../design/width.ts';
import { isLoading } from '../session/answers.tsx';
import { useNow } from '../session/clock.ts';
import { countOf } from '../words.ts';
import { HeartbeatLine } from './Heartbeat.tsx';
import { Last, Next, RowMenu } from './ScheduleCells.tsx';
import { ActionNotes } from './SchedulePanel.tsx';
import styles from './SchedulesTable.module.css';
import { type OpenForm, useScheduleActions } from './schedule-actions.ts';
import { argumentWords, isOn, type Schedule, type Tally, tallies, useFires } from './schedule-data.ts';
import { sentenceIn } from './zone-time.ts';

const hourMs = 3_600_000;
const weekMs = 7 * 24 * hourMs;
/** The height of all rows on phones if a row has a line for the heartbeat. */
const threeLinesRem = 5;
/**
 * In a narrower window, the last run is shown only as the icon of its status, so that the sentence of the schedule has
 * room.
 */
const slimPx = 1_400;
/** The least width at which the heartbeat, and a long sentence, have room beside the other columns. */
const roomyPx = 1_700;
/**
 * The most characters of a sentence that fits on one line in a window narrower than `roomyPx`. If one sentence is
 * longer, all rows get the height of two lines.
 */
const oneLine = 45;
const twoLinesRem = 2.875;

export function SchedulesTable(o: {
  readonly all: readonly Schedule[];
  /** The time zone of the page. Sentences in another time zone name it. */
  readonly zone: string;
  readonly chosen: string | null;
  readonly choose: (id: string | null) => void;
  readonly open: OpenForm;
}): ReactNode {
  const [sort, setSort] = useState<Sort>({ column: 'next', isDescending: false });
  const hour = Math.floor(useNow(hourMs / 60) / hourMs) * hourMs;
  const fires = useFires(new Date(hour - weekMs), new Date(hour + hourMs));
  const { choose, zone } = o;
  const { data: week } = fires;
  const isWeekLoading = isLoading(fires);
  const hasArguments = o.all.some((one) => argumentWords(one).length > 0);
  const hasHeartbeats = o.all.some(({ heartbeat }) => heartbeat !== null);
  const width = useWidth();
  const isRoomy = o.chosen === null && width >= roomyPx;
  const hasTwoLines = hasArguments || (!isRoomy && o.all.some((one) => sentenceIn(zone, one).length > oneLine));
  const isSlim = o.chosen !== null || width < slimPx;
  const isTight = o.chosen !== null || width < 1_280;
  const columns = useMemo(() => {
    const tally = week ? tallies(week) : isWeekLoading ? 'loading' : 'unknown';
    const left = [...(hasHeartbeats ? [] : ['heartbeat']), ...(hasHeartbeats && isTight ? ['success'] : [])];
    return columnsOf(tally, { zone, isRoomy, isSlim }, choose).filter(({ id }) => !left.includes(id));
  }, [week, isWeekLoading, zone, choose, hasHeartbeats, isRoomy, isSlim, isTight]);
  const actions = useScheduleActions(o.open);
  const menuOf = (schedule: Schedule): ReactNode => <RowMenu schedule={schedule} actions={actions.actsOf(schedule)} />;
  return (
    <div>
      <Table
        label="Schedules"
        rows={o.all}
        columns={[...columns, openColumn(menuOf, choose)]}
        keyOf={({ id }) => id}
        compact={(schedule) => <Compact schedule={schedule} zone={zone} choose={choose} menu={menuOf(schedule)} />}
        {...(hasTwoLines && { rowRem: twoLinesRem })}
        compactRem={hasHeartbeats ? threeLinesRem : undefined}
        sort={sort}
        onSort={setSort}
        currentKey={o.chosen}
      />
      {(actions.startedId !== null || actions.error !== null) && (
        <div className={styles.notes}>
          <ActionNotes actions={actions} />
        </div>
      )}
    </div>
  );
}

type Tallies = ReadonlyMap<string, Tally> | 'loading' | 'unknown';

function columnsOf(
  tally: Tallies,
  { zone, isRoomy, isSlim }: { readonly zone: string; readonly isRoomy: boolean; readonly isSlim: boolean },
  choose: (id: string) => void,
): readonly Column<Schedule>[] {
  return [
    {
      id: 'schedule',
      head: 'Schedule',
      width: 'minmax(0, 2fr)',
      sortBy: (one) => `${one.job_id} ${one.name ?? ''}`,
      cell: (one) => <NameAndArguments schedule={one} choose={choose} />,
    },
    {
      id: 'when',
      head: 'When',
      width: 'minmax(0, 3fr)',
      sortBy: ({ sentence }) => sentence,
      cell: (one) => (
        <span className={styles.when} title={`${sentenceIn(zone, one)}\n${one.cron ?? one.at} ${one.timezone}`}>
          {sentenceIn(zone, one)}
        </span>
      ),
    },
    {
      id: 'next',
      head: 'Next',
      width: '130px',
      sortBy: (one) => one.next_fires[0]?.nominal_at ?? null,
      cell: (one) => <Next schedule={one} zone={zone} />,
    },
    {
      id: 'last',
      head: 'Last run',
      width: isSlim ? '132px' : '212px',
      sortBy: (one) => one.last_run?.created_at ?? null,
      cell: (one) => <Last schedule={one} zone={zone} isNarrow={isSlim} />,
    },
    {
      id: 'heartbeat',
      head: 'Heartbeat',
      width: isRoomy ? '230px' : '104px',
      leavesBelowPx: 900,
      sortBy: heartbeatOrder,
      cell: (one) => <HeartbeatLine schedule={one} zone={zone} isNarrow={!isRoomy} />,
    },
    successColumn(tally),
  ];
}

/** For sorting: schedules come first if their last call failed. */
function heartbeatOrder({ heartbeat }: Schedule): string | null {
  if (heartbeat === null) return null;
  const state = heartbeatState(heartbeat);
  return `${state.kind === 'failed' ? 0 : 1} ${state.kind === 'none' ? '' : state.at}`;
}

function successColumn(tally: Tallies): Column<Schedule> {
  return {
    id: 'success',
    head: 'Success, 7 d',
    width: '110px',
    isNumber: true,
    leavesBelowPx: 1_000,
    sortBy: ({ id }) => {
      const found = typeof tally === 'string' ? undefined : tally.get(id);
      return found && found.ended > 0 ? found.succeeded / found.ended : null;
    },
    cell: ({ id }) => {
      if (tally === 'loading') return <Pending />;
      const found = typeof tally === 'string' ? undefined : tally.get(id);
      if (!found) return '–';
      const { succeeded, ended, missed } = found;
      const runs = `${countOf(ended, 'run')} in 7 days${missed > 0 ? `, and ${missed} were missed` : ''}`;
      return <SuccessRate rate={ended === 0 ? null : succeeded / ended} of={runs} />;
    },
  };
}

function openColumn(menuOf: (schedule: Schedule) => ReactNode, choose: (id: string) => void): Column<Schedule> {
  return {
    id: 'open',
    head: 'Actions',
    isHeadUnseen: true,
    width: '84px',
    isNumber: true,
    cell: (one) => (
      <span className={styles.open}>
        {menuOf(one)}
        <IconButton
          size="small"
          icon={ChevronRight}
          label={`Show the schedule of ${one.job_id}`}
          onClick={() => choose(one.id)}
        />
      </span>
    ),
  };
}

function Name(o: { readonly schedule: Schedule; readonly choose: (id: string) => void }): ReactNode {
  const { schedule } = o;
  return (
    <button type="button" data-row className={styles.name} onClick={() => o.choose(schedule.id)}>
      <JobName id={schedule.job_id} />
      {schedule.name !== null && <span className={styles.own}>{schedule.name}</span>}
    </button>
  );
}

function NameAndArguments(o: Parameters<typeof Name>[0]): ReactNode {
  const words = argumentWords(o.schedule).join(' ');
  return (
    <>
      <Name schedule={o.schedule} choose={o.choose} />
      {words !== '' && (
        <code className={styles.arguments} title={words}>
          {words}
        </code>
      )}
    </>
  );
}

function Compact(o: {
  readonly schedule: Schedule;
  readonly zone: string;
  readonly choose: (id: string) => void;
  readonly menu: ReactNode;
}): ReactNode {
  const { schedule } = o;
  return (
    <div className={styles.compact}>
      <Name schedule={schedule} choose={o.choose} />
      <Last schedule={schedule} zone={o.zone} isNarrow />
      <span className={styles.quiet}>{sentenceIn(o.zone, schedule)}</span>
      {isOn(schedule) && schedule.next_fires.length > 0 ? (
        <span className={styles.quiet}>
          Next <Next schedule={schedule} zone={o.zone} />
        </span>
      ) : (
        <Next schedule={schedule} zone={o.zone} />
      )}
      {schedule.heartbeat !== null && (
        <span className={styles.heartbeat}>
          <HeartbeatLine schedule={schedule} zone={o.zone} />
        </span>
      )}
      <span className={styles.menu}>{o.menu}</span>
    </div>
  );
}
