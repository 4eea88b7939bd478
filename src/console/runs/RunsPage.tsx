// All runs: a text query that lives in the URL, an endless list that is live, and what can be done with several at once.

import { type ReactNode, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import type { Client } from '../../client/client.ts';
import { errorText } from '../../client/error-words.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { listedStatuses } from '../../domain/run.ts';
import { useTitle } from '../browser.ts';
import { useNow } from '../session/clock.ts';
import { useLoaded } from '../session/loading.ts';
import { useScopes } from '../session/scopes.tsx';
import { useClient } from '../session/session.tsx';
import { useRunEvents } from '../session/streams.ts';
import { againOf, Empty, ErrorNote, Loading } from '../widgets/Notes.tsx';
import { statusLooks } from '../words.ts';
import { Bulk } from './Bulk.tsx';
import { leaveList, leftList, placeInHistory } from './list-memory.ts';
import { RunList } from './RunList.tsx';
import { readRunQuery, withFilter } from './run-query.ts';
import { type RunRows, withEvent, withNewest, withOlder } from './run-rows.ts';

const pageRows = 100;
const morePageRows = 500;
/** Of a longer list, what is behind them is read when somebody comes there. */
const mostReread = 2_500;
const typingMs = 300;
/** What is wrong may be half of a word. */
const halfTypedMs = 2_000;

export function RunsPage(): ReactNode {
  useTitle('Runs');
  const search = useSearch();
  const [, navigate] = useLocation();
  const asked = new URLSearchParams(search).get('q') ?? '';
  const [text, setText] = useState(asked);
  // Whoever goes back, or follows a link, has another query.
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
        job: (its whole id) status: label: source: tenant: since: until:, and any text in ids, arguments and errors
      </p>
      {errors.length > 0 ? (
        errors.map((error) => <ErrorNote key={error} text={error} />)
      ) : (
        <Runs key={asked} query={query} />
      )}
    </>
  );
}

type RunQuery = ReturnType<typeof readRunQuery>['query'];

function Runs({ query }: { readonly query: RunQuery }): ReactNode {
  const client = useClient();
  const mayChange = useScopes()('runs:write');
  const [place] = useState(placeInHistory);
  const [left] = useState(() => leftList(place, client));
  const [held, setHeld] = useState<RunRows | null>(left?.rows ?? null);
  useLeftAsIs(place, held);
  useEffect(() => {
    if (!left) return undefined;
    // After the new page has taken the focus, and with it the place of the window.
    const frame = requestAnimationFrame(() => window.scrollTo(0, left.scrolledPx));
    return () => cancelAnimationFrame(frame);
  }, [left]);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  // What is behind the first page is asked for again where its events may have been missed.
  const hasMissed = useRef(false);
  const count = useRef(0);
  count.current = held?.rows.length ?? 0;
  const cancelling = useRef(new Map<string, () => void>());
  const nudge = useRunEvents(query.job_id === undefined ? {} : { jobId: query.job_id }, {
    open() {
      hasMissed.current = true;
    },
    frame(frame) {
      if (frame.event === 'run.cancelling') cancelling.current.get(String(frame.data.run_id))?.();
      setHeld((now) => now && withEvent(now, frame, query.status));
    },
  });
  const newest = useLoaded({ key: JSON.stringify(query), nudge }, async (signal) => {
    const isWhole = hasMissed.current;
    hasMissed.current = false;
    try {
      const page = await readRuns(client, query, { rows: isWhole ? count.current : pageRows, signal });
      return { page, isWhole };
    } catch (error) {
      hasMissed.current ||= isWhole;
      throw error;
    }
  });
  useEffect(() => {
    if (!newest.value) return;
    const { page, isWhole } = newest.value;
    setHeld((now) => withNewest(isWhole ? null : now, page));
  }, [newest.value]);

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
  // It is answered when the processes are gone, which may take long; events tell of that, too.
  async function cancel(runId: string): Promise<void> {
    const told = new AbortController();
    cancelling.current.set(runId, () => told.abort());
    try {
      await client.call('cancelRun', { path: { run_id: runId }, signal: told.signal });
    } catch (error) {
      if (!told.signal.aborted) throw error;
    } finally {
      cancelling.current.delete(runId);
    }
  }
  if (!held)
    return newest.error === null ? (
      <Loading what="the runs" />
    ) : (
      <ErrorNote text={newest.error} again={againOf(newest)} />
    );
  return (
    <>
      {newest.error !== null && <ErrorNote text={newest.error} again={againOf(newest)} />}
      <Bulk rows={held} chosen={chosen} choose={choose} cancel={cancel} />
      {held.rows.length === 0 ? (
        <Empty>
          <p>{Object.keys(query).length > 0 ? 'No run matches.' : 'Nothing has run yet.'}</p>
          {query.job_id !== undefined && (
            <p>
              <code>job:</code> takes the whole id of a job, such as <code>backup/daily</code>; without it,{' '}
              <Link href={`/runs?q=${encodeURIComponent(query.job_id)}`}>{query.job_id}</Link> is looked for in all ids.
            </p>
          )}
        </Empty>
      ) : (
        <RunList rows={held.rows} hasJob {...(mayChange && { chosen, choose: chooseOne })} />
      )}
      {held.cursor !== null && (
        <More
          cursor={held.cursor}
          read={async (cursor, signal) => {
            const page = await client.call('listRuns', { query: { ...query, cursor, limit: morePageRows }, signal });
            setHeld((now) => now && withOlder(now, page));
          }}
        />
      )}
    </>
  );
}

/** Kept when the page is left: the place of the window is gone once the rows are. */
function useLeftAsIs(place: string, rows: RunRows | null): void {
  const client = useClient();
  const latest = useRef(rows);
  latest.current = rows;
  useLayoutEffect(
    () => () => {
      if (latest.current) leaveList(place, { rows: latest.current, scrolledPx: window.scrollY, client });
    },
    [place, client],
  );
}

/** The newest runs, as many at least, as one page. */
async function readRuns(
  client: Client,
  query: RunQuery,
  { rows, signal }: { readonly rows: number; readonly signal: AbortSignal },
): Promise<AnswerOf<'listRuns'>> {
  let page = await client.call('listRuns', { query: { ...query, limit: pageRows }, signal });
  const most = Math.min(rows, mostReread);
  while (page.next_cursor !== null && page.runs.length < most) {
    const older = { ...query, cursor: page.next_cursor, limit: morePageRows };
    const next = await client.call('listRuns', { query: older, signal });
    page = { ...next, runs: [...page.runs, ...next.runs] };
  }
  return page;
}

/** Reads on when it comes into sight. */
function More(o: {
  readonly cursor: string;
  readonly read: (cursor: string, signal: AbortSignal) => Promise<void>;
}): ReactNode {
  const button = useRef<HTMLButtonElement>(null);
  const [error, setError] = useState<string | null>(null);
  const isReading = useRef(false);
  const read = useRef(o.read);
  read.current = o.read;
  const more = useCallback(async () => {
    if (isReading.current) return;
    isReading.current = true;
    setError(null);
    await read.current(o.cursor, AbortSignal.timeout(30_000)).catch((error: unknown) => setError(errorText(error)));
    isReading.current = false;
  }, [o.cursor]);
  useEffect(() => {
    const shown = button.current;
    if (!shown) return undefined;
    const watch = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && void more(), {
      rootMargin: '600px',
    });
    watch.observe(shown);
    return () => watch.disconnect();
  }, [more]);
  return (
    <p>
      {error !== null && <ErrorNote text={error} />}
      <button type="button" ref={button} onClick={() => void more()}>
        More
      </button>
    </p>
  );
}
