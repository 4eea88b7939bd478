// A panel with a title, a count beside the title, and its buttons and links at the right.

import { type ReactNode, useId } from 'react';
import styles from './Card.module.css';

export function Card({
  title,
  count,
  end,
  isFlush = false,
  children,
}: {
  readonly title: string;
  readonly count?: ReactNode;
  readonly end?: ReactNode;
  /** The content reaches the edges of the card, because it has its own padding, as rows do. */
  readonly isFlush?: boolean;
  readonly children: ReactNode;
}): ReactNode {
  const id = useId();
  return (
    <section className={styles.card} aria-labelledby={id}>
      <header className={styles.head}>
        <h2 id={id}>{title}</h2>
        {count !== undefined && <span className={styles.count}>{count}</span>}
        {end !== undefined && <div className={styles.end}>{end}</div>}
      </header>
      <div className={isFlush ? styles.flush : styles.content}>{children}</div>
    </section>
  );
}
