// Lists what is late: runs that take too long, successes that did not come, and times that schedules missed.

import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { Card } from '../design/text/Card.tsx';
import { Time } from '../design/text/Time.tsx';
import { type Late, useLate } from '../session/late.ts';
import { countWords, harmless, jobPath, runPath } from '../words.ts';
import styles from './Lists.module.css';

const shown = 5;

/** The card is only shown if something is late, which is rare. */
export function LateCard(): ReactNode {
  const late = useLate() ?? [];
  if (late.length === 0) return null;
  return (
    <Card title="Late and missed" count={countWords(late.length)} isFlush>
      <ul className={styles.rows} aria-label="Late and missed">
        {late.slice(0, shown).map((one) => (
          <Row key={`${one.job_id} ${one.kind} ${one.at}`} late={one} />
        ))}
      </ul>
      {late.length > shown && <p className={styles.nothing}>{countWords(late.length - shown)} more</p>}
    </Card>
  );
}

function Row({ late }: { readonly late: Late }): ReactNode {
  const detail = harmless(late.detail);
  return (
    <li className={styles.failure}>
      <div className={styles.about}>
        <Link
          href={late.run_id === null ? jobPath(late.job_id) : runPath(late.run_id)}
          className={styles.message}
          title={detail}
        >
          {detail}
        </Link>
        <div className={styles.first}>
          <Link href={jobPath(late.job_id)} className={styles.failedJob}>
            {harmless(late.job_id)}
          </Link>
          <span className={styles.last}>
            <Time at={late.at} />
          </span>
        </div>
      </div>
    </li>
  );
}
