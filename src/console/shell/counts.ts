// The numbers beside the names of pages. Events of runs refresh them, at most every two seconds.

import { useRef } from 'react';
import { useAnswer, useRefresh } from '../session/answers.tsx';
import { useScopes } from '../session/scopes.ts';
import { useRunEvents } from '../session/streams.ts';

const settleMs = 2_000;
const telling = new Set(['run.created', 'run.started', 'run.finished']);

/** How many runs are running; undefined while that is not known. */
export function useRunningCount(): number | undefined {
  const refresh = useRefresh();
  const queryKey = ['running count'];
  const enabled = useScopes()('runs:read') === true;
  const hasChanged = useRef(false);
  useRunEvents(
    { settleMs },
    {
      frame({ event }) {
        hasChanged.current ||= telling.has(event);
      },
      open() {
        hasChanged.current = true;
      },
      change() {
        if (hasChanged.current) refresh({ queryKey });
        hasChanged.current = false;
      },
    },
  );
  return useAnswer(
    queryKey,
    (client, signal) => client.call('listRuns', { query: { status: 'running', limit: 1 }, signal }),
    { enabled },
  ).data?.total;
}
