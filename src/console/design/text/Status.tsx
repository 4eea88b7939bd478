// The status of a run or a step. It is never shown by colour alone: the icon and the word say the same.

import type { ReactNode } from 'react';
import type { StepStatus } from '../../../domain/run.ts';
import {
  AlarmClock,
  CircleCheck,
  CircleDashed,
  CircleSlash,
  CircleStop,
  CircleUserRound,
  CircleX,
  type Icon,
  LoaderCircle,
} from './icons.tsx';
import styles from './Status.module.css';

/** `late` is not a status of a run. It marks something that should have started but has not. */
export type Look = StepStatus | 'late';

export const looks: Readonly<Record<Look, { readonly icon: Icon; readonly word: string; readonly short?: string }>> = {
  pending: { icon: CircleDashed, word: 'Pending' },
  running: { icon: LoaderCircle, word: 'Running' },
  success: { icon: CircleCheck, word: 'Success' },
  failed: { icon: CircleX, word: 'Failed' },
  cancelled: { icon: CircleStop, word: 'Cancelled' },
  skipped: { icon: CircleSlash, word: 'Skipped' },
  waiting_approval: { icon: CircleUserRound, word: 'Waiting for approval', short: 'Approval' },
  late: { icon: AlarmClock, word: 'Late' },
};

/** Only the icon. Screen readers speak its word, which is also shown on hover. */
export function StatusIcon({
  of,
  size = 14,
  word = looks[of].word,
}: {
  readonly of: Look;
  readonly size?: 12 | 14 | 16;
  /** Replaces the word of the status, for things that are not runs. */
  readonly word?: string;
}): ReactNode {
  const { icon: Icon } = looks[of];
  return (
    <span className={styles.icon} data-status={of} title={word}>
      <Icon size={size} />
      <span className="unseen">{word}</span>
    </span>
  );
}

export function StatusText({
  of,
  isShort = false,
  word: own,
}: {
  readonly of: Look;
  readonly isShort?: boolean;
  /** Replaces the word of the status, for things that are not runs. */
  readonly word?: string;
}): ReactNode {
  const { icon: Icon, word, short } = looks[of];
  return (
    <span className={styles.text} data-status={of}>
      <Icon size={14} />
      {own ?? (isShort ? (short ?? word) : word)}
    </span>
  );
}
