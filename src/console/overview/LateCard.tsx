// Lists what is late: runs that take too long, successes that did not come, and times that schedules missed.

import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { Card } from '../design/text/Card.tsx';
import { Time } from '../design/text/Time.tsx';
import { type Late, useLate } from '../session/late.ts';
import { countOf, countWords, harmless, jobPath, runPath } from '../words.ts';
import styles from './Lists.module.css';

const shown = 5;

/** The card is only shown if something is late, which is rare. */
export function LateCard(): ReactNode {
  const late = useLate() ?? [];
  if (late.length === 0) return null;
  const groups = [...Map.groupBy(late, ({ job_id: id, kind }) => `${id} ${kind}`)];
  return (
    <Card title="Late and missed" count={countWords(late.length)} isFlush>
      <ul className={styles.rows} aria-label="Late and missed">
        {groups.slice(0, shown).map(([key, of]) => (
          <Row key={key} of={of} />
        ))}
      </ul>
      {groups.length > shown && <p className={styles.nothing}>{countOf(groups.length - shown, 'more job')}</p>}
    </Card>
  );
}

/** Shows the newest of the times of a job. */
function Row({ of }: { readonly of: readonly Late[] }): ReactNode {
  const [late] = of;
  if (!late) return null;
  const detail = harmless(late.detail);
  return (
    <li className={styles.failure}>
      {of.length > 1 && (
        <span className={styles.times}>
          {countWords(of.length)}
          <span className="unseen"> times:</span>
        </span>
      )}
      <div className={styles.about}>
        <Link
          href={late.run_id === null ? jobPath(late.job_id) : runPath(late.run_id)}
          className={styles.sentence}
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
