// All runs: a text query that lives in the URL, an endless list that is live, and what can be done with several at once.

import { type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useLocation, useSearch } from 'wouter';
import { faultText } from '../client/fault-words.ts';
import { isFinished, runStatuses } from '../domain/run.ts';
import { useNow } from './clock.ts';
import { useLoaded, useRunEvents, useTitle } from './loading.ts';
import { Empty, Fault, Loading } from './Notes.tsx';
import { RunList } from './RunList.tsx';
import { readRunQuery, withFilter } from './run-query.ts';
import { type RunRows, withEvent, withNewest, withOlder } from './run-rows.ts';
import { useClient } from './session.tsx';

const pageRows = 100;
const morePageRows = 500;
const typingMs = 300;

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
    const timer = setTimeout(() => show(text), typingMs);
    return () => clearTimeout(timer);
  }, [text, asked]);
  function show(next: string): void {
    navigate(next.trim() === '' ? '/runs' : `/runs?q=${encodeURIComponent(next)}`, { replace: true });
  }
  const minute = Math.floor(useNow(10_000) / 60_000);
  const { query, faults } = useMemo(() => readRunQuery(asked, minute * 60_000), [asked, minute]);
  return (
    <>
      <h1>Runs</h1>
      <search className="filters">
        <input
          type="search"
          aria-label="Filter runs"
          aria-describedby="runs-hint"
          placeholder="job:backup status:failed since:2d"
          spellCheck={false}
          value={text}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === 'Enter') show(text);
          }}
        />
        <fieldset className="chips">
          <legend className="unseen">Status</legend>
          {[null, ...runStatuses].map((status) => (
            <button
              key={status ?? 'all'}
              type="button"
              aria-pressed={(query.status ?? null) === status}
              onClick={() => show(withFilter(asked, 'status', status))}
            >
              {status ?? 'all'}
            </button>
          ))}
        </fieldset>
      </search>
      <p className="hint" id="runs-hint">
        job: status: label: source: tenant: since: until:, and any text in ids, arguments and errors
      </p>
      {faults.length > 0 ? (
        faults.map((fault) => <Fault key={fault} text={fault} />)
      ) : (
        <Runs key={asked} query={query} />
      )}
    </>
  );
}

function Runs({ query }: { readonly query: ReturnType<typeof readRunQuery>['query'] }): ReactNode {
  const client = useClient();
  const [held, setHeld] = useState<RunRows | null>(null);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const nudge = useRunEvents(query.job_id === undefined ? {} : { jobId: query.job_id }, {
    frame: (frame) => setHeld((now) => now && withEvent(now, frame)),
  });
  const newest = useLoaded({ key: JSON.stringify(query), nudge }, (signal) =>
    client.call('listRuns', { query: { ...query, limit: pageRows }, signal }),
  );
  useEffect(() => {
    const page = newest.value;
    if (page) setHeld((now) => withNewest(now, page));
  }, [newest.value]);

  const choose = useCallback(
    (runId: string, isChosen: boolean) =>
      setChosen((now) => new Set(isChosen ? [...now, runId] : [...now].filter((id) => id !== runId))),
    [],
  );
  if (!held)
    return newest.fault === null ? <Loading what="the runs" /> : <Fault text={newest.fault} again={newest.again} />;
  return (
    <>
      {newest.fault !== null && <Fault text={newest.fault} again={newest.again} />}
      <Bulk rows={held} chosen={chosen} setChosen={setChosen} />
      {held.rows.length === 0 ? (
        <Empty>
          <p>{Object.keys(query).length > 0 ? 'No run matches.' : 'Nothing has run yet.'}</p>
        </Empty>
      ) : (
        <RunList rows={held.rows} hasJob chosen={chosen} choose={choose} />
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

/** Reads on when it comes into sight. */
function More(o: {
  readonly cursor: string;
  readonly read: (cursor: string, signal: AbortSignal) => Promise<void>;
}): ReactNode {
  const button = useRef<HTMLButtonElement>(null);
  const [fault, setFault] = useState<string | null>(null);
  const isReading = useRef(false);
  const read = useRef(o.read);
  read.current = o.read;
  const more = useCallback(async () => {
    if (isReading.current) return;
    isReading.current = true;
    setFault(null);
    await read.current(o.cursor, AbortSignal.timeout(30_000)).catch((error: unknown) => setFault(faultText(error)));
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
      {fault !== null && <Fault text={fault} />}
      <button type="button" ref={button} onClick={() => void more()}>
        More
      </button>
    </p>
  );
}

function Bulk(o: {
  readonly rows: RunRows;
  readonly chosen: ReadonlySet<string>;
  readonly setChosen: (chosen: ReadonlySet<string>) => void;
}): ReactNode {
  const client = useClient();
  const [note, setNote] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const chosen = o.rows.rows.filter(({ run_id: id }) => o.chosen.has(id));
  const open = chosen.filter(({ status }) => !isFinished(status));
  const over = chosen.filter(({ status }) => isFinished(status));

  async function each(
    doing: string,
    ids: readonly string[],
    act: (path: { run_id: string }) => Promise<unknown>,
  ): Promise<void> {
    setBusy(true);
    const faults: string[] = [];
    for (const [index, id] of ids.entries()) {
      setNote(`${doing} ${index + 1} of ${ids.length}…`);
      await act({ run_id: id }).catch((error: unknown) => faults.push(`${id}: ${faultText(error)}`));
    }
    setNote([`${doing}: ${ids.length - faults.length} of ${ids.length} done.`, ...faults].join(' '));
    setBusy(false);
    o.setChosen(new Set());
  }
  const idsOf = (rows: typeof chosen): string[] => rows.map(({ run_id: id }) => id);
  return (
    <div className="actions bulk">
      <span className="quiet" role="status">
        {o.rows.total.toLocaleString('en')} {o.rows.total === 1 ? 'run' : 'runs'}
        {chosen.length > 0 && `, ${chosen.length} chosen`}
      </span>
      {open.length > 0 && (
        <button
          type="button"
          disabled={isBusy}
          onClick={() => void each('Cancelling', idsOf(open), (path) => client.call('cancelRun', { path }))}
        >
          Cancel {open.length}
        </button>
      )}
      {over.length > 0 && (
        <button
          type="button"
          disabled={isBusy}
          onClick={() => void each('Running again', idsOf(over), (path) => client.call('rerunRun', { path, body: {} }))}
        >
          Rerun {over.length}
        </button>
      )}
      {chosen.length > 0 && (
        <button type="button" onClick={() => o.setChosen(new Set())}>
          Choose none
        </button>
      )}
      {note !== null && <span role="status">{note}</span>}
    </div>
  );
}
