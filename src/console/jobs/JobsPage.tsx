// The page of all jobs, invalid ones included: their last runs, and when they run next.

import { memo, type ReactNode, useDeferredValue, useMemo } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import type { AnswerOf } from '../../contract/operations.ts';
import { useTitle } from '../browser.ts';
import { useAnswer } from '../session/answers.tsx';
import { useNow } from '../session/clock.ts';

import { Chunked } from '../widgets/Chunked.tsx';
import { Empty, Shown, Status, Time, WithCode } from '../widgets/Notes.tsx';
import { harmless, jobPath, runPath } from '../words.ts';
import { useJobs } from './catalogue.ts';
import { type ReadLastRuns, useLastRuns, useLastRunsOf } from './last-runs.ts';

type Answer = AnswerOf<'listJobs'>;
type Job = Answer['jobs'][number];
type Invalid = Answer['invalid'][number];
/** For each job, the next times of all its schedules, in order. */
type NextFires = ReadonlyMap<string, readonly string[]>;

const likelyRowPx = 62;
const schedulesEveryMs = 30_000;
const noFires: NextFires = new Map();

export function JobsPage(): ReactNode {
  useTitle('Jobs');
  const jobs = useJobs();
  const nextFires = useNextFires();
  const lastRuns = useLastRuns();
  return (
    <>
      <h1>Jobs</h1>
      <Shown of={jobs} what="jobs">
        {(answer) => <Jobs answer={answer} nextFires={nextFires} lastRuns={lastRuns} />}
      </Shown>
    </>
  );
}

/** Empty until they have been read: the list of jobs does not wait for them. */
function useNextFires(): NextFires {
  const { data } = useAnswer(
    ['schedules', 'enabled'],
    (client, signal) => client.call('listSchedules', { query: { enabled: true }, signal }),
    { refetchInterval: schedulesEveryMs, select: nextFiresOf },
  );
  return data ?? noFires;
}

function nextFiresOf({ schedules }: AnswerOf<'listSchedules'>): NextFires {
  const ofJob = Map.groupBy(schedules, ({ job_id: id }) => id);
  return new Map(
    [...ofJob].map(([id, own]) => [
      id,
      own.flatMap(({ next_fires: fires }) => fires.map(({ nominal_at: at }) => at)).toSorted(),
    ]),
  );
}

/** The text that a search looks in, in lower case. */
function textOf({ id, title, description, tags, aliases }: Job): string {
  return [id, title ?? '', description ?? '', ...tags, ...aliases].join('\n').toLowerCase();
}

function isIn(namespace: string, id: string): boolean {
  return namespace === '' || id.startsWith(`${namespace}/`);
}

type Filter = { readonly text: string; readonly namespace: string; readonly tag: string };

function filterOf(search: string): Filter {
  const asked = new URLSearchParams(search);
  return { text: asked.get('q') ?? '', namespace: asked.get('namespace') ?? '', tag: asked.get('tag') ?? '' };
}

function useMatching(answer: Answer, search: string): { jobs: readonly Job[]; invalid: readonly Invalid[] } {
  const searched = useMemo(() => answer.jobs.map((job) => ({ job, text: textOf(job) })), [answer.jobs]);
  return useMemo(() => {
    const { text, namespace, tag } = filterOf(search);
    const wanted = text.toLowerCase();
    const jobs = searched
      .filter((one) => one.text.includes(wanted) && isIn(namespace, one.job.id))
      .map(({ job }) => job)
      .filter(({ tags }) => tag === '' || tags.includes(tag));
    // The tags of an invalid job are not known.
    const invalid = answer.invalid.filter(
      ({ id }) => tag === '' && id.toLowerCase().includes(wanted) && isIn(namespace, id),
    );
    return { jobs, invalid };
  }, [searched, answer.invalid, search]);
}

function Jobs(o: {
  readonly answer: Answer;
  readonly nextFires: NextFires;
  readonly lastRuns: ReadLastRuns;
}): ReactNode {
  const { answer, nextFires, lastRuns } = o;
  const [path, navigate] = useLocation();
  const search = useSearch();
  const { text, namespace, tag } = filterOf(search);
  const change = (name: string, value: string): void => {
    const next = new URLSearchParams(search);
    if (value === '') next.delete(name);
    else next.set(name, value);
    const query = next.toString();
    navigate(query === '' ? path : `${path}?${query}`, { replace: true });
  };
  const namespaces = useMemo(() => optionsOf(answer.jobs.map((job) => job.namespace)), [answer.jobs]);
  const tags = useMemo(() => optionsOf(answer.jobs.flatMap((job) => job.tags)), [answer.jobs]);
  // Typing is drawn at once; the list follows when the browser has time.
  const { jobs, invalid } = useMatching(answer, useDeferredValue(search));
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
          {namespaces}
        </select>
        <select aria-label="Tag" value={tag} onChange={(event) => change('tag', event.target.value)}>
          <option value="">all tags</option>
          {tags}
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
              No jobs yet. A job is a folder with a <code>config.yaml</code> in one of the sources;{' '}
              <code>flwd init jobs/hello</code> creates one.
            </p>
          ) : (
            <p>No jobs match.</p>
          )}
        </Empty>
      ) : (
        <Chunked rows={jobs} label="Jobs" likelyRowPx={likelyRowPx}>
          {(rows, label) => (
            <ul className="rows jobs" aria-label={label}>
              {rows.map((job) => (
                <JobRow key={job.id} job={job} lastRuns={lastRuns} nextFires={nextFires.get(job.id)} />
              ))}
            </ul>
          )}
        </Chunked>
      )}
    </>
  );
}

const JobRow = memo(function JobRow(o: {
  readonly job: Job;
  readonly lastRuns: ReadLastRuns;
  readonly nextFires: readonly string[] | undefined;
}): ReactNode {
  const { job, nextFires = [] } = o;
  const runs = useLastRunsOf(o.lastRuns, job.id);
  const now = useNow(10_000);
  const nextAt = nextFires.find((at) => Date.parse(at) > now);
  return (
    <li className={job.enabled ? '' : 'off'}>
      <div className="what">
        <Link href={jobPath(job.id)} data-row>
          {harmless(job.id)}
        </Link>
        {!job.enabled && <span className="tag">disabled</span>}
        {job.tags.map((tag) => (
          <Link key={tag} className="tag" href={`/jobs?tag=${encodeURIComponent(tag)}`}>
            {tag}
          </Link>
        ))}
        <p className="quiet">{wordsOf(job)}</p>
      </div>
      <div className="dots">
        {runs?.length === 0 && <span className="quiet">no runs</span>}
        {runs?.toReversed().map((run) => (
          <Link key={run.run_id} href={runPath(run.run_id)}>
            <Status of={run.status} isBare />
          </Link>
        ))}
      </div>
      <div className="when quiet">
        {runs?.[0] && (
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
});

/** The job's name, unless its id contains it, and its description. */
function wordsOf({ id, title, name, description }: Job): string {
  const called = title ?? name;
  const said = called === id || called === id.split('/').at(-1) ? [] : [called];
  return harmless([...said, ...(description === null ? [] : [description])].join(' – '));
}

function InvalidJobs({ of }: { readonly of: readonly Invalid[] }): ReactNode {
  return (
    <section aria-label="Invalid jobs" className="note note-bad">
      <h2>Invalid</h2>
      <ul>
        {of.map(({ id, source, errors }) => (
          <li key={`${source} ${id}`}>
            <strong>{harmless(id)}</strong>
            <JobErrors of={errors} />
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The errors in the files of an invalid job, with their places. */
export function JobErrors({ of }: { readonly of: Invalid['errors'] }): ReactNode {
  return (
    <ul>
      {of.map((error) => (
        <li key={JSON.stringify(error)}>
          <code>
            {error.file}:{error.line}:{error.column}
          </code>{' '}
          <WithCode text={error.message} />
        </li>
      ))}
    </ul>
  );
}

function optionsOf(words: readonly string[]): ReactNode {
  const distinct = new Set(words.filter((word) => word !== ''));
  return [...distinct].toSorted().map((word) => <option key={word}>{word}</option>);
}
