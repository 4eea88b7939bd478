// The page of all runs: a text filter, kept in the URL, and a live, endless list whose runs can be cancelled or rerun
// together.

import { type ReactNode, useCallback, useEffect, useEffectEvent, useMemo, useRef, useState } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import { errorText } from '../../client/error-words.ts';
import { listedStatuses } from '../../domain/run.ts';
import { useTitle } from '../browser.ts';
import { failureText } from '../session/answers.tsx';
import { useNow } from '../session/clock.ts';
import { useScopes } from '../session/scopes.ts';
import { longestAnswerMs } from '../session/session.tsx';
import { Empty, ErrorNote, Loading, retryOf } from '../widgets/Notes.tsx';
import { statusLooks } from '../words.ts';
import { Bulk } from './Bulk.tsx';
import { type RunQuery, useLiveRuns } from './live-runs.ts';
import { RunList } from './RunList.tsx';
import { readRunQuery, withFilter } from './run-query.ts';

const typingMs = 300;
/** A filter that is wrong may be typed only halfway. */
const halfTypedMs = 2_000;

export function RunsPage(): ReactNode {
  useTitle('Runs');
  const search = useSearch();
  const [, navigate] = useLocation();
  const asked = new URLSearchParams(search).get('q') ?? '';
  const [text, setText] = useState(asked);
  // Going back or following a link changes the filter.
  useEffect(() => setText(asked), [asked]);
  useEffect(() => {
    if (text === asked) return undefined;
    const isWrong = readRunQuery(text, Date.now()).errors.length > 0;
    const timer = setTimeout(() => show(text), isWrong ? halfTypedMs : typingMs);
    return () => clearTimeout(timer);
  }, [text, asked]);
  function show(next: string): void {
    navigate(next.trim() === '' ? '/runs' : `/runs?q=${encodeURIComponent(next)}`, { replace: true });
  }
  const minute = Math.floor(useNow(10_000) / 60_000);
  const { query, errors } = useMemo(() => readRunQuery(asked, minute * 60_000), [asked, minute]);
  return (
    <>
      <h1>Runs</h1>
      <search className="filters">
        <input
          type="search"
          aria-label="Filter runs"
          aria-describedby="runs-hint"
          placeholder="job:backup/daily status:failed since:2d"
          spellCheck={false}
          value={text}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === 'Enter') show(text);
          }}
        />
        <fieldset className="chips">
          <legend className="unseen">Status</legend>
          {[null, ...listedStatuses].map((status) => (
            <button
              key={status ?? 'all'}
              type="button"
              aria-pressed={(query.status ?? null) === status}
              onClick={() => show(withFilter(asked, 'status', status))}
            >
              {status === null ? 'all' : statusLooks[status].word}
            </button>
          ))}
        </fieldset>
      </search>
      <p className="hint" id="runs-hint">
        Filters: job: (a whole id) status: label: source: tenant: since: until: – other words match ids, arguments and
        errors
      </p>
      {errors.length > 0 ? (
        errors.map((error) => <ErrorNote key={error} text={error} />)
      ) : (
        <Runs key={asked} query={query} />
      )}
    </>
  );
}

function Runs({ query }: { readonly query: RunQuery }): ReactNode {
  const mayChange = useScopes()('runs:write');
  const { newest, cancel, readOlder } = useLiveRuns(query);
  const { chosen, choose, chooseOne } = useChosen();
  const { data: held } = newest;
  const failure = failureText(newest);
  const error = failure !== null && <ErrorNote text={failure} retry={retryOf(newest)} />;
  if (!held) return error || <Loading what="runs" />;
  return (
    <>
      {error}
      <Bulk rows={held} chosen={chosen} choose={choose} cancel={cancel} />
      {held.rows.length === 0 ? (
        <NoRuns query={query} />
      ) : (
        <RunList rows={held.rows} hasJob {...(mayChange && { chosen, choose: chooseOne })} />
      )}
      {held.cursor !== null && <More cursor={held.cursor} read={readOlder} />}
    </>
  );
}

function useChosen() {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const choose = useCallback(
    (runIds: readonly string[], isChosen: boolean) =>
      setChosen((now) => {
        const changed = new Set(runIds);
        const others = [...now].filter((id) => !changed.has(id));
        return new Set(isChosen ? [...others, ...changed] : others);
      }),
    [],
  );
  const chooseOne = useCallback((runId: string, isChosen: boolean) => choose([runId], isChosen), [choose]);
  return { chosen, choose, chooseOne };
}

function NoRuns({ query }: { readonly query: RunQuery }): ReactNode {
  return (
    <Empty>
      <p>{Object.keys(query).length > 0 ? 'No runs match.' : 'No runs yet.'}</p>
      {query.job_id !== undefined && (
        <p>
          <code>job:</code> needs the whole id of a job, such as <code>backup/daily</code>. To match part of an id,
          search for <Link href={`/runs?q=${encodeURIComponent(query.job_id)}`}>{query.job_id}</Link> without it.
        </p>
      )}
    </Empty>
  );
}

/** Reads older runs when it comes into view. */
function More(o: {
  readonly cursor: string;
  readonly read: (cursor: string, signal: AbortSignal) => Promise<void>;
}): ReactNode {
  const button = useRef<HTMLButtonElement>(null);
  const [error, setError] = useState<string | null>(null);
  const isReading = useRef(false);
  const more = async (): Promise<void> => {
    if (isReading.current) return;
    isReading.current = true;
    setError(null);
    await o.read(o.cursor, AbortSignal.timeout(longestAnswerMs)).catch((error: unknown) => setError(errorText(error)));
    isReading.current = false;
  };
  const onNear = useEffectEvent(() => void more());
  // If the button is still in view after a page, observing it again reads the next page.
  useEffect(() => {
    const shown = button.current;
    if (!shown) return undefined;
    const watch = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && onNear(), {
      rootMargin: '600px',
    });
    watch.observe(shown);
    return () => watch.disconnect();
  }, [o.cursor]);
  return (
    <p>
      {error !== null && <ErrorNote text={error} />}
      <button type="button" ref={button} onClick={() => void more()}>
        More
      </button>
    </p>
  );
}
