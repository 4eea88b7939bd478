// The page of a job: what it is, the form to start it with its plan, and its last runs.

import { type ReactNode, useMemo } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import type { ApiProblem } from '../../client/api-problem.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { startWords } from '../../lib/start-words.ts';
import { useTitle } from '../browser.ts';
import { RunList } from '../runs/RunList.tsx';
import { failureText, useAnswer, useRefresh } from '../session/answers.tsx';
import { useRunEvents } from '../session/streams.ts';
import { onDemand } from '../shell/on-demand.tsx';
import { StartForm } from '../start/StartForm.tsx';
import { Facts, Shown, Time, WithCode } from '../widgets/Notes.tsx';
import { harmless } from '../words.ts';
import { useJob } from './catalogue.ts';
import { JobErrors } from './JobsPage.tsx';

const JobCode = onDemand('the files', async () => (await import('../code/JobCode.tsx')).JobCode);

type Job = AnswerOf<'getJob'>;

const runsShown = 8;
const schedulesShown = 20;
const everyMs = 30_000;

export function JobPage(): ReactNode {
  const [path] = useLocation();
  const jobId = useMemo(() => decodedId(path), [path]);
  useTitle(jobId);
  const job = useJob(jobId);
  return (
    <>
      <p className="crumbs">
        <Link href="/jobs">Jobs</Link> /
      </p>
      <h1>{harmless(jobId)}</h1>
      <Shown of={job} what="the job">
        {({ read, problem }) => (
          <>
            {problem && <Invalid problem={problem} />}
            {read && <JobBody key={read.value.id} job={read.value} />}
          </>
        )}
      </Shown>
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

function Invalid({ problem }: { readonly problem: ApiProblem }): ReactNode {
  const errors = Array.isArray(problem.members.errors) ? problem.members.errors : [];
  return (
    <div className="note note-bad" role="alert">
      <p>
        <WithCode text={problem.message} />
      </p>
      <JobErrors of={errors} />
    </div>
  );
}

function JobBody({ job }: { readonly job: Job }): ReactNode {
  const isCode = new URLSearchParams(useSearch()).get('tab') === 'code';
  if (isCode) return <JobCode jobId={job.id} />;
  return (
    <>
      {job.title !== null && <p className="lead">{harmless(job.title)}</p>}
      {job.description !== null && <p>{harmless(job.description)}</p>}
      <Facts
        of={[
          ['Source', `${job.source}: ${job.path}`],
          ['Revision', <code key="revision">{job.revision.slice(0, 12)}</code>],
          ['Version', job.version],
          ['Profile', job.security_profile],
          ['User', job.run_as],
          ['Tags', job.tags.join(', ')],
          ['Aliases', job.aliases.join(', ')],
          ['Steps', job.steps.map(({ step_id: id }) => id).join(', ')],
          ['Concurrency', job.concurrency && `${job.concurrency.limit} (${job.concurrency.on_conflict})`],
          ['Schedules', <Schedules key="schedules" job={job} />],
        ]}
      />
      <p>
        <Link href="?tab=code">Code</Link>
      </p>
      <StartForm job={job} />
      <LastRuns jobId={job.id} />
    </>
  );
}

function Schedules({ job }: { readonly job: Job }): ReactNode {
  const answer = useAnswer(
    ['schedules', 'of', job.id],
    (client, signal) => client.call('listSchedules', { query: { job_id: job.id, limit: schedulesShown }, signal }),
    { refetchInterval: everyMs },
  );
  if (!answer.data) return failureText(answer);
  const { schedules, total } = answer.data;
  if (total === 0) return 'none';
  return (
    <>
      {!job.enabled && 'The job is disabled, so its schedules do not start it.'}
      <ul className="plain">
        {schedules.map(({ id, cron, timezone, enabled, held, next_fires: [next] }) => (
          <li key={id}>
            <code>{cron}</code> {timezone}
            {!enabled && ', disabled'}
            {enabled && held && ', held'}
            {enabled && !held && startWords.has(cron) && `, ${startWords.get(cron)}`}
            {next && (
              <>
                , next <Time at={next.nominal_at} />
              </>
            )}
          </li>
        ))}
      </ul>
      <Link href="/system#schedules">{total > schedules.length ? `All ${total} schedules` : 'All schedules'}</Link>
    </>
  );
}

function LastRuns({ jobId }: { readonly jobId: string }): ReactNode {
  const refresh = useRefresh();
  const queryKey = ['runs of a job', jobId];
  useRunEvents({ jobId }, { change: () => refresh({ queryKey }) });
  const runs = useAnswer(queryKey, (client, signal) =>
    client.call('listRuns', { query: { job_id: jobId, limit: runsShown }, signal }),
  );
  return (
    <section aria-label="Last runs">
      <h2>Last runs</h2>
      <Shown of={runs} what="runs">
        {({ runs: rows, total }) =>
          rows.length === 0 ? (
            <p className="quiet">No runs yet.</p>
          ) : (
            <>
              <RunList
                rows={rows}
                extra={(run) => (
                  <Link href={`?from=${encodeURIComponent(run.run_id)}`} className="small">
                    Start with these arguments
                  </Link>
                )}
              />
              {total > rows.length && (
                <Link href={`/runs?q=${encodeURIComponent(`job:${jobId}`)}`}>All {total} runs</Link>
              )}
            </>
          )
        }
      </Shown>
    </section>
  );
}
