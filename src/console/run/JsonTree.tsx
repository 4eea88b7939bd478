// A JSON value whose parts can be expanded and collapsed.

import type { ReactNode } from 'react';
import { countWords, harmless } from '../words.ts';
import styles from './JsonTree.module.css';

/** Deeper parts are collapsed at first. */
const openDepth = 2;
/** More parts would make the page slow. */
const mostParts = 200;

export function JsonTree({
  value,
  name,
  depth = 0,
}: {
  readonly value: unknown;
  readonly name?: string;
  readonly depth?: number;
}): ReactNode {
  const label = name === undefined ? null : <span className={styles.name}>{harmless(name)}: </span>;
  if (typeof value !== 'object' || value === null)
    return (
      <div className={styles.leaf}>
        {label}
        <span className={styles[typeof value]}>{harmless(JSON.stringify(value))}</span>
      </div>
    );
  const isList = Array.isArray(value);
  const parts = Object.entries(value);
  const count = `${countWords(parts.length)} ${isList ? 'item' : 'member'}${parts.length === 1 ? '' : 's'}`;
  if (parts.length === 0)
    return (
      <div className={styles.leaf}>
        {label}
        {isList ? '[]' : '{}'}
      </div>
    );
  return (
    <details className={styles.node} open={depth < openDepth}>
      <summary>
        {label}
        <span className={styles.count}>{count}</span>
      </summary>
      <div className={styles.parts}>
        {parts.slice(0, mostParts).map(([key, part]) => (
          <JsonTree key={key} name={key} value={part} depth={depth + 1} />
        ))}
        {parts.length > mostParts && (
          <div className={styles.count}>{countWords(parts.length - mostParts)} more; the JSON has them all</div>
        )}
      </div>
    </details>
  );
}
