// The page of a job: the form to run it, its runs, its files, when it starts by itself, and how long it takes.

import { Play } from 'lucide-react';
import { type ReactNode, useMemo, useState } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import type { ApiProblem } from '../../client/api-problem.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { useTitle } from '../browser.ts';
import { Button, ButtonLink } from '../design/controls/Button.tsx';
import { type Tab, Tabs } from '../design/controls/Tabs.tsx';
import { Card } from '../design/text/Card.tsx';
import { Chip } from '../design/text/Chip.tsx';
import { PageBody, PageHeader } from '../design/text/PageHeader.tsx';
import { StatusText } from '../design/text/Status.tsx';
import { SuccessRate } from '../design/text/SuccessRate.tsx';
import { Age } from '../design/text/Time.tsx';
import { narrowPx, useWidth } from '../design/width.ts';
import { useJob } from '../jobs/catalog.ts';
import { JobErrors } from '../jobs/JobErrors.tsx';
import { monthOf } from '../jobs/job-rows.ts';
import { Star } from '../jobs/Star.tsx';
import { nextTimes } from '../schedules/schedule-data.ts';
import { ZoneTime } from '../schedules/ZoneTime.tsx';
import { useAnswer, useRefresh } from '../session/answers.tsx';
import { useScopes } from '../session/scopes.ts';
import { useRunEvents } from '../session/streams.ts';
import { onDemand } from '../shell/on-demand.tsx';
import { StartForm } from '../start/StartForm.tsx';
import { Shown, WithCode } from '../widgets/Notes.tsx';
import { harmless, jobPath, type RunRow, runPath } from '../words.ts';
import styles from './JobPage.module.css';
import { JobRuns, LastRuns } from './JobRuns.tsx';
import { JobSchedules, useSchedules } from './JobSchedules.tsx';
import { JobStatistics } from './JobStatistics.tsx';
import { type JobTab, jobTabs } from './job-tabs.ts';
import { useJobTimes, useRefreshAfterRuns, usualWorkMs } from './job-times.ts';

const JobGraph = onDemand('the graph', async () => (await import('./JobGraph.tsx')).JobGraph);
const JobCode = onDemand('the files', async () => (await import('../code/JobCode.tsx')).JobCode);
const JobTests = onDemand('the tests', async () => (await import('./JobTests.tsx')).JobTests);

type Job = AnswerOf<'getJob'>;

const runsShown = 8;

export function JobPage(): ReactNode {
  const [path] = useLocation();
  const jobId = useMemo(() => decodedId(path), [path]);
  useTitle(jobId);
  const job = useJob(jobId);
  const known = job.data?.read?.value;
  return (
    <>
      <Header jobId={jobId} job={known} />
      <Shown of={job} what="the job" linksIfMissing={<MissingJobLinks jobId={jobId} />}>
        {({ read, problem }) => (
          <>
            {problem && <Invalid jobId={jobId} problem={problem} />}
            {read ? (
              <JobBody key={read.value.id} jobId={read.value.id} job={read.value} />
            ) : (
              <JobBody key={jobId} jobId={jobId} job={null} />
            )}
          </>
        )}
      </Shown>
    </>
  );
}

/** Links for a job that does not exist. If it has been removed, it may still have runs. */
function MissingJobLinks({ jobId }: { readonly jobId: string }): ReactNode {
  return (
    <>
      <Link href={`/runs?q=${encodeURIComponent(`job:${jobId}`)}`}>Its runs</Link>
      <Link href="/jobs">All jobs</Link>
    </>
  );
}

function decodedId(path: string): string {
  const raw = path.replace(/^\/jobs\//, '');
  try {
    return raw.split('/').map(decodeURIComponent).join('/');
  } catch {
    return raw;
  }
}

function useTab(): JobTab {
  const asked = new URLSearchParams(useSearch()).get('tab');
  return jobTabs.find((tab) => tab === asked) ?? 'run';
}

/** The tabs of the page. An invalid job has only the tabs that do not need its configuration. */
function tabsOf(job: Job | null, runs: number | undefined, schedules: number | undefined): readonly Tab<JobTab>[] {
  return [
    ...(job ? [{ value: 'run' as const, label: 'Run' }] : []),
    { value: 'runs', label: 'Runs', count: runs },
    ...(job && job.steps.length > 0 ? [{ value: 'graph' as const, label: 'Graph' }] : []),
    { value: 'code', label: 'Code' },
    ...(job ? [{ value: 'tests' as const, label: 'Tests' }] : []),
    { value: 'schedules', label: 'Schedules', count: schedules },
    { value: 'statistics', label: 'Statistics' },
  ];
}

function Header({ jobId, job }: { readonly jobId: string; readonly job: Job | undefined }): ReactNode {
  const mayStart = useScopes()('runs:write') !== false;
  const isForm = useTab() === 'run';
  const isNarrow = useWidth() < narrowPx;
  const cut = jobId.lastIndexOf('/');
  const namespace = jobId.slice(0, Math.max(0, cut));
  return (
    <PageHeader
      title={
        <>
          {isNarrow && <span className={styles.namespace}>{harmless(jobId.slice(0, cut + 1))}</span>}
          {harmless(jobId.slice(cut + 1))}
        </>
      }
      below={isNarrow && job && <LastRunBelow jobId={jobId} />}
      before={
        <>
          <Link href="/jobs">Jobs</Link>
          {namespace !== '' && (
            <Link href={`/jobs?namespace=${encodeURIComponent(namespace)}`}>{harmless(namespace)}</Link>
          )}
        </>
      }
      after={
        <>
          <Star jobId={jobId} />
          {job && !job.enabled && <Chip look="sunk">disabled</Chip>}
          {job && (
            <span className={styles.title} title={harmless(job.title ?? '')}>
              {harmless(job.title ?? '')}
            </span>
          )}
        </>
      }
    >
      {job && !isNarrow && <HeaderFacts job={job} />}
      {job && mayStart && !isForm && (
        <ButtonLink look="primary" icon={Play} href={jobPath(jobId)}>
          Run
        </ButtonLink>
      )}
    </PageHeader>
  );
}

function HeaderFacts({ job }: { readonly job: Job }): ReactNode {
  const [next] = nextTimes(useSchedules(job.id).data?.schedules ?? []);
  const queryKey = ['numbers of a job', job.id];
  useRefreshAfterRuns(queryKey, job.id);
  const { data: stats } = useAnswer(
    queryKey,
    (client, signal) => client.call('getJobStats', { query: { ids: job.id }, signal }),
    { staleTime: 60_000 },
  );
  const [last] = useLastRuns(job.id).data?.runs ?? [];
  const { success_rate: rate = null, runs = 0 } = stats?.jobs[0] ?? {};
  return (
    <dl className={styles.facts}>
      {next && job.enabled && (
        <div>
          <dt>Next</dt>
          <dd>
            <ZoneTime {...next} isNamed />
          </dd>
        </div>
      )}
      {last && (
        <div>
          <dt>Last</dt>
          <dd>
            <LastRun run={last} />
          </dd>
        </div>
      )}
      {rate !== null && (
        <div>
          <dt>Success</dt>
          <dd>
            <SuccessRate rate={rate} of={monthOf(runs)} />
          </dd>
        </div>
      )}
      <div>
        <dt>{harmless(job.source)}</dt>
        <dd>
          <code title={job.revision}>{job.revision.replace(/^sha256:/, '').slice(0, 7)}</code>
        </dd>
      </div>
    </dl>
  );
}

function LastRun({ run }: { readonly run: RunRow }): ReactNode {
  return (
    <Link href={runPath(run.run_id)} className={styles.last}>
      <StatusText of={run.waiting_approval.length > 0 ? 'waiting_approval' : run.status} isShort />{' '}
      <Age at={run.finished_at ?? run.created_at} />
    </Link>
  );
}

/** The last run, for phones, where the header has no room for it. */
function LastRunBelow({ jobId }: { readonly jobId: string }): ReactNode {
  const [last] = useLastRuns(jobId).data?.runs ?? [];
  return last && <LastRun run={last} />;
}

function Invalid({ jobId, problem }: { readonly jobId: string; readonly problem: ApiProblem }): ReactNode {
  const errors = Array.isArray(problem.members.errors) ? problem.members.errors : [];
  return (
    <div className={styles.invalid} role="alert">
      <p>
        {errors.length > 0 ? 'This job is invalid. Fix these errors to start it:' : <WithCode text={problem.message} />}
      </p>
      <JobErrors jobId={jobId} of={errors} />
    </div>
  );
}

/** The newest runs of the job, and how many there are in all. */
function useLastRuns(jobId: string) {
  return useAnswer(['runs of a job', jobId], (client, signal) =>
    client.call('listRuns', { query: { job_id: jobId, limit: runsShown }, signal }),
  );
}

/** @param job null: no valid revision of the job is known */
function JobBody({ jobId, job }: { readonly jobId: string; readonly job: Job | null }): ReactNode {
  const refresh = useRefresh();
  const [path, navigate] = useLocation();
  useRunEvents({ jobId }, { change: () => refresh({ queryKey: ['runs of a job', jobId] }) });
  const runs = useLastRuns(jobId);
  const schedules = useSchedules(jobId);
  const tabs = tabsOf(job, runs.data?.total, schedules.data?.total);
  const asked = useTab();
  const tab = tabs.some(({ value }) => value === asked) ? asked : job ? 'run' : 'runs';
  return (
    <Tabs
      label="Parts of the job"
      tabs={tabs}
      value={tab}
      onChange={(next) => navigate(next === 'run' ? path : `${path}?tab=${next}`, { replace: true })}
      className={styles.tabs}
    >
      <PageBody>
        {tab === 'run' && job && <RunTab job={job} runs={runs} />}
        {tab === 'runs' && <JobRuns jobId={jobId} />}
        {tab === 'graph' && job && <GraphTab job={job} />}
        {tab === 'code' && <JobCode jobId={jobId} />}
        {tab === 'tests' && <JobTests jobId={jobId} />}
        {tab === 'schedules' && <JobSchedules jobId={jobId} job={job} />}
        {tab === 'statistics' && <JobStatistics jobId={jobId} />}
      </PageBody>
    </Tabs>
  );
}

function GraphTab({ job }: { readonly job: Job }): ReactNode {
  return (
    <Card title="Steps" count={job.steps.length} isFlush>
      <JobGraph job={job} isLarge />
    </Card>
  );
}

/** A longer description is cut, because it would push the form out of view. */
const longDescription = 400;

function Description({ text }: { readonly text: string }): ReactNode {
  const [isWhole, setWhole] = useState(false);
  const isLong = text.length > longDescription;
  return (
    <div className={styles.description}>
      <p data-cut={(isLong && !isWhole) || undefined}>{text}</p>
      {isLong && (
        <Button size="small" look="quiet" aria-expanded={isWhole} onClick={() => setWhole(!isWhole)}>
          {isWhole ? 'Show less' : 'Show all'}
        </Button>
      )}
    </div>
  );
}

function RunTab({ job, runs }: { readonly job: Job; readonly runs: ReturnType<typeof useLastRuns> }): ReactNode {
  const { data: times } = useJobTimes(job.id, '30d');
  const mayReadRuns = useScopes()('runs:read') !== false;
  return (
    <>
      {job.description !== null && <Description text={harmless(job.description)} />}
      <StartForm
        job={job}
        lastRuns={runs.data?.runs ?? []}
        workMs={times ? usualWorkMs(times.runs) : null}
        graph={job.steps.length > 0 ? <JobGraph job={job} /> : null}
      />
      {mayReadRuns && <LastRuns jobId={job.id} of={runs} />}
    </>
  );
}
