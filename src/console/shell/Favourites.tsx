// The starred jobs in the sidebar, each with the status of its last run.

import { Box } from 'lucide-react';
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { Tooltip } from '../design/controls/Tooltip.tsx';
import { JobName } from '../design/text/JobName.tsx';
import { StatusIcon } from '../design/text/Status.tsx';
import { useFavourites } from '../jobs/favourites.ts';
import { useAnswer } from '../session/answers.tsx';
import { useRefreshOn } from '../session/refresh-on.ts';
import { jobPath } from '../words.ts';
import styles from './Sidebar.module.css';

const settleMs = 1_000;
/** The sidebar has no room for more jobs. */
const mostShown = 20;

export function Favourites({ isCollapsed }: { readonly isCollapsed: boolean }): ReactNode {
  const jobIds = useFavourites().jobIds.slice(0, mostShown);
  if (jobIds.length === 0) return null;
  return <Starred jobIds={jobIds} isCollapsed={isCollapsed} />;
}

function Starred({
  jobIds,
  isCollapsed,
}: {
  readonly jobIds: readonly string[];
  readonly isCollapsed: boolean;
}): ReactNode {
  const queryKey = ['favourites', ...jobIds];
  const { data } = useAnswer(queryKey, (client, signal) =>
    client.call('listJobs', { query: { ids: jobIds.join(','), last_runs: 1 }, signal }),
  );
  useRefreshOn(queryKey, ({ data: { job_id: jobId } }) => jobIds.includes(String(jobId)), { settleMs });
  const lastOf = new Map(data?.jobs.map((job) => [job.id, job.last_runs?.[0]?.status]));
  return (
    <nav aria-label="Favourites" className={styles.group}>
      {!isCollapsed && <h2 className={styles.heading}>Favourites</h2>}
      {jobIds.map((jobId) => {
        const status = lastOf.get(jobId);
        const link = (
          <Link key={jobId} href={jobPath(jobId)} className={styles.link}>
            {status === undefined ? <Box size={14} aria-hidden="true" /> : <StatusIcon of={status} />}
            <span className={isCollapsed ? 'unseen' : styles.name}>
              <JobName id={jobId} />
            </span>
          </Link>
        );
        return isCollapsed ? (
          <Tooltip key={jobId} text={jobId} side="right">
            {link}
          </Tooltip>
        ) : (
          link
        );
      })}
    </nav>
  );
}
