// Says where and when the event of a message happened, and what started the run.

import type { NotifyEvent } from '../domain/notification.ts';
import type { Run } from '../domain/run.ts';
import type { Schedule } from '../domain/schedule.ts';
import { askedThrough } from '../domain/trigger/asked-through.ts';
import { timeBeside, zonedTime } from '../lib/cron/zoned-time.ts';
import { oneLine } from '../lib/plain-text.ts';

const mostNameChars = 100;

const happened: Readonly<Record<NotifyEvent | 'test', string>> = {
  failed: 'Failed',
  still_failing: 'Failed',
  success: 'Succeeded',
  fixed: 'Succeeded',
  cancelled: 'Cancelled',
  waiting_approval: 'Waiting',
  late: 'Noticed',
  missed: 'Noticed',
  test: 'Sent',
};

/**
 * Returns, for example, `Failed on db1 (ops) at 2026-12-01 02:31:07 CET, started by its schedule for 02:30`.
 * @param o.where the host and the instance
 * @param o.run null if the message is not about a run
 * @param o.schedule the schedule that started the run, if flwd still has it
 */
export function contextOf(o: {
  readonly event: NotifyEvent | 'test';
  readonly where: string;
  readonly atMs: number;
  readonly timezone: string;
  readonly run: Run | null;
  readonly schedule: Pick<Schedule, 'name'> | undefined;
}): string {
  const started = o.run === null ? '' : `, started ${starterOf(o.run, o)}`;
  const at = o.event === 'waiting_approval' ? 'since' : 'at';
  return `${happened[o.event]} on ${o.where} ${at} ${zonedTime(o.atMs, o.timezone)}${started}`;
}

/** The schedule that started the run, or undefined. A caller may give a run any labels, so the trigger is checked. */
export function scheduleIdOf({ trigger, labels }: Run): string | undefined {
  return trigger.type === 'schedule' || trigger.type === 'backfill' ? labels.schedule_id : undefined;
}

function starterOf(run: Run, o: Pick<Parameters<typeof contextOf>[0], 'schedule' | 'atMs' | 'timezone'>): string {
  const { trigger, parent, rerun_of: rerunOf } = run;
  const by = `by ${named(run.created_by)}`;
  const through = askedThrough.get(trigger.type);
  if (through !== undefined) return `${by} ${through}`;
  switch (trigger.type) {
    case 'rerun':
      return `${by} as a rerun of ${rerunOf ?? 'an earlier run'}`;
    case 'schedule':
    case 'backfill': {
      const name = o.schedule?.name ?? null;
      const schedule = name === null ? 'its schedule' : `the schedule ${named(name)}`;
      // Somebody has started the run by hand, for example with `flwd schedules run`.
      if (run.created_by !== `schedule:${run.labels.schedule_id}`) return `${by} as a run of ${schedule}`;
      return `by ${trigger.type === 'backfill' ? 'a backfill of ' : ''}${schedule}${nominalOf(run, o)}`;
    }
    case 'webhook':
      return `by the ${named(run.created_by).replace(':', ' ')}`;
    case 'job_ended':
      return `because ${trigger.run_id ?? 'another run'} ended`;
    case 'file':
      return 'because a file appeared';
    case 'check':
      return 'because a check found something';
    default:
      return parent === null ? 'by another run' : `by the step ${parent.step_id} of ${parent.run_id}`;
  }
}

function nominalOf({ labels }: Run, { atMs, timezone }: { readonly atMs: number; readonly timezone: string }): string {
  const nominalAtMs = Date.parse(labels.nominal_at ?? '');
  return Number.isNaN(nominalAtMs) ? '' : ` for ${timeBeside(nominalAtMs, atMs, timezone)}`;
}

function named(name: string): string {
  return oneLine(name, mostNameChars);
}
