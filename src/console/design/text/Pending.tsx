// Stands where a value will be, so that nothing there reads as a fact.

import type { ReactNode } from 'react';
import styles from './Pending.module.css';

export function Pending(): ReactNode {
  return <span className={`appearing ${styles.pending}`} aria-hidden="true" />;
}
