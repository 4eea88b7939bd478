// The runs that the steps of a run have started.

import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { stepAndMessage } from '../../domain/outcome/step-and-message.ts';
import { JobName } from '../design/text/JobName.tsx';
import { StatusText } from '../design/text/Status.tsx';
import { Time, Took } from '../design/text/Time.tsx';
import { Empty } from '../widgets/Notes.tsx';
import { harmless, runPath } from '../words.ts';
import styles from './Parts.module.css';
import type { SubRun } from './sub-runs.ts';

export function SubRuns({ subRuns }: { readonly subRuns: readonly SubRun[] }): ReactNode {
  if (subRuns.length === 0) return <Empty>No step has started its run yet.</Empty>;
  return (
    <div className={styles.scrolls}>
      <table className={styles.table} aria-label="Sub-runs">
        <thead>
          <tr>
            <th scope="col">Status</th>
            <th scope="col">Job</th>
            <th scope="col">Started by step</th>
            <th scope="col">Why</th>
            <th scope="col">Started</th>
            <th scope="col" data-number>
              Took
            </th>
          </tr>
        </thead>
        <tbody>
          {subRuns.map((one) => (
            <tr key={one.run_id}>
              <td>
                <StatusText of={one.status} />
              </td>
              <td>
                <Link href={runPath(one.run_id)}>
                  <JobName id={one.job_id} />
                </Link>
              </td>
              <td>{harmless(one.parent.step_id)}</td>
              <td className={styles.why}>{one.error === null ? one.waiting : stepAndMessage(one.error)}</td>
              <td>{one.started_at !== null && <Time at={one.started_at} />}</td>
              <td data-number>
                <Took of={one} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
