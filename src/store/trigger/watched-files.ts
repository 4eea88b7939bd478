// Stores which files were dealt with in the folders that triggers follow (ADR 0075). A stamp stands for one version of
// a file.

import type { Database, Transaction } from '../database.ts';

type WatchedFile = { readonly name: string; readonly stamp: string };

export type WatchedFileStore = ReturnType<typeof createWatchedFileStore>;

/** How many files one statement has: few enough for its variables. */
const atOnce = 200;

export function createWatchedFileStore({ read, transact }: Database) {
  return {
    /** The files that were there when the folder was last read; undefined if it was never read. */
    async present(folderId: string): Promise<ReadonlyMap<string, string> | undefined> {
      const folder = await read
        .selectFrom('watched_folders')
        .select('id')
        .where('id', '=', folderId)
        .executeTakeFirst();
      if (!folder) return undefined;
      const rows = await read
        .selectFrom('watched_files')
        .select(['name', 'stamp'])
        .where('folder_id', '=', folderId)
        .where('gone_at', 'is', null)
        .execute();
      return new Map(rows.map(({ name, stamp }) => [name, stamp]));
    },

    /** The stamps of the names that are known, including files that have gone since. */
    async stamps(folderId: string, names: readonly string[]): Promise<ReadonlyMap<string, string>> {
      const known = new Map<string, string>();
      for (const some of inParts(names)) {
        const rows = await read
          .selectFrom('watched_files')
          .select(['name', 'stamp'])
          .where('folder_id', '=', folderId)
          .where('name', 'in', some)
          .execute();
        for (const { name, stamp } of rows) known.set(name, stamp);
      }
      return known;
    },

    /** Notes that the folder was read. */
    async look(tx: Transaction, folderId: string, atMs: number): Promise<void> {
      await tx.db
        .insertInto('watched_folders')
        .values({ id: folderId, looked_at: atMs })
        .onConflict((conflict) => conflict.column('id').doUpdateSet({ looked_at: atMs }))
        .execute();
    },

    /** Notes files as dealt with. @returns how many were not noted in this version yet */
    async note(tx: Transaction, folderId: string, files: readonly WatchedFile[]): Promise<number> {
      let added = 0;
      for (const some of inParts(files)) {
        const rows = await tx.db
          .insertInto('watched_files')
          .values(some.map(({ name, stamp }) => ({ folder_id: folderId, name, stamp, gone_at: null })))
          .onConflict((conflict) =>
            conflict
              .columns(['folder_id', 'name'])
              .doUpdateSet((eb) => ({ stamp: eb.ref('excluded.stamp'), gone_at: null }))
              .whereRef('watched_files.stamp', '!=', 'excluded.stamp'),
          )
          .returning('name')
          .execute();
        added += rows.length;
      }
      return added;
    },

    /** Notes that files which had gone are back, unchanged. */
    noteBack: (tx: Transaction, folderId: string, names: readonly string[]): Promise<void> =>
      setGone(tx, folderId, names, null),
    noteGone: setGone,

    /** Forgets files that had gone before `beforeMs`. @returns how many, at most `limit` */
    removeGone: (beforeMs: number, limit: number): Promise<number> => removeGone({ read, transact }, beforeMs, limit),
    /** Forgets folders that were last read before `beforeMs`. @returns how many, at most `limit` */
    removeFolders: (beforeMs: number, limit: number): Promise<number> =>
      removeFolders({ read, transact }, beforeMs, limit),
  };
}

type Access = Pick<Database, 'read' | 'transact'>;

async function removeGone({ read, transact }: Access, beforeMs: number, limit: number): Promise<number> {
  const old = read
    .selectFrom('watched_files')
    .select(['folder_id', 'name'])
    .where('gone_at', '<', beforeMs)
    .limit(limit)
    .$asTuple('folder_id', 'name');
  const deleting = (tx: Transaction) =>
    tx.db
      .deleteFrom('watched_files')
      .where((eb) => eb(eb.refTuple('folder_id', 'name'), 'in', old))
      .executeTakeFirst();
  return Number((await transact(deleting)).numDeletedRows);
}

async function removeFolders({ read, transact }: Access, beforeMs: number, limit: number): Promise<number> {
  const old = await read
    .selectFrom('watched_folders')
    .select('id')
    .where('looked_at', '<', beforeMs)
    .limit(limit)
    .execute();
  if (old.length === 0) return 0;
  const ids = old.map(({ id }) => id);
  await transact(async (tx) => {
    await tx.db.deleteFrom('watched_files').where('folder_id', 'in', ids).execute();
    await tx.db.deleteFrom('watched_folders').where('id', 'in', ids).execute();
  });
  return old.length;
}

async function setGone(
  tx: Transaction,
  folderId: string,
  names: readonly string[],
  atMs: number | null,
): Promise<void> {
  for (const some of inParts(names)) {
    await tx.db
      .updateTable('watched_files')
      .set({ gone_at: atMs })
      .where('folder_id', '=', folderId)
      .where('name', 'in', some)
      .execute();
  }
}

function* inParts<T>(all: readonly T[]): Generator<T[]> {
  for (let at = 0; at < all.length; at += atOnce) yield all.slice(at, at + atOnce);
}
