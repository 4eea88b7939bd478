// The schedules, as a table or as a week with past, missed and coming runs. Beside it is the selected schedule.

import { AlarmClock, CalendarPlus, ChevronLeft, ChevronRight } from 'lucide-react';
import { type ReactNode, useMemo, useRef, useState } from 'react';
import { useLocation, useSearch } from 'wouter';
import { OpenBackfills } from '../backfills/Backfills.tsx';
import { useTitle } from '../browser.ts';
import { Button, IconButton } from '../design/controls/Button.tsx';
import { Dialog } from '../design/controls/Dialog.tsx';
import { SearchField } from '../design/controls/Input.tsx';
import { Segmented } from '../design/controls/Segmented.tsx';
import { PageHeader } from '../design/text/PageHeader.tsx';
import { useWidth } from '../design/width.ts';
import { useNow } from '../session/clock.ts';
import { useScopes } from '../session/scopes.ts';
import { onDemand } from '../shell/on-demand.tsx';
import { Empty, Shown } from '../widgets/Notes.tsx';
import { countWords } from '../words.ts';
import { PauseAll, Pauses, usePausing } from './Pauses.tsx';
import { ScheduleForm } from './ScheduleForm.tsx';
import { SchedulePanel } from './SchedulePanel.tsx';
import styles from './SchedulesPage.module.css';
import { SchedulesTable } from './SchedulesTable.tsx';
import { SchedulesWeek } from './SchedulesWeek.tsx';
import type { OpenForm } from './schedule-actions.ts';
import { argumentWords, type Schedule, useFires, useSchedules } from './schedule-data.ts';
import { addDays, isoDay, mondayOf } from './week-layout.ts';
import { wallAt, zoneOfAll } from './zone-time.ts';

const BackfillForm = onDemand('the form', async () => (await import('../backfills/BackfillForm.tsx')).BackfillForm);

const minuteMs = 60_000;
const dayMs = 86_400_000;
/**
 * On a narrower page, the panel has no room beside the list, and the header has room only for the title and the
 * buttons.
 */
const panelPx = 1_000;

export function SchedulesPage(): ReactNode {
  useTitle('Schedules');
  const may = useScopes();
  const schedules = useSchedules();
  const all = schedules.data?.schedules ?? [];
  const zone = zoneOfAll(all);
  const { view, monday, chosen, form, backfill, go } = usePlace(zone);
  const late = useLate();
  const pausing = usePausing();
  const isNarrow = useWidth() < panelPx;
  const [filter, setFilter] = useState('');
  const zoneNote = schedules.data && <span className={styles.zone}>Times in {zone}</span>;
  const search = view === 'table' && all.length > 0 && (
    <SearchField label="Filter the schedules" placeholder="Filter" value={filter} onChange={setFilter} />
  );
  const pauseAll = schedules.data && (
    <PauseAll of={schedules.data} actions={pausing} size={isNarrow ? 'small' : 'normal'} />
  );
  const weekChoice = view === 'week' && <WeekChoice monday={monday} zone={zone} go={(week) => go({ week })} />;
  return (
    <>
      <PageHeader
        title="Schedules"
        count={schedules.data && countWords(schedules.data.total)}
        after={
          <>
            <Segmented label="View" size="small" choices={views} value={view} onChange={(next) => go({ view: next })} />
            {!isNarrow && weekChoice}
            {!isNarrow && search && <span className={styles.search}>{search}</span>}
          </>
        }
      >
        {late > 0 && (
          <span className={styles.late}>
            <AlarmClock size={14} strokeWidth={2.2} aria-hidden="true" /> {late} late
          </span>
        )}
        {!isNarrow && zoneNote}
        {!isNarrow && pauseAll}
        {may('schedules:write') && (
          <Button look="primary" icon={CalendarPlus} onClick={() => go({ form: 'new' })}>
            New schedule
          </Button>
        )}
      </PageHeader>
      {schedules.data && <Pauses of={schedules.data} actions={pausing} />}
      {isNarrow && weekChoice}
      {isNarrow && search && <div className={styles.search}>{search}</div>}
      {isNarrow && (
        <div className={styles.below}>
          {zoneNote}
          {pauseAll}
        </div>
      )}
      <OpenBackfills zone={zone} choose={(id) => go({ schedule: id })} />
      <Shown of={schedules} what="schedules">
        {() => (
          <Content
            all={all}
            filter={filter}
            zone={zone}
            view={view}
            monday={monday}
            chosen={chosen}
            choose={(id) => go({ schedule: id })}
            open={(kind, id) => go({ [kind]: id })}
          />
        )}
      </Shown>
      <Backfill schedule={all.find(({ id }) => id === backfill)} close={() => go({ backfill: null })} />
      {form !== null && (form === 'new' || all.some(({ id }) => id === form)) && (
        <ScheduleForm
          key={form}
          schedule={all.find(({ id }) => id === form) ?? null}
          close={(saved) => go({ form: null, ...(saved !== undefined && { schedule: saved }) })}
        />
      )}
    </>
  );
}

function Backfill(o: { readonly schedule: Schedule | undefined; readonly close: () => void }): ReactNode {
  return o.schedule && <BackfillForm key={o.schedule.id} schedule={o.schedule} close={o.close} />;
}

type View = 'table' | 'week';
const views = [
  { value: 'table', label: 'Table' },
  { value: 'week', label: 'Week' },
] as const;

/** Everything that is chosen on the page is in its URL. */
function usePlace(zone: string) {
  const [, navigate] = useLocation();
  const search = new URLSearchParams(useSearch());
  const week = search.get('week');
  const view: View = search.get('view') === 'week' ? 'week' : 'table';
  return {
    view,
    monday: mondayOf(week === null || Number.isNaN(Date.parse(week)) ? wallAt(zone, new Date()) : new Date(week)),
    chosen: search.get('schedule'),
    form: search.get('form'),
    backfill: search.get('backfill'),
    go: (changes: Readonly<Record<string, string | null>>): void => {
      for (const [name, value] of Object.entries(changes)) {
        if (value === null || (name === 'view' && value === 'table')) search.delete(name);
        else search.set(name, value);
      }
      const query = search.toString();
      navigate(`/schedules${query === '' ? '' : `?${query}`}`, { replace: true });
    },
  };
}

/** How many schedules are late: they should have started a run, and have not. */
function useLate(): number {
  const now = Math.floor(useNow(minuteMs) / (60 * minuteMs)) * 60 * minuteMs;
  const fires = useFires(new Date(now - dayMs), new Date(now + 60 * minuteMs));
  return new Set(fires.data?.fires.filter((one) => one.state === 'due' && one.late).map((one) => one.schedule_id)).size;
}

const dayWords = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });

function WeekChoice({
  monday,
  zone,
  go,
}: {
  readonly monday: Date;
  readonly zone: string;
  readonly go: (week: string | null) => void;
}): ReactNode {
  const sunday = addDays(monday, 6);
  const isOneMonth = monday.getUTCMonth() === sunday.getUTCMonth();
  const isThis = mondayOf(wallAt(zone, new Date())).getTime() === monday.getTime();
  return (
    <span className={styles.weeks}>
      <IconButton size="small" icon={ChevronLeft} label="Week before" onClick={() => go(isoDay(addDays(monday, -7)))} />
      <span className={styles.week}>
        {isOneMonth ? monday.getUTCDate() : dayWords.format(monday)}–{dayWords.format(sunday)}
      </span>
      <IconButton size="small" icon={ChevronRight} label="Week after" onClick={() => go(isoDay(addDays(monday, 7)))} />
      {!isThis && (
        <Button size="small" look="quiet" onClick={() => go(null)}>
          This week
        </Button>
      )}
    </span>
  );
}

function Content(o: {
  readonly all: readonly Schedule[];
  readonly filter: string;
  readonly zone: string;
  readonly view: View;
  readonly monday: Date;
  readonly chosen: string | null;
  readonly choose: (id: string | null) => void;
  readonly open: OpenForm;
}): ReactNode {
  const isWide = useWidth() >= panelPx;
  const chosen = useMemo(() => o.all.find(({ id }) => id === o.chosen) ?? null, [o.all, o.chosen]);
  const shown = useMemo(() => matching(o.all, o.filter), [o.all, o.filter]);
  const side = useRef<HTMLDivElement>(null);
  if (o.all.length === 0) {
    return (
      <Empty>
        No schedules yet. Add one here, with <code>flwd schedules add JOB --cron '0 3 * * *'</code>, or under{' '}
        <code>schedules:</code> in a job’s config.yaml.
      </Empty>
    );
  }
  const close = (): void => {
    if (isWide) leavePanel(side.current);
    o.choose(null);
  };
  const panel = chosen && (
    <SchedulePanel key={chosen.id} schedule={chosen} open={o.open} close={close} isInDialog={!isWide} />
  );
  return (
    <div className={styles.content} data-panel={(panel !== null && isWide) || undefined} data-view={o.view}>
      {o.view === 'table' ? (
        shown.length > 0 ? (
          <SchedulesTable all={shown} zone={o.zone} chosen={o.chosen} choose={o.choose} open={o.open} />
        ) : (
          <Empty>No schedule matches “{o.filter}”.</Empty>
        )
      ) : (
        <SchedulesWeek all={o.all} zone={o.zone} monday={o.monday} chosen={o.chosen} choose={o.choose} />
      )}
      {panel !== null && isWide && (
        <div className={styles.panel} ref={side}>
          {panel}
        </div>
      )}
      {panel !== null && !isWide && o.chosen !== null && (
        <Dialog title={chosen?.job_id ?? ''} close={close}>
          {panel}
        </Dialog>
      )}
    </div>
  );
}

/** Moves the focus from the panel to the row of the schedule, unless an element outside the panel has the focus. */
function leavePanel(panel: HTMLElement | null): void {
  const focused = document.activeElement;
  if (focused !== document.body && !panel?.contains(focused)) return;
  const row = document.querySelector<HTMLElement>('[data-current] [data-row], button[data-current]');
  row?.focus({ preventScroll: true });
}

/** Returns the schedules whose job, name, sentence or arguments contain all words. */
function matching(all: readonly Schedule[], filter: string): readonly Schedule[] {
  const words = filter.toLowerCase().split(/\s+/);
  return all.filter((one) => {
    const text = [one.job_id, one.name, one.sentence, one.cron ?? one.at, ...argumentWords(one)]
      .join(' ')
      .toLowerCase();
    return words.every((word) => text.includes(word));
  });
}
