// The runs of a query as a list that is live: newest first, more at its end when somebody comes there, and as it was left for
// whoever comes back.

import { useEffect, useEffectEvent, useLayoutEffect, useRef, useState } from 'react';
import type { Client } from '../../client/client.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { type Loaded, useLoaded } from '../session/loading.ts';
import { useClient } from '../session/session.tsx';
import { useRunEvents } from '../session/streams.ts';
import { leaveList, leftList, placeInHistory } from './list-memory.ts';
import type { readRunQuery } from './run-query.ts';
import { type RunRows, withEvent, withNewest, withOlder } from './run-rows.ts';

export type RunQuery = ReturnType<typeof readRunQuery>['query'];

type LiveRuns = {
  /** null: none has been read yet. */
  readonly held: RunRows | null;
  readonly newest: Loaded<unknown>;
  readonly readOlder: (cursor: string, signal: AbortSignal) => Promise<void>;
  /** Cancels one, and waits no longer than until it is told that it is being cancelled. */
  readonly cancel: (runId: string) => Promise<void>;
};

const pageRows = 100;
const morePageRows = 500;
/** Of a longer list, what is behind them is read when somebody comes there. */
const mostReread = 2_500;

export function useLiveRuns(query: RunQuery): LiveRuns {
  const client = useClient();
  const [held, setHeld] = useLeftRows();
  // What is behind the first page is asked for again where its events may have been missed.
  const hasMissed = useRef(false);
  const { cancel, onCancelling } = useCancels();
  const nudge = useRunEvents(query.job_id === undefined ? {} : { jobId: query.job_id }, {
    open() {
      hasMissed.current = true;
    },
    frame(frame) {
      if (frame.event === 'run.cancelling') onCancelling(String(frame.data.run_id));
      setHeld((now) => now && withEvent(now, frame, query.status));
    },
  });
  const newest = useLoaded({ key: JSON.stringify(query), nudge }, async (signal) => {
    const isWhole = hasMissed.current;
    hasMissed.current = false;
    try {
      const rows = isWhole ? (held?.rows.length ?? 0) : pageRows;
      return { page: await readRuns(client, query, { rows, signal }), isWhole };
    } catch (error) {
      hasMissed.current ||= isWhole;
      throw error;
    }
  });
  useEffect(() => {
    if (!newest.value) return;
    const { page, isWhole } = newest.value;
    setHeld((now) => withNewest(isWhole ? null : now, page));
  }, [newest.value, setHeld]);
  return {
    held,
    newest,
    cancel,
    async readOlder(cursor, signal) {
      const page = await client.call('listRuns', { query: { ...query, cursor, limit: morePageRows }, signal });
      setHeld((now) => now && withOlder(now, page));
    },
  };
}

type SetRows = (change: (now: RunRows | null) => RunRows | null) => void;

/** The rows as they were left, and the window where it was; kept when the page is left: its place is gone once the rows are. */
function useLeftRows(): readonly [RunRows | null, SetRows] {
  const client = useClient();
  const [place] = useState(placeInHistory);
  const [left] = useState(() => leftList(place, client));
  const [rows, setRows] = useState<RunRows | null>(left?.rows ?? null);
  useEffect(() => {
    if (!left) return undefined;
    // After the new page has taken the focus, and with it the place of the window.
    const frame = requestAnimationFrame(() => window.scrollTo(0, left.scrolledPx));
    return () => cancelAnimationFrame(frame);
  }, [left]);
  const leave = useEffectEvent((by: Client) => {
    if (rows) leaveList(place, { rows, scrolledPx: window.scrollY, client: by });
  });
  useLayoutEffect(() => () => leave(client), [client]);
  return [rows, setRows];
}

/** A cancel is answered when the processes are gone, which may take long; events tell of it, too. */
function useCancels(): Pick<LiveRuns, 'cancel'> & { readonly onCancelling: (runId: string) => void } {
  const client = useClient();
  const cancelling = useRef(new Map<string, () => void>());
  return {
    async cancel(runId) {
      const told = new AbortController();
      cancelling.current.set(runId, () => told.abort());
      try {
        await client.call('cancelRun', { path: { run_id: runId }, signal: told.signal });
      } catch (error) {
        if (!told.signal.aborted) throw error;
      } finally {
        cancelling.current.delete(runId);
      }
    },
    onCancelling: (runId) => cancelling.current.get(runId)?.(),
  };
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
