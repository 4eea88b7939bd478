// Chips: small words with a border, such as labels and arguments. Badges: numbers beside a name.

import type { ReactNode } from 'react';
import styles from './Chip.module.css';

export function Chip({
  look = 'plain',
  isMono = false,
  title,
  children,
}: {
  readonly look?: 'plain' | 'sunk' | 'select' | 'failed' | 'late' | 'approval' | 'running';
  readonly isMono?: boolean;
  readonly title?: string;
  readonly children: ReactNode;
}): ReactNode {
  return (
    <span className={styles.chip} data-look={look} data-mono={isMono || undefined} title={title}>
      {children}
    </span>
  );
}

/** `amount` is a plain count. `approval` and `failed` are filled, because somebody must act. */
export function Badge({
  look = 'amount',
  children,
}: {
  readonly look?: 'amount' | 'approval' | 'failed';
  readonly children: ReactNode;
}): ReactNode {
  return (
    <span className={styles.badge} data-look={look}>
      {children}
    </span>
  );
}
