// The room that artifacts may take together. Runs that end at once share it: what one takes is held until its rows are
// there, so that two never fill the same room.

import type { Kysely } from 'kysely';
import type { Schema } from '../schema.ts';

export type WantedFile = { readonly id: string; readonly sizeBytes: number };

export type Room =
  /** Counted from now on. `giveBack` where nothing comes of it; once the rows are there, they count instead. */
  | { readonly kind: 'taken'; readonly giveBack: () => void }
  /** The first file that does not fit, and how many bytes the artifacts took without these files. */
  | { readonly kind: 'full'; readonly id: string; readonly usedBytes: number };

export function createArtifactRoom(o: {
  readonly read: Kysely<Schema>;
  readonly storedBytes: () => Promise<number>;
}): (files: readonly WantedFile[], quotaBytes: number) => Promise<Room> {
  /** By the first file of each: the rows of a run are added together. */
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
    // Read last: rows that come meanwhile are counted twice, never not at all.
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
