// Stores which files in the folders of triggers were handled (ADR 0075). Each version of a file has a stamp.

import type { Database, Transaction } from '../database.ts';

type WatchedFile = { readonly name: string; readonly stamp: string };

export type WatchedFileStore = ReturnType<typeof createWatchedFileStore>;

/** How many files one statement contains. There is a limit on the variables of a statement. */
const atOnce = 200;

export function createWatchedFileStore({ read, transact }: Database) {
  return {
    /** Returns the files that existed when the folder was last read; undefined if it was never read. */
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

    /** Returns the stored stamps of the files with these names. Files that no longer exist have stamps, too. */
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

    /** Records that the folder was read. */
    async look(tx: Transaction, folderId: string, atMs: number): Promise<void> {
      await tx.db
        .insertInto('watched_folders')
        .values({ id: folderId, looked_at: atMs })
        .onConflict((conflict) => conflict.column('id').doUpdateSet({ looked_at: atMs }))
        .execute();
    },

    /** Records that files were handled. @returns how many were not yet recorded in this version */
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

    /** Records that files which had disappeared are back and unchanged. */
    noteBack: (tx: Transaction, folderId: string, names: readonly string[]): Promise<void> =>
      setGone(tx, folderId, names, null),
    noteGone: setGone,

    /** Deletes the records of files that disappeared before `beforeMs`. @returns how many, at most `limit` */
    removeGone: (beforeMs: number, limit: number): Promise<number> => removeGone({ read, transact }, beforeMs, limit),
    /** Deletes the records of folders last read before `beforeMs`. @returns how many, at most `limit` */
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
