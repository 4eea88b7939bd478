// The hatching of marks that wait for an approval. It is once in the page, and charts refer to it.

import type { ReactNode } from 'react';
import styles from './Charts.module.css';

export const hatched = 'url(#hatched)';

export function Patterns(): ReactNode {
  return (
    <svg className={styles.patterns} aria-hidden="true">
      <defs>
        <pattern id="hatched" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <rect width="2" height="4" fill="var(--fill-approval)" />
        </pattern>
      </defs>
    </svg>
  );
}
