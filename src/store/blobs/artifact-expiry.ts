// Marks old artifacts as expired, and later removes their files. It works in small batches, the oldest first, and
// remembers how far it has come. In a new process, or after the clock was set back, it begins with the oldest artifact
// again.

import type { Clock } from '../../lib/clock.ts';
import type { Database } from '../database.ts';
import type { WantedFile } from './artifact-room.ts';
import type { BlobStore } from './blobs.ts';

export function createArtifactExpiry(o: {
  readonly database: Database;
  readonly blobs: Pick<BlobStore, 'remove'>;
  readonly clock: Clock;
}) {
  const { read } = o.database;
  let expiredUntil: { readonly created_at: number; readonly id: string } | undefined;
  let removedUntil: { readonly expires_at: number; readonly id: string } | undefined;
  let lastNowMs = Number.NEGATIVE_INFINITY;

  /** Begins again with the oldest artifact if the clock was set back, because new ones may have earlier times. */
  function beginAgainIfSetBack(nowMs: number): void {
    if (nowMs < lastNowMs) {
      expiredUntil = undefined;
      removedUntil = undefined;
    }
    lastNowMs = nowMs;
  }

  return {
    /**
     * Marks artifacts from before `createdBeforeMs` as expired.
     * @returns how many artifacts it looked at, at most `limit`
     */
    async expire(createdBeforeMs: number, nowMs: number, limit: number): Promise<number> {
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
      const atMs = Math.min(nowMs, o.clock.now());
      const ids = rows.filter((row) => row.expires_at === null || row.expires_at > atMs).map(({ id }) => id);
      if (ids.length > 0) {
        await o.database.transact(async (tx) => {
          await tx.db.updateTable('artifacts').set({ expires_at: atMs }).where('id', 'in', ids).execute();
        });
      }
      expiredUntil = rows.at(-1) ?? expiredUntil;
      return rows.length;
    },

    /**
     * Removes the files of up to `limit` artifacts that have expired at `nowMs`. The rows stay, so that the API can say
     * that the artifacts are gone.
     */
    async removeExpired(nowMs: number, limit: number): Promise<{ seen: number; removed: number; bytes: number }> {
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
      const result = await removeFiles(rows, o.blobs);
      const last = rows.at(-1);
      if (last) removedUntil = { id: last.id, expires_at: last.expires_at ?? 0 };
      return { seen: rows.length, ...result };
    },

    /** Removes the files of rows that the caller is about to delete. */
    removeFiles: (files: readonly WantedFile[]) => removeFiles(files, o.blobs),
  };
}

async function removeFiles(
  files: readonly WantedFile[],
  blobs: Pick<BlobStore, 'remove'>,
): Promise<{ removed: number; bytes: number }> {
  let removed = 0;
  let bytes = 0;
  for (const { id, sizeBytes } of files) {
    if (!(await blobs.remove(id))) continue;
    removed += 1;
    bytes += sizeBytes;
  }
  return { removed, bytes };
}
