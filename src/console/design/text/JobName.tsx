// The id of a job, with its namespace in a quieter colour. A long id is cut at the end, and shown in full on hover.

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
