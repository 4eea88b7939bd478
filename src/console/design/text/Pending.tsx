// A placeholder for a value that is not known yet.

import type { ReactNode } from 'react';
import styles from './Pending.module.css';

export function Pending(): ReactNode {
  return <span className={`appearing ${styles.pending}`} aria-hidden="true" />;
}
