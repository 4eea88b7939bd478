// A job: what it is, the form to start it, what would happen, and how it went before.

import { type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import { ApiProblem } from '../client/api-problem.ts';
import { faultText } from '../client/fault-words.ts';
import { faultsOf, outlookWords } from '../client/outlook.ts';
import type { AnswerOf } from '../contract/operations.ts';
import { argumentFields } from '../domain/argument-fields.ts';
import { type FormFaults, placeFaults } from '../domain/filled-fields.ts';
import { ArgumentsForm } from './ArgumentsForm.tsx';
import { CopyButton, shellWord } from './CopyButton.tsx';
import { type FieldTexts, noTexts, readTexts, textsOf, withoutSecrets } from './form-texts.ts';
import { useLoaded, useRunEvents, useTitle } from './loading.ts';
import { Facts, Fault, Shown } from './Notes.tsx';
import { Plan } from './Plan.tsx';
import { useOutlook } from './plan.ts';
import { RunList } from './RunList.tsx';
import { useClient } from './session.tsx';
import { newKey, runPath } from './words.ts';

type Job = AnswerOf<'getJob'>;

const runsShown = 8;

export function JobPage(): ReactNode {
  const [path] = useLocation();
  const jobId = useMemo(() => decodedId(path), [path]);
  const client = useClient();
  useTitle(jobId);
  const job = useLoaded({ key: jobId }, async (signal) => {
    try {
      return await client.call('getJob', { path: { job_id: jobId }, signal });
    } catch (error) {
      if (error instanceof ApiProblem && error.slug === 'job-invalid') return error;
      throw error;
    }
  });
  return (
    <>
      <p className="crumbs">
        <Link href="/jobs">Jobs</Link> /
      </p>
      <h1>{jobId}</h1>
      <Shown of={job} what="the job">
        {(value) =>
          value instanceof ApiProblem ? <Invalid problem={value} /> : <JobBody key={value.id} job={value} />
        }
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
      <p>{problem.message}</p>
      <ul>
        {errors.map((error) => (
          <li key={JSON.stringify(error)}>
            <code>
              {error.file}:{error.line}:{error.column}
            </code>{' '}
            {error.message}
          </li>
        ))}
      </ul>
    </div>
  );
}

function JobBody({ job }: { readonly job: Job }): ReactNode {
  const schedules = (
    <Link href={`/system#schedules`}>{job.enabled ? 'see the schedules' : 'disabled: no schedule fires'}</Link>
  );
  return (
    <>
      {job.title !== null && <p className="lead">{job.title}</p>}
      {job.description !== null && <p>{job.description}</p>}
      <Facts
        of={[
          ['Source', `${job.source}: ${job.path}`],
          ['Revision', <code key="revision">{job.revision.slice(0, 12)}</code>],
          ['Version', job.version],
          ['Profile', job.security_profile],
          ['Tags', job.tags.join(', ')],
          ['Aliases', job.aliases.join(', ')],
          ['Steps', job.steps.map(({ step_id: id }) => id).join(', ')],
          ['At once', job.concurrency && `${job.concurrency.limit}, then ${job.concurrency.on_conflict}`],
          ['Schedules', schedules],
        ]}
      />
      <Start job={job} />
      <LastRuns jobId={job.id} />
    </>
  );
}

function Start({ job }: { readonly job: Job }): ReactNode {
  const client = useClient();
  const [, navigate] = useLocation();
  const asked = new URLSearchParams(useSearch());
  /** The run that is run again, with what is changed here. */
  const rerunOf = asked.get('rerun');
  const from = rerunOf ?? asked.get('from');
  const schema = JSON.stringify(job.args);
  // A job that is read again with the same schema keeps what is typed.
  const fields = useMemo(() => argumentFields(job.args), [schema]);
  const [filled, setFilled] = useState<readonly FieldTexts[]>([]);
  const [touched, setTouched] = useState<ReadonlySet<number>>(new Set());
  const [note, setNote] = useState<string | null>(null);
  const [isStarting, setStarting] = useState(false);
  const [isTried, setTried] = useState(false);
  /** The same until something is changed or has started, so that a press after a broken answer starts nothing twice. */
  const startKey = useRef(newKey());
  const { args, faults: own } = useMemo(() => readTexts(fields, filled), [fields, filled]);
  const outlook = useOutlook(job.id, args);
  const faults = useMemo(() => {
    const placed = placeFaults(fields, outlook?.kind === 'faults' ? outlook.errors : [], own);
    if (rerunOf === null) return placed;
    // What is left empty is as it was.
    const isFilled = (index: number): boolean => (filled[index]?.texts.length ?? 0) > 0;
    return { ...placed, byField: new Map([...placed.byField].filter(([index]) => isFilled(index))) };
  }, [fields, filled, outlook, own, rerunOf]);
  const [fromNote, setFromNote] = useState<string | null>(null);

  useEffect(() => {
    if (from === null) return undefined;
    const ending = new AbortController();
    client.call('getRun', { path: { run_id: from }, signal: ending.signal }).then(
      (run) => {
        setFilled(textsOf(fields, run.args));
        setFromNote(
          rerunOf === null
            ? `Filled in from ${from}. Secrets have to be given anew.`
            : `${from} is run again on its revision, with what is changed here. What is left empty stays as it was, secrets too.`,
        );
      },
      (error: unknown) => {
        if (!ending.signal.aborted) setFromNote(faultText(error));
      },
    );
    return () => ending.abort();
  }, [client, from, rerunOf, fields]);

  const change = useCallback(
    (index: number, next: FieldTexts) => {
      setFilled((held) => fields.map((_, at) => (at === index ? next : (held[at] ?? noTexts))));
      setTouched((held) => new Set([...held, index]));
      setNote(null);
      startKey.current = newKey();
    },
    [fields],
  );

  async function start(): Promise<void> {
    if (isStarting) return;
    setTried(true);
    setStarting(true);
    setNote(null);
    try {
      const headers = { 'idempotency-key': startKey.current };
      const { run_id: runId } =
        rerunOf === null
          ? await client.call('createRun', { body: { job_id: job.id, args }, headers })
          : await client.call('rerunRun', { path: { run_id: rerunOf }, body: { from: 'start', args } });
      startKey.current = newKey();
      navigate(runPath(runId));
    } catch (error) {
      setNote(faultsOf(error) ? 'The arguments are not right yet.' : faultText(error));
      const first = Math.min(...faults.byField.keys());
      if (Number.isFinite(first)) document.getElementById(`field-${first}`)?.focus();
    } finally {
      setStarting(false);
    }
  }

  // Nobody is told that a field is missing before it was their turn to fill it in.
  const shown = new Map([...faults.byField].filter(([index]) => isTried || touched.has(index)));
  const words =
    rerunOf !== null && outlook?.kind === 'faults' && countOf(faults) === 0
      ? ({ text: 'Would run again with this.', tone: 'good' } as const)
      : outlookWords(outlook, countOf(faults));
  return (
    <div className="columns">
      <form
        aria-label="Arguments"
        className="panel"
        onSubmit={(event) => {
          event.preventDefault();
          void start();
        }}
      >
        <h2>{rerunOf === null ? 'Start' : 'Run again'}</h2>
        {fromNote !== null && (
          <p className="note" role="status">
            {fromNote}
          </p>
        )}
        <ArgumentsForm fields={fields} filled={filled} faults={shown} change={change} />
        {faults.others.map((fault) => (
          <p key={fault} className="fault">
            {fault}
          </p>
        ))}
        {note !== null && <Fault text={note} />}
        <p className={`outlook outlook-${words.tone}`} role="status">
          {words.text}
        </p>
        <div className="actions">
          <button type="submit" className="primary" disabled={isStarting}>
            {isStarting ? 'Starting…' : rerunOf === null ? 'Start' : 'Run again'}
          </button>
          {rerunOf === null && <Copies jobId={job.id} args={withoutSecrets(fields, filled)} />}
        </div>
      </form>
      <Plan outlook={outlook} />
    </div>
  );
}

function countOf({ byField, others }: FormFaults): number {
  return byField.size + others.length;
}

function Copies({
  jobId,
  args,
}: {
  readonly jobId: string;
  readonly args: Readonly<Record<string, unknown>>;
}): ReactNode {
  const body = JSON.stringify({ job_id: jobId, args });
  const curl = `curl ${shellWord(`${location.origin}/api/v1/runs`)} -H 'content-type: application/json' -d ${shellWord(body)}`;
  const words = Object.keys(args).length > 0 ? ` --args ${shellWord(JSON.stringify(args))}` : '';
  return (
    <>
      <CopyButton label="Copy as curl" text={curl} />
      <CopyButton label="Copy as flwd" text={`flwd run ${shellWord(jobId)}${words}`} />
    </>
  );
}

function LastRuns({ jobId }: { readonly jobId: string }): ReactNode {
  const client = useClient();
  const nudge = useRunEvents({ jobId });
  const runs = useLoaded({ key: jobId, nudge }, (signal) =>
    client.call('listRuns', { query: { job_id: jobId, limit: runsShown }, signal }),
  );
  return (
    <section aria-label="Last runs">
      <h2>Last runs</h2>
      <Shown of={runs} what="the runs">
        {({ runs: rows, total }) =>
          rows.length === 0 ? (
            <p className="quiet">It has not run yet.</p>
          ) : (
            <>
              <RunList
                rows={rows}
                extra={(run) => (
                  <Link href={`?from=${encodeURIComponent(run.run_id)}`} className="small">
                    use its inputs
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
