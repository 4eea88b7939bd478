// All jobs, those that are invalid among them: how their last runs went and when they run next.

import { type ReactNode, useMemo } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import type { AnswerOf } from '../contract/operations.ts';
import { ifAllowed, useLoaded, useRunEvents, useTitle } from './loading.ts';
import { Empty, Shown, Status, Time } from './Notes.tsx';
import { useClient } from './session.tsx';
import { jobPath, type RunRow, runPath } from './words.ts';

type Job = AnswerOf<'listJobs'>['jobs'][number];
type Invalid = AnswerOf<'listJobs'>['invalid'][number];
type Answer = {
  readonly jobs: readonly Job[];
  readonly invalid: readonly Invalid[];
  readonly lastRuns: ReadonlyMap<string, readonly RunRow[]>;
  readonly nextFires: ReadonlyMap<string, string>;
};

const runsRead = 1_000;
const noRuns: AnswerOf<'listRuns'> = { runs: [], total: 0, next_cursor: null };
/** A thousand runs are not asked for with each event of a busy server. */
const settleMs = 2_000;
const dots = 8;

export function JobsPage(): ReactNode {
  const client = useClient();
  useTitle('Jobs');
  const nudge = useRunEvents({ settleMs });
  const loaded = useLoaded({ key: 'jobs', nudge }, async (signal): Promise<Answer> => {
    const [{ jobs, invalid }, { runs }, { schedules }] = await Promise.all([
      client.call('listJobs', { signal }),
      ifAllowed(client.call('listRuns', { query: { limit: runsRead }, signal }), noRuns),
      client.call('listSchedules', { query: { enabled: true }, signal }),
    ]);
    const lastRuns = Map.groupBy(runs, ({ job_id: id }) => id);
    const nextFires = new Map<string, string>();
    for (const { job_id: id, next_fires: fires } of schedules) {
      const at = fires[0]?.nominal_at;
      const known = nextFires.get(id);
      if (at !== undefined && (known === undefined || at < known)) nextFires.set(id, at);
    }
    return { jobs, invalid, lastRuns, nextFires };
  });
  return (
    <>
      <h1>Jobs</h1>
      <Shown of={loaded} what="the jobs">
        {(answer) => <Jobs answer={answer} />}
      </Shown>
    </>
  );
}

function Jobs({ answer }: { readonly answer: Answer }): ReactNode {
  const [path, navigate] = useLocation();
  const search = useSearch();
  const asked = useMemo(() => new URLSearchParams(search), [search]);
  const [text, namespace, tag] = [asked.get('q') ?? '', asked.get('namespace') ?? '', asked.get('tag') ?? ''];
  const change = (name: string, value: string): void => {
    const next = new URLSearchParams(search);
    if (value === '') next.delete(name);
    else next.set(name, value);
    const query = next.toString();
    navigate(query === '' ? path : `${path}?${query}`, { replace: true });
  };
  const namespaces = useMemo(() => sorted(answer.jobs.map((job) => job.namespace)), [answer.jobs]);
  const tags = useMemo(() => sorted(answer.jobs.flatMap((job) => job.tags)), [answer.jobs]);
  const has = (...texts: readonly (string | null)[]): boolean =>
    texts.some((one) => one?.toLowerCase().includes(text.toLowerCase()));
  const jobs = answer.jobs.filter(
    (job) =>
      has(job.id, job.title, job.description, ...job.tags, ...job.aliases) &&
      (namespace === '' || job.namespace === namespace || job.namespace.startsWith(`${namespace}/`)) &&
      (tag === '' || job.tags.includes(tag)),
  );
  const invalid = tag === '' ? answer.invalid.filter(({ id }) => has(id) && id.startsWith(namespace)) : [];
  return (
    <>
      <search className="filters">
        <input
          type="search"
          aria-label="Search jobs"
          placeholder="Search by id, title, description or tag"
          value={text}
          onChange={(event) => change('q', event.target.value)}
        />
        <select aria-label="Namespace" value={namespace} onChange={(event) => change('namespace', event.target.value)}>
          <option value="">all namespaces</option>
          {namespaces.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
        <select aria-label="Tag" value={tag} onChange={(event) => change('tag', event.target.value)}>
          <option value="">all tags</option>
          {tags.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </search>
      <p className="quiet" role="status">
        {jobs.length} of {answer.jobs.length} {answer.jobs.length === 1 ? 'job' : 'jobs'}
        {answer.invalid.length > 0 && `, ${answer.invalid.length} invalid`}
      </p>
      {invalid.length > 0 && <InvalidJobs of={invalid} />}
      {jobs.length === 0 ? (
        <Empty>
          {answer.jobs.length === 0 ? (
            <p>
              No job was found in the sources. A folder with a <code>config.yaml</code> is one.
            </p>
          ) : (
            <p>No job matches.</p>
          )}
        </Empty>
      ) : (
        <ul className="rows jobs" aria-label="Jobs">
          {jobs.map((job) => (
            <JobRow key={job.id} job={job} runs={answer.lastRuns.get(job.id)} nextAt={answer.nextFires.get(job.id)} />
          ))}
        </ul>
      )}
    </>
  );
}

function JobRow(o: {
  readonly job: Job;
  readonly runs: readonly RunRow[] | undefined;
  readonly nextAt: string | undefined;
}): ReactNode {
  const { job, runs = [], nextAt } = o;
  return (
    <li className={job.enabled ? '' : 'off'}>
      <div className="what">
        <Link href={jobPath(job.id)} data-row>
          {job.id}
        </Link>
        {!job.enabled && <span className="tag">disabled</span>}
        {job.tags.map((tag) => (
          <Link key={tag} className="tag" href={`/jobs?tag=${encodeURIComponent(tag)}`}>
            {tag}
          </Link>
        ))}
        <p className="quiet">{job.description ?? job.title ?? job.name}</p>
      </div>
      <div className="dots">
        {runs.length === 0 && <span className="quiet">no recent runs</span>}
        {runs
          .slice(0, dots)
          .toReversed()
          .map((run) => (
            <Link key={run.run_id} href={runPath(run.run_id)}>
              <Status of={run.status} isBare />
            </Link>
          ))}
      </div>
      <div className="when quiet">
        {runs[0] && (
          <span>
            last <Time at={runs[0].created_at} />
          </span>
        )}
        {nextAt !== undefined && (
          <span>
            next <Time at={nextAt} />
          </span>
        )}
      </div>
    </li>
  );
}

function InvalidJobs({ of }: { readonly of: readonly Invalid[] }): ReactNode {
  return (
    <section aria-label="Invalid jobs" className="note note-bad">
      <h2>Invalid</h2>
      <ul>
        {of.map(({ id, source, errors }) => (
          <li key={`${source} ${id}`}>
            <strong>{id}</strong>
            <ul>
              {errors.map((error) => (
                <li key={`${error.file} ${error.line} ${error.message}`}>
                  <code>
                    {error.file}:{error.line}:{error.column}
                  </code>{' '}
                  {error.message}
                </li>
              ))}
            </ul>
          </li>
        ))}
      </ul>
    </section>
  );
}

function sorted(words: readonly string[]): string[] {
  return [...new Set(words)].filter((word) => word !== '').toSorted();
}
