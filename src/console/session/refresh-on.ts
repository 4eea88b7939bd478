// Refreshes an answer when an event says that it has changed, and when events may have been missed.

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
 * Refreshes answers about the runs under way. A run that was created and has ended since they were read is no change:
 * on a busy server most runs are short.
 */
export function useRefreshOnRuns(queryKey: QueryKey, settleMs: number): void {
  const answers = useQueryClient();
  const refresh = useRefresh();
  const seen = useRef({ created: new Set<unknown>(), sinceMs: Number.POSITIVE_INFINITY, hasChanged: false });
  const wasReadSince = (sinceMs: number): boolean =>
    answers
      .getQueryCache()
      .findAll({ queryKey })
      .some(({ state }) => state.fetchStatus === 'fetching' || state.dataUpdatedAt >= sinceMs);
  useRunEvents(
    { settleMs },
    {
      frame({ event, data: { run_id: id } }) {
        const { created } = seen.current;
        seen.current.sinceMs = Math.min(seen.current.sinceMs, Date.now());
        if (event === 'run.created') created.add(id);
        else if (event === 'run.finished' && created.has(id)) created.delete(id);
        else if (event.startsWith('run.') || event === 'step.waiting_approval') {
          seen.current.hasChanged ||= !created.has(id);
        }
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
