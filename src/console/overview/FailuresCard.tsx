// The failures of the last day, grouped by their message.

import { ChevronRight } from 'lucide-react';
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { Card } from '../design/text/Card.tsx';
import { Time } from '../design/text/Time.tsx';
import { countOf, countWords, harmless, runPath } from '../words.ts';
import { byHour, type FailureGroup } from './failure-groups.ts';
import styles from './Lists.module.css';
import { runsPath } from './runs-path.ts';

const shown = 5;

export function FailuresCard({
  groups,
  total,
  nowMs,
}: {
  readonly groups: readonly FailureGroup[] | undefined;
  readonly total: number;
  readonly nowMs: number;
}): ReactNode {
  const runs = total === 1 ? '1 run' : `${countWords(total)} runs`;
  return (
    <Card
      title="Failures since yesterday"
      count={total === 0 ? '' : runs}
      isFlush
      end={
        <Link href={runsPath('status:failed since:24h')} className={styles.all} aria-label="All failures">
          <ChevronRight size={16} aria-hidden="true" />
        </Link>
      }
    >
      <ul className={styles.rows} aria-label="Failures">
        {groups?.slice(0, shown).map((group) => (
          <Group key={group.message} group={group} nowMs={nowMs} />
        ))}
      </ul>
      {groups?.length === 0 && <p className={styles.nothing}>No run has failed.</p>}
      {groups && groups.length > shown && (
        <p className={styles.nothing}>
          <Link href={runsPath('status:failed since:24h')}>{countOf(groups.length - shown, 'more message')}</Link>
        </p>
      )}
    </Card>
  );
}

function Group({ group, nowMs }: { readonly group: FailureGroup; readonly nowMs: number }): ReactNode {
  const { message, runs, jobIds, isFixed } = group;
  const [newest] = runs;
  const [jobId = ''] = jobIds;
  const failed = runs.length === 1 ? '1 run' : `${runs.length} runs`;
  return (
    <li className={styles.failure} data-fixed={isFixed || undefined}>
      <span className={styles.times} title={failed}>
        {countWords(runs.length)}
        <span className="unseen"> {runs.length === 1 ? 'run' : 'runs'}:</span>
      </span>
      <div className={styles.about}>
        <Link href={newest ? runPath(newest.run_id) : '/runs'} className={styles.message} title={harmless(message)}>
          {harmless(message)}
        </Link>
        <div className={styles.first}>
          <Link href={runsPath(`job:${jobId} status:failed since:24h`)} className={styles.failedJob}>
            {harmless(jobId)}
            {jobIds.length > 1 && ` +${countOf(jobIds.length - 1, 'job')}`}
          </Link>
          {isFixed && <span className={styles.last}>fixed</span>}
          <span className={styles.last}>{newest && <Time at={newest.finished_at ?? newest.created_at} />}</span>
          <Hours of={byHour(runs, nowMs)} />
        </div>
      </div>
    </li>
  );
}

const [barPx, heightPx] = [3, 14];

/** A bar for each hour of the day. */
function Hours({ of }: { readonly of: readonly number[] }): ReactNode {
  const most = Math.max(1, ...of);
  return (
    <svg className={styles.hours} width={of.length * barPx} height={heightPx} aria-hidden="true">
      <line x1="0" x2={of.length * barPx} y1={heightPx - 0.5} y2={heightPx - 0.5} />
      {of.map((count, hour) =>
        count === 0 ? null : (
          <rect
            key={hour}
            x={hour * barPx}
            y={heightPx - Math.max(3, (count / most) * heightPx)}
            width={barPx - 1}
            height={Math.max(3, (count / most) * heightPx)}
          />
        ),
      )}
    </svg>
  );
}
