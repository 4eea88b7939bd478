// The line at the top of every page, with the title at the left and the buttons at the right. It stays while the page
// scrolls.

import { type ReactNode, useState } from 'react';
import { useRunEvents } from '../../session/streams.ts';
import styles from './PageHeader.module.css';

export function PageHeader({
  title,
  before,
  below,
  count,
  isLive = false,
  after,
  children,
}: {
  readonly title: ReactNode;
  /** The breadcrumbs: links to the pages above this one, the outermost first. */
  readonly before?: ReactNode;
  /** A line below the title. */
  readonly below?: ReactNode;
  readonly count?: ReactNode;
  readonly isLive?: boolean;
  /** Shown beside the title, such as a time or an id. */
  readonly after?: ReactNode;
  /** The buttons. */
  readonly children?: ReactNode;
}): ReactNode {
  return (
    <header className={styles.header}>
      <div className={styles.name}>
        {before !== undefined && (
          <nav aria-label="Breadcrumbs" className={styles.before}>
            {before}
          </nav>
        )}
        <div className={styles.title}>
          <h1>{title}</h1>
          {below}
        </div>
        {count !== undefined && <span className={styles.count}>{count}</span>}
        {isLive && <Live />}
        {after}
      </div>
      {children !== undefined && <div className={styles.actions}>{children}</div>}
    </header>
  );
}

/** Shows "Live" while the stream of events is open. */
function Live(): ReactNode {
  const [isOpen, setOpen] = useState(false);
  useRunEvents({}, { open: () => setOpen(true), broken: () => setOpen(false) });
  return (
    isOpen && (
      <span className={styles.live}>
        <span>Live</span>
      </span>
    )
  );
}

/** The content below the header, with the padding of a page. A table that fills the page is not put into it. */
export function PageBody({ children }: { readonly children: ReactNode }): ReactNode {
  return <div className={styles.body}>{children}</div>;
}
