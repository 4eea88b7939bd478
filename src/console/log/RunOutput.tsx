// What a run printed, returned and left behind, in tabs: log, result, artifacts, sub-runs, events, details.

import type { ReactNode } from 'react';
import { Tabs } from '../design/controls/Tabs.tsx';
import { useAnswer } from '../session/answers.tsx';
import { onDemand } from '../shell/on-demand.tsx';
import type { Run, Step } from '../words.ts';
import { LogPane } from './LogPane.tsx';
import styles from './RunOutput.module.css';
import type { RunPlace } from './run-place.ts';
import { useSubRuns } from './sub-runs.ts';

const Artifacts = onDemand('artifacts', async () => (await import('../run/Artifacts.tsx')).Artifacts);
const RunDetails = onDemand('details', async () => (await import('../run/RunDetails.tsx')).RunDetails);
const RunEvents = onDemand('events', async () => (await import('../run/RunEvents.tsx')).RunEvents);
const Result = onDemand('the result', async () => (await import('../run/Result.tsx')).Result);
const SubRuns = onDemand('the sub-runs', async () => (await import('./SubRuns.tsx')).SubRuns);

export function RunOutput(o: {
  readonly run: Run;
  readonly attempts: readonly Step[];
  readonly at: RunPlace;
}): ReactNode {
  const { run, attempts } = o;
  const { tab, place, hrefOf, otherHref, go } = o.at;
  const subRuns = useSubRuns(run);
  const artifactCount = useArtifactCount(run);
  const hasSubRuns = run.steps.some(({ kind }) => kind === 'job');
  return (
    <Tabs
      label="Parts of the run"
      className={styles.output}
      tabs={[
        { value: 'log', label: 'Log' },
        { value: 'result', label: 'Result' },
        { value: 'artifacts', label: 'Artifacts', count: artifactCount },
        ...(hasSubRuns ? [{ value: 'sub-runs', label: 'Sub-runs', count: subRuns.length } as const] : []),
        { value: 'events', label: 'Events' },
        { value: 'details', label: 'Details' },
      ]}
      value={tab}
      onChange={(next) => go({ ...place, line: null }, next)}
    >
      {tab === 'log' ? (
        <LogPane
          run={run}
          attempts={attempts}
          subRuns={subRuns}
          place={place}
          hrefOf={hrefOf}
          go={go}
          other={{ href: otherHref, isFull: false }}
        />
      ) : (
        <div className={styles.part}>
          {tab === 'result' && <Result run={run} />}
          {tab === 'artifacts' && <Artifacts run={run} />}
          {tab === 'sub-runs' && <SubRuns subRuns={subRuns} />}
          {tab === 'events' && <RunEvents run={run} />}
          {tab === 'details' && <RunDetails run={run} />}
        </div>
      )}
    </Tabs>
  );
}

/** How many artifacts a run has. They are collected when the run ends. */
function useArtifactCount({ run_id: runId, finished_at: finishedAt }: Run): number | undefined {
  const answer = useAnswer(
    ['artifact-count', runId],
    (client, signal) => client.call('listArtifacts', { query: { run_id: runId, limit: 1 }, signal }),
    { enabled: finishedAt !== null, staleTime: Number.POSITIVE_INFINITY, retry: false },
  );
  return answer.data?.total;
}
