// The first page. It shows what is running, what waits, what asks for approval, what has failed, how the last day
// compares with the day before, and what comes next.

import { type ReactNode, useMemo } from 'react';
import { useLocation, useSearch } from 'wouter';
import { type StatsRange, statsRanges } from '../../contract/stats-range.ts';
import { useTitle } from '../browser.ts';
import { Segmented } from '../design/controls/Segmented.tsx';
import { Select } from '../design/controls/Select.tsx';
import { PageBody, PageHeader } from '../design/text/PageHeader.tsx';
import { narrowPx, useWidth } from '../design/width.ts';
import { failureText } from '../session/answers.tsx';
import { useNow } from '../session/clock.ts';
import { useScopes } from '../session/scopes.ts';
import { Empty, ErrorNote, Loading } from '../widgets/Notes.tsx';
import { Approvals } from './Approvals.tsx';
import { FailuresCard } from './FailuresCard.tsx';
import { Figures } from './Figures.tsx';
import { groupFailures } from './failure-groups.ts';
import { LateCard } from './LateCard.tsx';
import { NextDay } from './NextDay.tsx';
import styles from './OverviewPage.module.css';
import {
  useFailures,
  useFixed,
  useJobIds,
  useOverviewEvents,
  useOverviewRuns,
  useSlots,
  useStats,
} from './overview-data.ts';
import { RunsChart } from './RunsChart.tsx';
import { UnderWay } from './UnderWay.tsx';

const tickMs = 10_000;
const rangeLabels = { '24h': '24 h', '7d': '7 d', '30d': '30 d' } as const;

export function OverviewPage(): ReactNode {
  useTitle('Overview');
  useOverviewEvents();
  const { range, namespace, go } = usePlace();
  const nowMs = useNow(tickMs);
  const jobIds = useJobIds();
  const stats = useStats(range, namespace);
  const underWay = useOverviewRuns();
  const slots = useSlots();
  const failures = useFailures(namespace);
  const fixed = useFixed(failures);
  const groups = useMemo(() => failures.data && groupFailures(failures.data.runs, fixed), [failures.data, fixed]);
  const running = (underWay?.running ?? []).filter(
    ({ job_id: id }) => namespace === null || id.startsWith(`${namespace}/`),
  );
  const failure = failureText(stats);
  const { data } = stats;
  const isNarrow = useWidth() < narrowPx;
  const mayReadJobs = useScopes()('jobs:read') !== false;
  const namespaces = <Namespaces of={jobIds ?? []} value={namespace} onChange={(next) => go({ namespace: next })} />;
  return (
    <>
      <PageHeader title="Overview" isLive>
        {!isNarrow && namespaces}
        <Segmented
          label="Time"
          choices={statsRanges.map((value) => ({ value, label: rangeLabels[value] }))}
          value={range}
          onChange={(next) => go({ range: next })}
        />
      </PageHeader>
      <PageBody>
        {isNarrow && <div>{namespaces}</div>}
        {failure !== null && <ErrorNote text={failure} retry={stats.refetch} />}
        {data === undefined && failure === null && <Loading what="the overview" />}
        {jobIds?.length === 0 && data?.totals.runs === 0 && <Beginning />}
        {data && (
          <div className={styles.cards}>
            <div className={styles.figures}>
              <Figures stats={data} range={range} groups={groups?.length} slots={mayReadJobs ? slots : null} />
            </div>
            <div className={styles.chart}>
              <RunsChart stats={data} running={running.length} nowMs={nowMs} />
            </div>
            <div className={styles.approvals}>
              <Approvals />
            </div>
            <div className={styles.running}>
              <UnderWay nowMs={nowMs} />
            </div>
            <div className={styles.failures}>
              <LateCard />
              <FailuresCard groups={groups} total={failures.data?.total ?? 0} nowMs={nowMs} />
            </div>
            <div className={styles.next}>{mayReadJobs && <NextDay nowMs={nowMs} />}</div>
          </div>
        )}
      </PageBody>
    </>
  );
}

/** The range and the namespace are in the URL. */
function usePlace() {
  const search = new URLSearchParams(useSearch());
  const [, navigate] = useLocation();
  const range = statsRanges.find((one) => one === search.get('range')) ?? '24h';
  return {
    range,
    namespace: search.get('namespace'),
    go: (next: { readonly range?: StatsRange; readonly namespace?: string | null }): void => {
      for (const [name, value] of Object.entries(next)) {
        if (value === null) search.delete(name);
        else search.set(name, value);
      }
      navigate(search.size === 0 ? '/' : `/?${search}`, { replace: true });
    },
  };
}

const everywhere = '';

function Namespaces({
  of,
  value,
  onChange,
}: {
  readonly of: readonly string[];
  readonly value: string | null;
  readonly onChange: (value: string | null) => void;
}): ReactNode {
  const names = new Set(of.filter((id) => id.includes('/')).map((id) => id.slice(0, id.indexOf('/'))));
  if (value !== null) names.add(value);
  if (names.size === 0) return null;
  return (
    <Select
      label="Namespace"
      choices={[
        { value: everywhere, label: 'All namespaces' },
        ...[...names].toSorted().map((name) => ({ value: name, label: name })),
      ]}
      value={value ?? everywhere}
      onChange={(next) => onChange(next === everywhere ? null : next)}
    />
  );
}

function Beginning(): ReactNode {
  return (
    <Empty>
      <p>Here you will see what runs, what waits and what failed.</p>
      <p>
        There is no job yet. <code>flwd init jobs/hello</code> creates one, and <code>flwd hello</code> runs it.
      </p>
    </Empty>
  );
}
