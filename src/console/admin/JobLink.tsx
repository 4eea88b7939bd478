// The id of a job, as a link to its page.

import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { JobName } from '../design/text/JobName.tsx';
import { harmless, jobPath } from '../words.ts';
import styles from './Admin.module.css';

export function JobLink({ id }: { readonly id: string }): ReactNode {
  return (
    <Link href={jobPath(id)} title={harmless(id)}>
      <JobName id={id} />
    </Link>
  );
}

/** The link as the only content of a cell, cut where the cell ends. */
export function JobLine({ id }: { readonly id: string }): ReactNode {
  return (
    <span className={styles.inLine}>
      <JobLink id={id} />
    </span>
  );
}
