// The log of a run at the full height of the window.

import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { useTitle } from '../browser.ts';
import { PageHeader } from '../design/text/PageHeader.tsx';
import { StatusText } from '../design/text/Status.tsx';
import { Time } from '../design/text/Time.tsx';
import { useRefresh } from '../session/answers.tsx';
import { useRunEvents } from '../session/streams.ts';
import { harmless, type Run, runPath, type Step } from '../words.ts';
import styles from './LogPage.module.css';
import { LogPane } from './LogPane.tsx';
import { useRunAnswer } from './run-answer.ts';
import { useRunPlace } from './run-place.ts';
import { ShownRun, toRuns } from './ShownRun.tsx';
import { useSubRuns } from './sub-runs.ts';

export function LogPage({ runId }: { readonly runId: string }): ReactNode {
  const refresh = useRefresh();
  useRunEvents({ runId }, { change: () => refresh({ queryKey: ['run', runId] }) });
  const answer = useRunAnswer(runId, { gcTime: 0 });
  return (
    <ShownRun runId={runId} of={answer}>
      {({ run, attempts }) => <FullLog key={runId} run={run} attempts={attempts} />}
    </ShownRun>
  );
}

function FullLog({ run, attempts }: { readonly run: Run; readonly attempts: readonly Step[] }): ReactNode {
  const at = useRunPlace(run, true);
  const subRuns = useSubRuns(run);
  useTitle(`Log of ${run.job_id}`);
  return (
    <div className={styles.page}>
      <PageHeader
        before={
          <>
            {toRuns}
            <span>
              <Link href={runPath(run.run_id)}>
                {harmless(run.job_id)}, <Time at={run.created_at} hasDay />
              </Link>
            </span>
          </>
        }
        title={
          <>
            Log
            <span className={styles.narrow}>
              {' '}
              of <Link href={runPath(run.run_id)}>{harmless(run.job_id)}</Link>
            </span>
          </>
        }
        after={
          <span className={styles.about}>
            <StatusText of={run.status} />
          </span>
        }
      />
      <LogPane
        run={run}
        attempts={attempts}
        subRuns={subRuns}
        place={at.place}
        hrefOf={at.hrefOf}
        go={at.go}
        other={{ href: at.otherHref, isFull: true }}
      />
    </div>
  );
}
