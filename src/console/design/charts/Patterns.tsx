// The hatching that stands for waiting for an approval. The page contains it once, and all charts refer to it.

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
