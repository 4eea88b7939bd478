// A live list of runs, newest first. Events change its rows in place. Older runs are read when the user scrolls to the
// end. Going back shows the list as the user left it.

import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';
import type { Client } from '../../client/client.ts';
import { useAnswer, useRefresh } from '../session/answers.tsx';
import { newKey } from '../session/request-keys.ts';
import { useClient } from '../session/session.tsx';
import { useRunEvents } from '../session/streams.ts';
import type { readRunQuery } from './run-query.ts';
import { type RunPage, type RunRows, withEvent, withNewest, withOlder } from './run-rows.ts';

export type RunQuery = ReturnType<typeof readRunQuery>['query'];

const pageRows = 100;
const olderPageRows = 200;
/**
 * How many rows are read again after events were missed. The rows after these are read when the user scrolls to them.
 */
const mostReread = 2_500;
/** Filters such as `since:2d` move with the clock, so the list is read again every minute. */
const minuteMs = 60_000;
/** How long the last list is kept after the user has left it, in case they go back. */
const keptMs = 30 * minuteMs;

export function useLiveRuns(query: RunQuery) {
  const client = useClient();
  const answers = useQueryClient();
  const refresh = useRefresh();
  const [place] = useState(placeInHistory);
  const queryKey = ['runs', place];
  const heldRows = (): RunRows | null => answers.getQueryData<RunRows>(queryKey) ?? null;
  const change = (next: (now: RunRows) => RunRows): void => {
    answers.setQueryData<RunRows>(queryKey, (now) => now && next(now));
  };
  // After missed events, rows that are not on the first page may be outdated too.
  const hasMissed = useRef(false);
  const { cancel, onCancelling } = useCancels();
  useRunEvents(query.job_id === undefined ? {} : { jobId: query.job_id }, {
    open() {
      hasMissed.current = true;
    },
    frame(frame) {
      if (frame.event === 'run.cancelling') onCancelling(String(frame.data.run_id));
      change((now) => withEvent(now, frame, query.status));
    },
    change: () => refresh({ queryKey }),
  });
  const newest = useAnswer<RunRows>(
    queryKey,
    async (_client, signal) => {
      const isWhole = hasMissed.current;
      hasMissed.current = false;
      try {
        const rows = (): number => (isWhole ? (heldRows()?.rows.length ?? 0) : pageRows);
        const page = await readRuns(client, query, { rows, signal });
        return withNewest(isWhole ? null : heldRows(), page);
      } catch (error) {
        hasMissed.current ||= isWhole;
        throw error;
      }
    },
    {
      gcTime: keptMs,
      // Comparing all values of thousands of rows would take longer than drawing the visible rows.
      structuralSharing: false,
      refetchInterval: query.since === undefined && query.until === undefined ? false : minuteMs,
    },
  );
  const { chosen, choose } = useChosen(place);
  useScrollMemory(place, chosen);
  useEffect(() => {
    const isForgotten = (key: unknown): boolean => key !== place && key !== lastLeft?.place;
    answers.removeQueries({ queryKey: ['runs'], type: 'inactive', predicate: (each) => isForgotten(each.queryKey[1]) });
  }, [answers, place]);
  return {
    newest,
    cancel,
    chosen,
    choose,
    readOlder: async (cursor: string, signal: AbortSignal): Promise<void> => {
      const page = await client.call('listRuns', { query: { ...query, cursor, limit: olderPageRows }, signal });
      // If the list was read again meanwhile, it may end at another run. Then the runs between that run and this page
      // would be missing.
      change((now) => (now.cursor === cursor ? withOlder(now, page) : now));
    },
  };
}

/** An id of the current entry of the browser's history. Going back to the entry finds the same id. */
function placeInHistory(): string {
  const { state } = window.history;
  if (typeof state?.place === 'string') return state.place;
  const place = newKey();
  window.history.replaceState({ ...state, place }, '');
  return place;
}

let lastLeft: { readonly place: string; readonly scrolledPx: number; readonly chosen: ReadonlySet<string> } | null =
  null;

/** The runs that the user has selected. They are still selected after going back to the list. */
function useChosen(place: string) {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(() =>
    lastLeft?.place === place ? lastLeft.chosen : new Set(),
  );
  const choose = useCallback(
    (runIds: readonly string[], isChosen: boolean) =>
      setChosen((now) => {
        const changed = new Set(runIds);
        const others = [...now].filter((id) => !changed.has(id));
        return new Set(isChosen ? [...others, ...changed] : others);
      }),
    [],
  );
  return { chosen, choose };
}

/** Scrolls to where the user left the list. */
function useScrollMemory(place: string, chosen: ReadonlySet<string>): void {
  const latest = useRef({ scrolledPx: window.scrollY, chosen });
  latest.current.chosen = chosen;
  useEffect(() => {
    const note = (): void => {
      latest.current.scrolledPx = window.scrollY;
    };
    window.addEventListener('scroll', note, { passive: true });
    return () => window.removeEventListener('scroll', note);
  }, []);
  useEffect(() => {
    if (lastLeft?.place !== place) return undefined;
    const { scrolledPx } = lastLeft;
    // The new page takes the focus first, which scrolls to its top. So the old position is restored one frame later.
    const frame = requestAnimationFrame(() => window.scrollTo(0, scrolledPx));
    return () => cancelAnimationFrame(frame);
  }, [place]);
  useLayoutEffect(
    () => () => {
      // Stores the position that was measured last. The current position may be wrong, because the browser changes it
      // when parts above the table are removed.
      lastLeft = { place, ...latest.current };
    },
    [place],
  );
}

/**
 * Cancels runs. The server answers only when the processes are gone, which may take long. Before that, an event reports
 * that the cancel has begun.
 */
function useCancels() {
  const client = useClient();
  const cancelling = useRef(new Map<string, () => void>());
  return {
    /** Resolves as soon as the server has begun to cancel the run. */
    cancel: async (runId: string): Promise<void> => {
      const begun = new AbortController();
      cancelling.current.set(runId, () => begun.abort());
      try {
        await client.call('cancelRun', { path: { run_id: runId }, signal: begun.signal });
      } catch (error) {
        if (!begun.signal.aborted) throw error;
      } finally {
        cancelling.current.delete(runId);
      }
    },
    onCancelling: (runId: string) => cancelling.current.get(runId)?.(),
  };
}

/** Reads the newest runs: one page, or enough pages for `rows` rows. */
async function readRuns(
  client: Client,
  query: RunQuery,
  // `rows` is called after each page: the user may scroll to further rows meanwhile, and these must not be dropped.
  { rows, signal }: { readonly rows: () => number; readonly signal: AbortSignal },
): Promise<RunPage> {
  let page: RunPage = await client.call('listRuns', { query: { ...query, limit: pageRows }, signal });
  while (page.next_cursor !== null && page.runs.length < Math.min(rows(), mostReread)) {
    const older = { ...query, cursor: page.next_cursor, limit: olderPageRows };
    const next = await client.call('listRuns', { query: older, signal });
    page = { ...next, runs: [...page.runs, ...next.runs] };
  }
  return page;
}
