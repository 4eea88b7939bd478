// A growing list of runs: adds pages to it and applies events to its rows.

import type { Frame } from '../../client/resuming-stream.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { type ListedStatus, runStatuses } from '../../domain/run.ts';
import type { RunRow } from '../words.ts';

export type RunRows = {
  readonly rows: readonly RunRow[];
  /** null: there are no older runs. */
  readonly cursor: string | null;
  readonly total: number;
  readonly total_exact: boolean;
};

export type RunPage = Pick<AnswerOf<'listRuns'>, 'runs' | 'next_cursor' | 'total' | 'total_exact'>;

/** Replaces the newest rows with the newest page. The older rows stay after it. */
export function withNewest(held: RunRows | null, page: RunPage): RunRows {
  const fresh = new Set(page.runs.map(({ run_id: id }) => id));
  const last = page.runs.at(-1);
  const isOneList = held?.rows.some(({ run_id: id }) => fresh.has(id)) ?? false;
  if (!held || !isOneList || !last || page.next_cursor === null) {
    return { rows: page.runs, cursor: page.next_cursor, total: page.total, total_exact: page.total_exact };
  }
  // The rows after the last run of the page are older than the page.
  const at = held.rows.findIndex(({ run_id: id }) => id === last.run_id);
  if (at < 0) return { rows: page.runs, cursor: page.next_cursor, total: page.total, total_exact: page.total_exact };
  const older = held.rows.slice(at + 1).filter(({ run_id: id }) => !fresh.has(id));
  return {
    rows: [...page.runs, ...older],
    cursor: older.length > 0 ? held.cursor : page.next_cursor,
    total: page.total,
    total_exact: page.total_exact,
  };
}

export function withOlder(held: RunRows, page: RunPage): RunRows {
  // The set holds the ids of the page. A set of the held rows, which may be thousands, would take more memory.
  const ids = new Set(page.runs.map(({ run_id: id }) => id));
  for (const { run_id: id } of held.rows) ids.delete(id);
  return {
    rows: [...held.rows, ...page.runs.filter(({ run_id: id }) => ids.has(id))],
    cursor: page.next_cursor,
    total: page.total,
    total_exact: page.total_exact,
  };
}

/** Applies an event to the row of its run. In a list of one status, a run whose status changes leaves the list. */
export function withEvent(held: RunRows, { event, data }: Frame, wanted?: ListedStatus): RunRows {
  const status = runStatuses.find((one) => one === data.status);
  const at = event.startsWith('run.') ? held.rows.findIndex(({ run_id: id }) => id === data.run_id) : -1;
  const row = held.rows[at];
  if (!row || !status || row.status === status) return held;
  if (wanted !== undefined && status !== wanted) return { ...held, rows: held.rows.toSpliced(at, 1) };
  const timestamp = typeof data.timestamp === 'string' ? data.timestamp : new Date().toISOString();
  const changed: RunRow = {
    ...row,
    status,
    waiting: status === 'pending' ? row.waiting : null,
    waiting_approval: status === 'running' ? row.waiting_approval : [],
    started_at: event === 'run.started' ? timestamp : row.started_at,
    finished_at: event === 'run.finished' ? timestamp : row.finished_at,
  };
  return { ...held, rows: held.rows.with(at, changed) };
}

/** The first page of the runs of one status. */
export type UnderWay = AnswerOf<'listRuns'>;
export type UnderWayStatus = 'running' | 'pending';

/** The events with which a run leaves the list. */
export const leaving = { running: ['run.finished'], pending: ['run.started', 'run.finished'] } as const;

/** @returns null if the list has to be read again */
export function withUnderWayEvent(held: UnderWay, { event, data }: Frame, status: UnderWayStatus): UnderWay | null {
  const at = held.runs.findIndex(({ run_id: id }) => id === data.run_id);
  const run = held.runs[at];
  if (leaving[status].some((one) => one === event)) {
    // If the list does not hold all runs, the next run moves up when a run leaves. It has to be read from the server.
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
