// The list of a job's files. When two revisions are compared, each file has a sign that says how it changed.

import type { ReactNode } from 'react';
import { Link } from 'wouter';
import type { Change } from '../../client/job-changes.ts';
import { harmless } from '../words.ts';
import styles from './Code.module.css';

const signs: Readonly<Record<Change, string>> = { added: '+', removed: '−', changed: '±' };

export function FileList(o: {
  readonly paths: readonly string[];
  readonly chosen: string;
  /** null: nothing is compared. */
  readonly changes: ReadonlyMap<string, Change> | null;
  readonly hrefOf: (path: string) => string;
}): ReactNode {
  return (
    <nav aria-label="Files" className={styles.files}>
      {o.paths.map((path) => {
        const cut = path.lastIndexOf('/') + 1;
        const change = o.changes?.get(path);
        return (
          <Link
            key={path}
            href={o.hrefOf(path)}
            replace
            className={styles.file}
            aria-current={path === o.chosen ? 'true' : undefined}
            title={harmless(path)}
          >
            <span className={styles.fileName}>
              {cut > 0 && <span className={styles.quiet}>{harmless(path.slice(0, cut))}</span>}
              {harmless(path.slice(cut))}
            </span>
            {change && (
              <span className={styles.sign} data-change={change}>
                <span aria-hidden="true">{signs[change]}</span>
                <span className="unseen">{change}</span>
              </span>
            )}
          </Link>
        );
      })}
    </nav>
  );
}
