// The runs that are running, and the runs that wait for their start. The overview shows them, and the sidebar shows
// their number beside "Runs". Events change both lists in place. The server is asked only about runs that the lists do
// not contain, because the overview is open all day.

import { type Answer, useAnswer } from '../session/answers.tsx';
import { useRefreshOnRuns } from '../session/refresh-on.ts';
import { leaving, type UnderWay, type UnderWayStatus, withUnderWayEvent } from './run-rows.ts';

const settleMs = 5_000;
const most = 50;

function keyOf(status: UnderWayStatus): readonly string[] {
  return ['under way', status];
}

/** Newest first, without the runs that a step of another run started. */
export function useUnderWay(status: UnderWayStatus, o: { readonly enabled?: boolean } = {}): Answer<UnderWay> {
  return useAnswer(
    keyOf(status),
    (client, signal) => client.call('listRuns', { query: { status, top_level: true, limit: most }, signal }),
    o,
  );
}

/** Keeps the list up to date. Call it once for each list. */
export function useUnderWayEvents(status: UnderWayStatus): void {
  useRefreshOnRuns<UnderWay>(keyOf(status), {
    settleMs,
    leaving: leaving[status],
    apply: (held, frame) => withUnderWayEvent(held, frame, status),
  });
}
