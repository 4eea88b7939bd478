// Artifacts. Each has a row in the database and a file in the blob store. An expired artifact counts as gone, even
// while its row or its file still exists.

import type { FileHandle } from 'node:fs/promises';
import type { ExpressionBuilder, Kysely } from 'kysely';
import type { Clock } from '../../lib/clock.ts';
import { toTimestamp } from '../../lib/clock.ts';
import { parseCursor, toCursor } from '../cursor.ts';
import type { Database, Transaction } from '../database.ts';
import { countRows, given } from '../query-parts.ts';
import { toTimestampOrNull } from '../run/run-rows.ts';
import type { ArtifactRow, Schema } from '../schema.ts';
import { createArtifactExpiry } from './artifact-expiry.ts';
import { createArtifactRoom } from './artifact-room.ts';
import type { Blob, BlobStore } from './blobs.ts';

export type NewArtifact = Blob & {
  readonly runId: string;
  readonly jobId: string;
  readonly tenant: string;
  /** null if the step is unknown. */
  readonly stepId: string | null;
  readonly name: string;
  /** The path that the job used, such as `/workspace/report.pdf`. */
  readonly path: string;
  readonly mediaType: string;
  readonly createdAtMs: number;
  /** null if the artifact is kept until its run is removed. */
  readonly expiresAtMs: number | null;
};

/** An artifact as the API returns it. */
export type Artifact = {
  readonly id: string;
  readonly run_id: string;
  readonly name: string;
  readonly path: string;
  readonly media_type: string;
  readonly size_bytes: number;
  readonly created_at: string;
  readonly sha256: string;
  readonly step_id: string | null;
  readonly job_id: string;
  readonly tenant: string;
  readonly expires_at: string | null;
};

export type ArtifactListQuery = {
  readonly tenant?: string;
  readonly runId?: string;
  readonly jobId?: string;
  readonly jobIds?: readonly string[];
  readonly name?: string;
  readonly limit: number;
  /** How many artifacts to skip. It is ignored if there is a cursor. */
  readonly offset?: number;
  readonly cursor?: string;
};

export type ArtifactPage = {
  readonly artifacts: Artifact[];
  readonly total: number;
  readonly nextCursor: string | null;
};

export type ArtifactStore = ReturnType<typeof createArtifactStore>;

export function createArtifactStore(o: {
  readonly database: Database;
  readonly blobs: BlobStore;
  readonly clock: Clock;
}) {
  const { blobs, clock } = o;
  const { read } = o.database;
  const storedBytes = () => sumBytes(read, clock.now());

  return {
    /**
     * Stores a regular file of a workspace in the blob store, but adds no row. Call `add` or `discard` next.
     * @param o.mayLink true if the workspace is removed afterwards. Then the file itself may become the blob, with
     * another owner and mode.
     */
    stage: blobs.take,
    async discard({ id }: Pick<Blob, 'id'>): Promise<void> {
      await blobs.remove(id);
    },

    add: addArtifacts,
    /**
     * Lists the artifacts that have not expired, newest first.
     * @throws Problem validation-error for a malformed cursor
     */
    list: (query: ArtifactListQuery): Promise<ArtifactPage> => listArtifacts(read, query, clock.now()),

    /** Finds an artifact. Without a tenant, it may belong to any tenant. */
    async get(id: string, tenant?: string): Promise<(Artifact & { readonly gone: boolean }) | undefined> {
      const columns = given({ id, tenant });
      const query = read.selectFrom('artifacts').selectAll();
      const row = await query.where((eb) => eb.and(columns)).executeTakeFirst();
      if (!row) return undefined;
      return { ...toArtifact(row), gone: row.expires_at !== null && row.expires_at <= clock.now() };
    },

    /** Opens the file. The caller closes it. Returns undefined if the file no longer exists. */
    openRead: ({ id }: Pick<Artifact, 'id'>): Promise<FileHandle | undefined> => blobs.openRead(id),
    /** Counts the artifacts of all tenants that have not expired. */
    totals: async (): Promise<{ readonly count: number; readonly bytes: number }> => ({
      count: await count(read, {}, clock.now()),
      bytes: await storedBytes(),
    }),
    /** Reserves space for files that are about to be stored, within the quota for all artifacts. */
    takeRoom: createArtifactRoom({ read, storedBytes }),
    ...createArtifactExpiry(o),

    /** Returns how many artifacts `expire` and `removeExpired` would find. */
    preview(createdBeforeMs: number): Promise<number> {
      const old = read.selectFrom('artifacts').where('created_at', '<', createdBeforeMs);
      return countRows(old.where(isNotExpired(clock.now())));
    },
  };
}

async function listArtifacts(
  read: Kysely<Schema>,
  { limit, offset = 0, cursor, ...filter }: ArtifactListQuery,
  nowMs: number,
): Promise<ArtifactPage> {
  let page = matching(read, filter)
    .where(isNotExpired(nowMs))
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1);
  if (cursor === undefined) page = page.offset(offset);
  else {
    const after = parseCursor(cursor);
    page = page.where((eb) => eb(eb.refTuple('created_at', 'id'), '<', eb.tuple(after.createdAtMs, after.id)));
  }
  const rows = await page.selectAll().execute();
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    artifacts: shown.map(toArtifact),
    total: await count(read, filter, nowMs),
    nextCursor: rows.length > limit && last ? toCursor({ createdAtMs: last.created_at, id: last.id }) : null,
  };
}

function isNotExpired(nowMs: number) {
  return (eb: ExpressionBuilder<Schema, 'artifacts'>) =>
    eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', nowMs)]);
}

/**
 * Returns the size of all artifacts that have not expired: the sum of the counters minus the sizes in the expired rows.
 */
async function sumBytes(read: Kysely<Schema>, nowMs: number): Promise<number> {
  const gone = await read
    .selectFrom('artifacts')
    .select((eb) => eb.fn.sum<number | string | null>('size_bytes').as('bytes'))
    .where('expires_at', '<=', nowMs)
    .executeTakeFirstOrThrow();
  const all = await read
    .selectFrom('artifact_counts')
    .select((eb) => eb.fn.sum<number | string | null>('size_bytes').as('bytes'))
    .executeTakeFirstOrThrow();
  return Number(all.bytes ?? 0) - Number(gone.bytes ?? 0);
}

export async function addArtifacts(tx: Transaction, artifacts: readonly NewArtifact[]): Promise<void> {
  for (const artifact of artifacts) {
    await tx.db.insertInto('artifacts').values(toRow(artifact)).execute();
    await tx.db
      .insertInto('artifact_counts')
      .values({ tenant: artifact.tenant, job_id: artifact.jobId, count: 1, size_bytes: artifact.sizeBytes })
      .onConflict((conflict) =>
        conflict.columns(['tenant', 'job_id']).doUpdateSet((eb) => ({
          count: eb('artifact_counts.count', '+', 1),
          size_bytes: eb('artifact_counts.size_bytes', '+', eb.ref('excluded.size_bytes')),
        })),
      )
      .execute();
  }
}

type Filter = Pick<ArtifactListQuery, 'tenant' | 'runId' | 'jobId' | 'jobIds' | 'name'>;

function matching(db: Kysely<Schema>, { tenant, runId, jobId, jobIds, name }: Filter) {
  const columns = given({ tenant, run_id: runId, job_id: jobId, name });
  const found = db.selectFrom('artifacts').where((eb) => eb.and(columns));
  return jobIds === undefined ? found : found.where('job_id', 'in', jobIds);
}

/** Sums the counters if they cover the filter, and subtracts the artifacts that have expired. */
async function count(db: Kysely<Schema>, filter: Filter, nowMs: number): Promise<number> {
  const { tenant, runId, jobId, jobIds, name } = filter;
  const gone = await countRows(matching(db, filter).where('expires_at', '<=', nowMs));
  if (runId !== undefined || name !== undefined) return (await countRows(matching(db, filter))) - gone;
  const all = await db
    .selectFrom('artifact_counts')
    .select((eb) => eb.fn.sum<number | string | null>('count').as('count'))
    .where((eb) => eb.and(given({ tenant, job_id: jobId })))
    .$if(jobIds !== undefined, (query) => query.where('job_id', 'in', jobIds ?? []))
    .executeTakeFirstOrThrow();
  return Number(all.count ?? 0) - gone;
}

function toRow(artifact: NewArtifact): ArtifactRow {
  return {
    id: artifact.id,
    run_id: artifact.runId,
    job_id: artifact.jobId,
    step_id: artifact.stepId,
    tenant: artifact.tenant,
    name: artifact.name,
    path: artifact.path,
    media_type: artifact.mediaType,
    size_bytes: artifact.sizeBytes,
    sha256: artifact.sha256,
    created_at: artifact.createdAtMs,
    expires_at: artifact.expiresAtMs,
  };
}

function toArtifact(row: ArtifactRow): Artifact {
  return {
    id: row.id,
    run_id: row.run_id,
    name: row.name,
    path: row.path,
    media_type: row.media_type,
    size_bytes: row.size_bytes,
    created_at: toTimestamp(row.created_at),
    sha256: row.sha256,
    step_id: row.step_id,
    job_id: row.job_id,
    tenant: row.tenant,
    expires_at: toTimestampOrNull(row.expires_at),
  };
}
