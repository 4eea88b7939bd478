// The runs of a search, in the order in which they are searched. First come the runs that had not ended when the search
// began, newest first. Then come all other runs, in the order of their ends, the latest first. The order does not
// change while a client reads page after page.

import type { Kysely } from 'kysely';
import type { RunStatus } from '../../../domain/run.ts';
import type { Schema } from '../../schema.ts';

/** How far a search has come. All times are in milliseconds. */
export type SearchPosition = {
  /** When the search began. */
  readonly asOfMs: number;
  /** When the run at this position ended; null if it had not ended when the search began. */
  readonly endedMs: number | null;
  /** The last run that was searched; undefined at the beginning. */
  readonly runId?: string;
  /** The lines of `runId` before this one are not searched yet; undefined if the whole run was searched. */
  readonly beforeSeq?: number;
};

export type RunSelection = {
  readonly tenant?: string;
  readonly jobId?: string;
  readonly jobIds?: readonly string[];
  readonly status?: RunStatus;
  /** Leaves out runs that ended before this time, because they cannot have a line that is wanted. */
  readonly sinceMs?: number;
};

export type SearchedRun = { readonly id: string; readonly jobId: string; readonly endedMs: number | null };

/**
 * Returns the run at the position, with the position's `endedMs`. Returns undefined if the selection leaves the run
 * out.
 */
export async function searchedRun(
  db: Kysely<Schema>,
  { runId = '', endedMs }: SearchPosition,
  selection: RunSelection,
): Promise<SearchedRun | undefined> {
  const row = await db.selectFrom('runs').select(columns).where('id', '=', runId).executeTakeFirst();
  return row && wantedBy(selection)(row) ? { id: row.id, jobId: row.job_id, endedMs } : undefined;
}

/** How many runs are read from the database before other work can run. */
const runsAtATime = 250;

const columns = ['id', 'job_id', 'tenant', 'status', 'finished_at'] as const;

/** Yields the runs after a position, in slices. A slice may be empty, because a filter can rule out many runs. */
export async function* searchedRuns(
  db: Kysely<Schema>,
  position: SearchPosition,
  selection: RunSelection,
): AsyncGenerator<{ readonly runs: readonly SearchedRun[]; readonly end: SearchPosition }> {
  const { asOfMs } = position;
  const isWanted = wantedBy(selection);
  if (position.endedMs === null) {
    const open = (await openRuns(db, position, selection)).filter(isWanted);
    const runs = open.map((row) => ({ id: row.id, jobId: row.job_id, endedMs: null }));
    yield { runs, end: { asOfMs, endedMs: asOfMs } };
  }
  let below: SearchPosition = position.endedMs === null ? { asOfMs, endedMs: asOfMs } : position;
  for (;;) {
    const rows = await endedRuns(db, below, selection).execute();
    const last = rows.at(-1);
    if (!last) return;
    below = { asOfMs, endedMs: last.finished_at, runId: last.id };
    yield {
      runs: rows.filter(isWanted).map((row) => ({ id: row.id, jobId: row.job_id, endedMs: row.finished_at })),
      end: below,
    };
    if (rows.length < runsAtATime) return;
  }
}

type Row = { readonly job_id: string; readonly tenant: string; readonly status: RunStatus };

function wantedBy({ tenant, jobId, jobIds, status }: RunSelection): (row: Row) => boolean {
  const jobs = jobIds && new Set(jobIds);
  return (row) =>
    (tenant === undefined || row.tenant === tenant) &&
    (jobId === undefined || row.job_id === jobId) &&
    (jobs === undefined || jobs.has(row.job_id)) &&
    (status === undefined || row.status === status);
}

/**
 * Returns the runs that had not ended when the search began, newest first. Pending runs are left out, because they have
 * no log.
 */
async function openRuns(db: Kysely<Schema>, { asOfMs, runId }: SearchPosition, { tenant }: RunSelection) {
  const running = ofTenant(db, tenant).where('status', '=', 'running');
  const ended = ofTenant(db, tenant).where('finished_at', '>', asOfMs).where('created_at', '<=', asOfMs);
  const rows = await running.unionAll(ended).execute();
  // This also leaves out runs that were created after the search began. Their ids are greater than the id of any
  // position.
  return rows.filter(({ id }) => runId === undefined || id < runId).toSorted((a, b) => (a.id < b.id ? 1 : -1));
}

/** Selects the next runs in the order of their ends, the latest first. */
export function endedRuns(
  db: Kysely<Schema>,
  { endedMs, runId }: SearchPosition,
  { tenant, sinceMs = 0 }: RunSelection,
) {
  const from = endedMs ?? 0;
  const runs = ofTenant(db, tenant).where('finished_at', '>=', sinceMs);
  const below =
    runId === undefined
      ? runs.where('finished_at', '<=', from)
      : runs.where((eb) => eb(eb.refTuple('finished_at', 'id'), '<', eb.tuple(from, runId)));
  return below.orderBy('finished_at', 'desc').orderBy('id', 'desc').limit(runsAtATime);
}

/** Only the tenant is part of the query, because there is an index of a tenant's runs in the order of their ends. */
function ofTenant(db: Kysely<Schema>, tenant: string | undefined) {
  const runs = db.selectFrom('runs').select(columns);
  return tenant === undefined ? runs : runs.where('tenant', '=', tenant);
}
