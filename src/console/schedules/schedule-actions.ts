// What a caller can do with a schedule. Its panel and the menu of its row offer the same actions.

import { CalendarCheck, History, type LucideIcon, Pause, Play, SquarePen } from 'lucide-react';
import { useState } from 'react';
import { type Actions, useActions } from '../session/actions.ts';
import { useRefresh } from '../session/answers.tsx';
import { useRequestKeys } from '../session/request-keys.ts';
import { useScopes } from '../session/scopes.ts';
import type { Schedule } from './schedule-data.ts';

export type ScheduleAct = {
  readonly label: string;
  readonly icon: LucideIcon;
  readonly isDisabled: boolean;
  readonly act: () => void;
};

export type ScheduleActions = Actions & {
  /** The actions that the caller may perform on this schedule. */
  readonly actsOf: (schedule: Schedule) => readonly ScheduleAct[];
  /** The last run that was started from here. */
  readonly startedId: string | null;
};

/** Opens the form that changes a schedule, or the form that backfills it. */
export type OpenForm = (form: 'form' | 'backfill', id: string) => void;

export function useScheduleActions(open: OpenForm): ScheduleActions {
  const may = useScopes();
  const refresh = useRefresh();
  const withKey = useRequestKeys();
  const [startedId, setStarted] = useState<string | null>(null);
  const actions = useActions(() => {
    refresh({ queryKey: ['schedules'] });
    refresh({ queryKey: ['fires'] });
  });
  const actsOf = (schedule: Schedule): readonly ScheduleAct[] => {
    const path = { schedule_id: schedule.id };
    const run = changing(actions, 'Run now', Play, (client) =>
      withKey(schedule.id, async (headers) => {
        const { run_id: runId } = await client.call('runSchedule', { path, headers });
        setStarted(runId);
      }),
    );
    const hold = changing(actions, 'Hold', Pause, (client) => client.call('holdSchedule', { path }));
    const release = changing(actions, 'Release', CalendarCheck, (client) =>
      client.call('releaseSchedule', { path, body: {} }),
    );
    const change = { label: 'Edit…', icon: SquarePen, isDisabled: false, act: () => open('form', schedule.id) };
    const repeat = { label: 'Backfill…', icon: History, isDisabled: false, act: () => open('backfill', schedule.id) };
    const mayWrite = may('schedules:write') === true;
    return [
      ...(may('runs:write') ? [run] : []),
      ...(mayWrite ? [schedule.held ? release : hold] : []),
      ...(mayWrite && may('runs:write') && hasPastTimes(schedule) ? [repeat] : []),
      ...(mayWrite && schedule.source === 'api' ? [change] : []),
    ];
  };
  return { ...actions, actsOf, startedId };
}

/**
 * Whether a backfill is possible. Schedules for a single time, or for the start of a server or a host, have no past
 * times.
 */
function hasPastTimes({ cron }: Schedule): boolean {
  return cron !== null && !['@reboot', '@boot'].includes(cron);
}

function changing(
  actions: Actions,
  label: string,
  icon: LucideIcon,
  change: Parameters<Actions['act']>[0],
): ScheduleAct {
  return { label, icon, isDisabled: actions.isBusy, act: () => void actions.act(change) };
}
