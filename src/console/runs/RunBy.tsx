// Who or what started a run: an icon for the interface, and a name.

import type { ReactNode } from 'react';
import {
  Bot,
  CalendarClock,
  FileInput,
  GitBranch,
  Globe,
  type Icon,
  Link2,
  Plug,
  Radar,
  RotateCcw,
  Terminal,
  Webhook,
} from '../design/text/icons.tsx';
import { harmless, originWords, type RunRow } from '../words.ts';
import styles from './RunBy.module.css';

const icons: Readonly<Record<string, Icon>> = {
  api: Plug,
  cli: Terminal,
  console: Globe,
  mcp: Bot,
  rerun: RotateCcw,
  schedule: CalendarClock,
  backfill: CalendarClock,
  webhook: Webhook,
  job_ended: Link2,
  file: FileInput,
  check: Radar,
};

/** The icon for a type of trigger. Any type that is not listed means that a step of another run started the run. */
export function triggerIcon(type: string): Icon {
  return icons[type] ?? GitBranch;
}

export function RunBy({ run, isIcon = false }: { readonly run: RunRow; readonly isIcon?: boolean }): ReactNode {
  const Icon = triggerIcon(run.trigger.type);
  return (
    <span className={styles.by} title={originWords(run)}>
      <Icon size={14} />
      <span className={isIcon ? 'unseen' : styles.name}>{byName(run)}</span>
    </span>
  );
}

export function byName({ trigger, created_by: by }: RunRow): string {
  if (['job_ended', 'file', 'check'].includes(trigger.type)) return 'trigger';
  return trigger.type === 'schedule' || trigger.type === 'backfill' ? trigger.type : harmless(by);
}
