// The cells of a schedule's row. The page of schedules and the page of a job share them.

import { Ellipsis, KeyRound } from 'lucide-react';
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { denialWords } from '../../client/schedule-denial.ts';
import { startWords } from '../../lib/cron/start-words.ts';
import { IconButton } from '../design/controls/Button.tsx';
import { Menu } from '../design/controls/Menu.tsx';
import { StatusIcon, StatusText } from '../design/text/Status.tsx';
import { harmless, runPath } from '../words.ts';
import styles from './ScheduleCells.module.css';
import type { ScheduleAct } from './schedule-actions.ts';
import { missingSecretsOf, type Schedule } from './schedule-data.ts';
import { ZoneTime } from './ZoneTime.tsx';

export function RowMenu(o: { readonly schedule: Schedule; readonly actions: readonly ScheduleAct[] }): ReactNode {
  if (o.actions.length === 0) return null;
  const { job_id: jobId, name } = o.schedule;
  return (
    <Menu
      trigger={
        <IconButton size="small" icon={Ellipsis} label={`Actions of ${jobId}${name === null ? '' : ` ${name}`}`} />
      }
      entries={o.actions}
    />
  );
}

export function Next({
  schedule,
  zone = schedule.timezone,
}: {
  readonly schedule: Schedule;
  /** The time zone of the page; by default, the schedule's own time zone. */
  readonly zone?: string;
}): ReactNode {
  if (!schedule.enabled) return <span className={styles.quiet}>Disabled</span>;
  if (schedule.denied)
    return (
      <span className={styles.failed} title={schedule.denied.detail}>
        {denialWords(schedule.denied)}
      </span>
    );
  if (schedule.paused) return <span className={styles.quiet}>Paused</span>;
  if (schedule.done) return <span className={styles.quiet}>Done</span>;
  if (schedule.held) return <span className={styles.quiet}>Held</span>;
  const [next] = schedule.next_fires;
  if (next)
    return (
      <span className={styles.next}>
        <ZoneTime at={next.nominal_at} zone={zone} />
        <NoSecret of={schedule} />
      </span>
    );
  const { cron } = schedule;
  return (
    <span className={styles.quiet} title={startWords.get(cron ?? '')}>
      {cron === '@boot' ? 'At the next boot' : cron === '@reboot' ? 'At the next start' : '–'}
    </span>
  );
}

function NoSecret({ of }: { readonly of: Schedule }): ReactNode {
  const missing = missingSecretsOf(of);
  if (missing.length === 0) return null;
  const words = `Its runs lack the secret ${harmless(missing.join(', '))}`;
  return (
    <span className={styles.noSecret} title={words}>
      <KeyRound size={14} strokeWidth={2.2} aria-hidden="true" />
      <span className="unseen">{words}</span>
    </span>
  );
}

export function Last({
  schedule,
  zone = schedule.timezone,
  isNarrow = false,
}: {
  readonly schedule: Schedule;
  /** The time zone of the page; by default, the schedule's own time zone. */
  readonly zone?: string;
  /** Shows only the icon of the status. */
  readonly isNarrow?: boolean;
}): ReactNode {
  const { last_run: last, last_error: error } = schedule;
  if (error) {
    return (
      <span className={styles.failed} title={error.detail}>
        <StatusText of="failed" word="Did not start" />
      </span>
    );
  }
  if (!last) return <span className={styles.quiet}>–</span>;
  return (
    <Link href={runPath(last.run_id)} className={styles.last} data-wide={!isNarrow || undefined}>
      {isNarrow ? <StatusIcon of={last.status} /> : <StatusText of={last.status} isShort />}{' '}
      <ZoneTime at={last.created_at} zone={zone} />
    </Link>
  );
}
