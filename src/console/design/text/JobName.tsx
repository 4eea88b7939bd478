// The id of a job: its namespace is quieter than its name. It is cut at the end, and whole on hover.

import type { ReactNode } from 'react';
import { harmless } from '../../words.ts';
import styles from './JobName.module.css';

export function JobName({ id }: { readonly id: string }): ReactNode {
  const shown = harmless(id);
  const cut = shown.lastIndexOf('/') + 1;
  return (
    <span className={styles.job} title={shown}>
      {cut > 0 && <span className={styles.namespace}>{shown.slice(0, cut)}</span>}
      {shown.slice(cut)}
    </span>
  );
}
