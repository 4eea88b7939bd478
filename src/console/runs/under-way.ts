// The runs that are running, and those that wait for their start: for the overview, and for the number beside "Runs".
// Events change both lists in place, and the server is asked only about runs that the lists do not know: the overview
// is open all day.

import type { Frame } from '../../client/resuming-stream.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { type Answer, useAnswer } from '../session/answers.tsx';
import { useRefreshOnRuns } from '../session/refresh-on.ts';

export type UnderWay = AnswerOf<'listRuns'>;
type Status = 'running' | 'pending';

const settleMs = 5_000;
const most = 50;
/** The events with which a run leaves the list. */
const leaving = { running: ['run.finished'], pending: ['run.started', 'run.finished'] } as const;

function keyOf(status: Status): readonly string[] {
  return ['under way', status];
}

/** Newest first, without the runs that a step of another run started. */
export function useUnderWay(status: Status, o: { readonly enabled?: boolean } = {}): Answer<UnderWay> {
  return useAnswer(
    keyOf(status),
    (client, signal) => client.call('listRuns', { query: { status, top_level: true, limit: most }, signal }),
    o,
  );
}

/** Keeps the list up to date. Call it once for each list. */
export function useUnderWayEvents(status: Status): void {
  useRefreshOnRuns<UnderWay>(keyOf(status), {
    settleMs,
    leaving: leaving[status],
    apply: (held, frame) => withEvent(held, frame, status),
  });
}

/** @returns null: only the server knows the list after this event */
export function withEvent(held: UnderWay, { event, data }: Frame, status: Status): UnderWay | null {
  const at = held.runs.findIndex(({ run_id: id }) => id === data.run_id);
  const run = held.runs[at];
  if (leaving[status].some((one) => one === event)) {
    // A run that is not in the list comes up.
    if (held.total > held.runs.length) return null;
    return run ? { ...held, runs: held.runs.toSpliced(at, 1), total: held.total - 1 } : held;
  }
  if (!run) return event === 'run.started' ? null : held;
  const { percent, message } = data;
  if (event === 'run.progress' && typeof percent === 'number' && typeof message === 'string')
    return { ...held, runs: held.runs.with(at, { ...run, progress: { percent, message } }) };
  const isAnswered = event === 'step.finished' && run.waiting_approval.length > 0;
  return isAnswered || event === 'step.waiting_approval' || event === 'run.waiting' ? null : held;
}
