// Artifacts: a row for each, which promises a file in the blob store. One whose time is over is gone, row or file or not.

import type { FileHandle } from 'node:fs/promises';
import type { Kysely } from 'kysely';
import type { Clock } from '../../lib/clock.ts';
import { toTimestamp } from '../../lib/clock.ts';
import { parseCursor, toCursor } from '../cursor.ts';
import type { Database, Transaction } from '../database.ts';
import { toTimestampOrNull } from '../run/run-rows.ts';
import type { ArtifactRow, Schema } from '../schema.ts';
import { createArtifactRoom, type Room, type WantedFile } from './artifact-room.ts';
import type { Blob, BlobRequest, BlobStore } from './blobs.ts';

export type NewArtifact = Blob & {
  readonly runId: string;
  readonly jobId: string;
  readonly tenant: string;
  /** null: nobody can tell. */
  readonly stepId: string | null;
  readonly name: string;
  /** The logical path, `/workspace/…`. */
  readonly path: string;
  readonly mediaType: string;
  readonly createdAtMs: number;
  /** null: kept until its run is removed. */
  readonly expiresAtMs: number | null;
};

/** An artifact as the API answers it. */
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
  readonly name?: string;
  readonly limit: number;
  /** Artifacts to pass over; not looked at where there is a cursor. */
  readonly offset?: number;
  readonly cursor?: string;
};

export type ArtifactPage = {
  readonly artifacts: Artifact[];
  readonly total: number;
  readonly nextCursor: string | null;
};

export type ArtifactStore = {
  /**
   * Takes a regular file of a workspace into the blob store. No row yet: `add` or `discard` it.
   * @param o.mayLink the workspace goes next: its file may change owner and mode, and need not be copied
   */
  readonly stage: (hostPath: string | Buffer, o: BlobRequest) => Promise<Blob>;
  readonly discard: (staged: Pick<Blob, 'id'>) => Promise<void>;
  readonly add: (tx: Transaction, artifacts: readonly NewArtifact[]) => Promise<void>;
  /** Newest first, without those that are gone. @throws Problem validation-error when `cursor` is none */
  readonly list: (query: ArtifactListQuery) => Promise<ArtifactPage>;
  /** One of this tenant, or of any. */
  readonly get: (id: string, tenant?: string) => Promise<(Artifact & { readonly gone: boolean }) | undefined>;
  /** To be closed by the caller; undefined when the file is gone. */
  readonly openRead: (artifact: Pick<Artifact, 'id'>) => Promise<FileHandle | undefined>;
  /** Room for files that are about to be staged, within what all artifacts may take together. */
  readonly takeRoom: (files: readonly WantedFile[], quotaBytes: number) => Promise<Room>;
  /** Of all, without those that are gone. */
  readonly totals: () => Promise<{ readonly count: number; readonly bytes: number }>;
  /** Lets expire what was created before `createdBeforeMs`, up to `limit` at a time. @returns how many were looked at */
  readonly expire: (createdBeforeMs: number, nowMs: number, limit: number) => Promise<number>;
  /** Removes the files of up to `limit` whose time has passed at `nowMs`; their rows stay, to say that they are gone. */
  readonly removeExpired: (nowMs: number, limit: number) => Promise<{ seen: number; removed: number; bytes: number }>;
  /** Removes files whose rows go next. */
  readonly removeFiles: (files: readonly WantedFile[]) => Promise<{ removed: number; bytes: number }>;
  /** What `expire` and `removeExpired` would find. */
  readonly preview: (createdBeforeMs: number) => Promise<number>;
};

export function createArtifactStore(o: {
  readonly database: Database;
  readonly blobs: BlobStore;
  readonly clock: Clock;
}): ArtifactStore {
  const { blobs, clock } = o;
  const { read } = o.database;
  /** How far this process has come; a new one begins at the oldest again, and so does this one once the clock is set back. */
  let expiredUntil: { readonly created_at: number; readonly id: string } | undefined;
  let removedUntil: { readonly expires_at: number; readonly id: string } | undefined;
  let lastNowMs = Number.NEGATIVE_INFINITY;

  /** What is made after the clock was set back may be dated before the place that was reached. */
  function beginAgainIfSetBack(nowMs: number): void {
    if (nowMs < lastNowMs) {
      expiredUntil = undefined;
      removedUntil = undefined;
    }
    lastNowMs = nowMs;
  }

  async function removeFiles(files: readonly WantedFile[]): Promise<{ removed: number; bytes: number }> {
    let removed = 0;
    let bytes = 0;
    for (const { id, sizeBytes } of files) {
      if (!(await blobs.remove(id))) continue;
      removed += 1;
      bytes += sizeBytes;
    }
    return { removed, bytes };
  }

  /** Without those that are gone. */
  async function storedBytes(): Promise<number> {
    const gone = await read
      .selectFrom('artifacts')
      .select((eb) => eb.fn.sum<number | string | null>('size_bytes').as('bytes'))
      .where('expires_at', '<=', clock.now())
      .executeTakeFirstOrThrow();
    const all = await read
      .selectFrom('artifact_counts')
      .select((eb) => eb.fn.sum<number | string | null>('size_bytes').as('bytes'))
      .executeTakeFirstOrThrow();
    return Number(all.bytes ?? 0) - Number(gone.bytes ?? 0);
  }

  return {
    stage: blobs.take,
    async discard({ id }) {
      await blobs.remove(id);
    },

    add: addArtifacts,

    async list({ limit, offset = 0, cursor, ...filter }) {
      const nowMs = clock.now();
      let page = matching(read, filter)
        .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', nowMs)]))
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
    },

    async get(id, tenant) {
      const row = await matching(read, tenant === undefined ? {} : { tenant })
        .selectAll()
        .where('id', '=', id)
        .executeTakeFirst();
      if (!row) return undefined;
      return { ...toArtifact(row), gone: row.expires_at !== null && row.expires_at <= clock.now() };
    },

    openRead: ({ id }) => blobs.openRead(id),

    totals: async () => ({ count: await count(read, {}, clock.now()), bytes: await storedBytes() }),

    takeRoom: createArtifactRoom({ read, storedBytes }),

    async expire(createdBeforeMs, nowMs, limit) {
      beginAgainIfSetBack(nowMs);
      let query = read
        .selectFrom('artifacts')
        .select(['id', 'created_at', 'expires_at'])
        .where('created_at', '<', createdBeforeMs)
        .orderBy('created_at')
        .orderBy('id')
        .limit(limit);
      const after = expiredUntil;
      if (after)
        query = query.where((eb) => eb(eb.refTuple('created_at', 'id'), '>', eb.tuple(after.created_at, after.id)));
      const rows = await query.execute();
      const atMs = Math.min(nowMs, clock.now());
      const ids = rows.filter((row) => row.expires_at === null || row.expires_at > atMs).map(({ id }) => id);
      if (ids.length > 0) {
        await o.database.transact(async (tx) => {
          await tx.db.updateTable('artifacts').set({ expires_at: atMs }).where('id', 'in', ids).execute();
        });
      }
      expiredUntil = rows.at(-1) ?? expiredUntil;
      return rows.length;
    },

    async removeExpired(nowMs, limit) {
      beginAgainIfSetBack(nowMs);
      let query = read
        .selectFrom('artifacts')
        .select(['id', 'expires_at', 'size_bytes as sizeBytes'])
        .where('expires_at', '<=', nowMs)
        .orderBy('expires_at')
        .orderBy('id')
        .limit(limit);
      const after = removedUntil;
      if (after) {
        query = query
          .where('expires_at', '>=', after.expires_at)
          .where((eb) => eb(eb.refTuple('expires_at', 'id'), '>', eb.tuple(after.expires_at, after.id)));
      }
      const rows = await query.execute();
      const result = await removeFiles(rows);
      const last = rows.at(-1);
      if (last) removedUntil = { id: last.id, expires_at: last.expires_at ?? 0 };
      return { seen: rows.length, ...result };
    },

    removeFiles,

    async preview(createdBeforeMs) {
      const { count: found } = await read
        .selectFrom('artifacts')
        .select((eb) => eb.fn.countAll().as('count'))
        .where('created_at', '<', createdBeforeMs)
        .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', clock.now())]))
        .executeTakeFirstOrThrow();
      return Number(found);
    },
  };
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

type Filter = Pick<ArtifactListQuery, 'tenant' | 'runId' | 'jobId' | 'name'>;

function matching(db: Kysely<Schema>, { tenant, runId, jobId, name }: Filter) {
  let query = db.selectFrom('artifacts');
  if (tenant !== undefined) query = query.where('tenant', '=', tenant);
  if (runId !== undefined) query = query.where('run_id', '=', runId);
  if (jobId !== undefined) query = query.where('job_id', '=', jobId);
  if (name !== undefined) query = query.where('name', '=', name);
  return query;
}

/** All that match, from the counters where they cover the filter, less those that are gone. */
async function count(db: Kysely<Schema>, filter: Filter, nowMs: number): Promise<number> {
  const { tenant, runId, jobId, name } = filter;
  const gone = await matching(db, filter)
    .select((eb) => eb.fn.countAll().as('count'))
    .where('expires_at', '<=', nowMs)
    .executeTakeFirstOrThrow();
  let kept = db.selectFrom('artifact_counts').select((eb) => eb.fn.sum<number | string | null>('count').as('count'));
  if (tenant !== undefined) kept = kept.where('tenant', '=', tenant);
  if (jobId !== undefined) kept = kept.where('job_id', '=', jobId);
  const counted =
    runId === undefined && name === undefined
      ? kept
      : matching(db, filter).select((eb) => eb.fn.countAll().as('count'));
  const all = await counted.executeTakeFirstOrThrow();
  return Number(all.count ?? 0) - Number(gone.count);
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
