// Refreshes an answer when an event says that the answer has changed, and when events may have been missed.

import { type QueryKey, useQueryClient } from '@tanstack/react-query';
import { useRef } from 'react';
import type { Frame } from '../../client/resuming-stream.ts';
import { useRefresh } from './answers.tsx';
import { useRunEvents } from './streams.ts';

export function useRefreshOn(
  queryKey: QueryKey,
  isTelling: (frame: Frame) => boolean,
  o: { readonly settleMs?: number } = {},
): void {
  const refresh = useRefresh();
  const hasChanged = useRef(false);
  useRunEvents(o, {
    frame(frame) {
      hasChanged.current ||= isTelling(frame);
    },
    open() {
      hasChanged.current = true;
    },
    change() {
      if (hasChanged.current) refresh({ queryKey });
      hasChanged.current = false;
    },
  });
}

/**
 * Keeps a list of runs under way up to date. Most runs on a busy server are short, so a run that enters and leaves the
 * list within one burst of events does not cause another read.
 */
export function useRefreshOnRuns<List>(
  queryKey: QueryKey,
  o: {
    readonly settleMs: number;
    /** The events with which a run leaves the list. */
    readonly leaving: readonly string[];
    /**
     * Called for an event of a run that was created before the current burst of events.
     * @returns the list after the event; null: it has to be read again
     */
    readonly apply: (held: List, frame: Frame) => List | null;
  },
): void {
  const answers = useQueryClient();
  const refresh = useRefresh();
  const seen = useRef({ created: new Set<unknown>(), sinceMs: Number.POSITIVE_INFINITY, hasChanged: false });
  const stateOf = () => answers.getQueryState<List>(queryKey);
  const wasReadSince = (sinceMs: number): boolean => {
    const state = stateOf();
    return state !== undefined && (state.fetchStatus === 'fetching' || state.dataUpdatedAt >= sinceMs);
  };
  /** @returns whether the event could be applied to the list */
  const isApplied = (frame: Frame): boolean => {
    const { data: held, dataUpdatedAt: updatedAt } = stateOf() ?? {};
    const next = held === undefined ? null : o.apply(held, frame);
    // The list is changed without a read from the server, so it keeps the time of its last read.
    if (next !== null && next !== held) answers.setQueryData<List>(queryKey, next, updatedAt ? { updatedAt } : {});
    return next !== null;
  };
  useRunEvents(
    { settleMs: o.settleMs },
    {
      frame(frame) {
        const { created } = seen.current;
        const id = frame.data.run_id;
        seen.current.sinceMs = Math.min(seen.current.sinceMs, Date.now());
        if (frame.event === 'run.created') created.add(id);
        else if (!created.has(id)) seen.current.hasChanged = !isApplied(frame) || seen.current.hasChanged;
        else if (o.leaving.includes(frame.event)) created.delete(id);
      },
      open() {
        seen.current.hasChanged = true;
      },
      change() {
        const { created, sinceMs, hasChanged } = seen.current;
        seen.current = { created: new Set(), sinceMs: Number.POSITIVE_INFINITY, hasChanged: false };
        if (hasChanged || created.size > 0 || wasReadSince(sinceMs)) refresh({ queryKey });
      },
    },
  );
}
