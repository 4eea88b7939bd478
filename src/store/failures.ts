// Failures of jobs, in groups. Whenever a run ends, the same transaction updates the groups (ADR 0071).

import { type Kysely, sql } from 'kysely';
import type { Failure, FailureState } from '../domain/outcome/failure.ts';
import type { RunReason, RunStatus } from '../domain/run.ts';
import { parseCursor, toCursor } from './cursor.ts';
import type { Database } from './database.ts';
import { fingerprintOf } from './failure-fingerprint.ts';
import { prepareQuery } from './prepared-query.ts';
import type { RunDetails } from './run/run-rows.ts';
import type { FailureRow, Schema } from './schema.ts';

export type FailureQuery = {
  readonly tenant?: string;
  readonly jobId?: string;
  readonly jobIds?: readonly string[];
  readonly states?: readonly FailureState[];
  readonly fingerprint?: string;
  readonly limit: number;
  readonly cursor?: string;
};

export type FailureStore = ReturnType<typeof createFailureStore>;

const mostSampleChars = 500;

export function createFailureStore({ read, transact }: Database) {
  return {
    /**
     * Lists the groups, sorted by the time of their last failure, newest first.
     * @throws Problem validation-error for a malformed cursor
     */
    async list(asked: FailureQuery): Promise<{ failures: readonly Failure[]; nextCursor: string | null }> {
      const { limit, cursor, tenant, jobId, jobIds, states, fingerprint } = asked;
      const after = cursor === undefined ? undefined : parseCursor(cursor);
      let query = read.selectFrom('failures').selectAll();
      if (tenant !== undefined) query = query.where('tenant', '=', tenant);
      if (jobId !== undefined) query = query.where('job_id', '=', jobId);
      if (jobIds) query = query.where('job_id', 'in', jobIds);
      if (states) query = query.where('state', 'in', states);
      if (fingerprint !== undefined) query = query.where('fingerprint', '=', fingerprint);
      if (after)
        query = query.where((eb) => eb(eb.refTuple('last_at', 'last_run'), '<', eb.tuple(after.createdAtMs, after.id)));
      const rows = await query
        .orderBy('last_at', 'desc')
        .orderBy('last_run', 'desc')
        .limit(limit + 1)
        .execute();
      const shown = rows.slice(0, limit);
      const last = shown.at(-1);
      const hasMore = rows.length > limit && last;
      return {
        failures: shown.map(toFailure),
        nextCursor: hasMore ? toCursor({ createdAtMs: last.last_at, id: last.last_run }) : null,
      };
    },

    /**
     * Removes groups whose last failure was before `beforeMs`.
     * @returns how many, at most `limit`
     */
    async removeOld(beforeMs: number, limit: number): Promise<number> {
      const old = await read
        .selectFrom('failures')
        .select(['tenant', 'job_id', 'fingerprint'])
        .where('last_at', '<', beforeMs)
        .limit(limit)
        .execute();
      if (old.length === 0) return 0;
      await transact(async ({ db }) => {
        // The failure may have occurred again since the groups were read.
        for (const one of old)
          await db
            .deleteFrom('failures')
            .where((eb) => eb.and(one))
            .where('last_at', '<', beforeMs)
            .execute();
      });
      return old.length;
    },
  };
}

type Ended = {
  readonly id: string;
  readonly job_id: string;
  readonly tenant: string;
  readonly status: RunStatus;
  readonly reason: RunReason | null;
  readonly message: string | undefined;
  readonly finished_at: number;
};

const addFailure = prepareQuery((db, row: Omit<FailureRow, 'state' | 'count'>) =>
  db
    .insertInto('failures')
    .values({ ...row, state: 'open', count: 1 })
    .onConflict((conflict) =>
      conflict.columns(['tenant', 'job_id', 'fingerprint']).doUpdateSet((eb) => ({
        sample: eb.ref('excluded.sample'),
        state: eb
          .case()
          .when('failures.state', '=', 'fixed')
          .then(eb.val('regressed' as const))
          .else(eb.ref('failures.state'))
          .end(),
        count: eb('failures.count', '+', 1),
        last_run: eb.ref('excluded.last_run'),
        last_at: eb.ref('excluded.last_at'),
      })),
    ),
);

/**
 * The most groups that one success marks as fixed, so that the change does not take long. The next success marks more.
 */
const mostFixed = 1_000;
/** The value is written into the condition, because SQLite otherwise would not use the index of unfixed failures. */
const isUnfixed = sql<boolean>`state <> 'fixed'`;

const fixFailures = prepareQuery((db, { tenant, jobId, runId }: { tenant: string; jobId: string; runId: string }) =>
  db
    .updateTable('failures')
    .set({ state: 'fixed' })
    .where('tenant', '=', tenant)
    .where('job_id', '=', jobId)
    .where('fingerprint', 'in', (eb) =>
      eb
        .selectFrom('failures')
        .select('fingerprint')
        .where('tenant', '=', tenant)
        .where('job_id', '=', jobId)
        .where(isUnfixed)
        .where('last_run', '<', runId)
        .limit(mostFixed),
    ),
);

const selectDetails = prepareQuery((db, { id }: { id: string }) =>
  db.selectFrom('runs').select('details').where('id', '=', id),
);

async function revisionOf(db: Kysely<Schema>, id: string): Promise<string | null> {
  const [row] = await selectDetails(db, { id });
  if (!row) return null;
  const { source }: Pick<RunDetails, 'source'> = JSON.parse(row.details);
  return source.revision;
}

/**
 * If the run failed, counts it in the group of its failure. If it succeeded, marks the job's failures as fixed, except
 * those of runs that were created later.
 */
export async function countFailure(db: Kysely<Schema>, run: Ended): Promise<void> {
  const { tenant, job_id: jobId, status } = run;
  if (status === 'success') return void (await fixFailures(db, { tenant, jobId, runId: run.id }));
  if (status !== 'failed') return;
  const { reason, message } = failureOf(run);
  await addFailure(db, {
    tenant,
    job_id: jobId,
    fingerprint: fingerprintOf({ reason, message }),
    reason,
    sample: message.slice(0, mostSampleChars).toWellFormed(),
    first_run: run.id,
    first_at: run.finished_at,
    first_revision: await revisionOf(db, run.id),
    last_run: run.id,
    last_at: run.finished_at,
  });
}

/** Returns the parts of a run from which its fingerprint is computed. */
export function failureOf({ reason, message = '' }: Pick<Ended, 'reason' | 'message'>) {
  return { reason: reason ?? 'exit', message };
}

function toFailure(row: FailureRow): Failure {
  return {
    jobId: row.job_id,
    tenant: row.tenant,
    fingerprint: row.fingerprint,
    reason: row.reason,
    sample: row.sample,
    state: row.state,
    count: row.count,
    firstRunId: row.first_run,
    firstAtMs: row.first_at,
    firstRevision: row.first_revision,
    lastRunId: row.last_run,
    lastAtMs: row.last_at,
  };
}
