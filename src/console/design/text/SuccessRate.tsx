// The share of runs that succeeded, in red if too many failed.

import type { ReactNode } from 'react';
import { percentWords } from '../../../client/percent.ts';
import styles from './SuccessRate.module.css';

const lowRate = 0.93;

/** @param of - the runs that were counted: "138 runs in 30 days" */
export function SuccessRate({ rate, of }: { readonly rate: number | null; readonly of: string }): ReactNode {
  if (rate === null) return <span className={styles.none}>–</span>;
  return (
    <span
      data-low={rate < lowRate || undefined}
      className={styles.rate}
      title={`Of ${of}. Red below ${percentWords(lowRate)}`}
    >
      {percentWords(rate)}
    </span>
  );
}
