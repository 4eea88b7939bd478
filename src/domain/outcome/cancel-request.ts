// Who requested the cancel of a run: a principal or another run (ADR 0080).

import type { Run } from '../run.ts';

const prefix = 'run:';

/** The name that another run has as the requester. No principal has such a name. */
export function runAsRequester(runId: string): string {
  return `${prefix}${runId}`;
}

/** For example ` by mara`, or ` by the newer run run_01…`. Empty if nobody requested it, or it is not known who did. */
export function byRequester({ cancel_requested_by: by, parent }: Pick<Run, 'cancel_requested_by' | 'parent'>): string {
  if (by === null) return '';
  if (!by.startsWith(prefix)) return ` by ${by}`;
  const runId = by.slice(prefix.length);
  return ` by ${runId === parent?.run_id ? 'its parent run' : 'the newer run'} ${runId}`;
}
