// Divides the disk space for artifacts among runs that end at the same time. The space for the files of a run stays
// reserved until their rows exist. So no two runs get the same space.

import type { Kysely } from 'kysely';
import type { Schema } from '../schema.ts';

export type WantedFile = { readonly id: string; readonly sizeBytes: number };

export type Room =
  /** The space is reserved until the rows of the files exist. If the files are not stored, call `giveBack`. */
  | { readonly kind: 'taken'; readonly giveBack: () => void }
  /**
   * There is not enough space. `id` is the first file that does not fit, and `usedBytes` is the size of all other
   * artifacts.
   */
  | { readonly kind: 'full'; readonly id: string; readonly usedBytes: number };

export function createArtifactRoom(o: {
  readonly read: Kysely<Schema>;
  readonly storedBytes: () => Promise<number>;
}): (files: readonly WantedFile[], quotaBytes: number) => Promise<Room> {
  /**
   * The reserved bytes, by the id of the first file of each reservation. All rows of a run are added in one
   * transaction, so once the first file has a row, all files have one.
   */
  const held = new Map<string, number>();

  async function forgetStored(): Promise<void> {
    if (held.size === 0) return;
    const rows = await o.read
      .selectFrom('artifacts')
      .select('id')
      .where('id', 'in', [...held.keys()])
      .execute();
    for (const { id } of rows) held.delete(id);
  }

  return async (files, quotaBytes) => {
    const [first] = files;
    if (!first) return { kind: 'taken', giveBack: () => undefined };
    await forgetStored();
    // Reads the stored size after `forgetStored`. Rows that are added in between count twice, as stored and as
    // reserved, which is safe.
    const storedBytes = await o.storedBytes();
    const usedBytes = [...held.values()].reduce((sum, bytes) => sum + bytes, storedBytes);
    let takenBytes = 0;
    for (const { id, sizeBytes } of files) {
      takenBytes += sizeBytes;
      if (usedBytes + takenBytes > quotaBytes) return { kind: 'full', id, usedBytes };
    }
    held.set(first.id, takenBytes);
    return { kind: 'taken', giveBack: () => void held.delete(first.id) };
  };
}
