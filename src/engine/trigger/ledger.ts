// Remembers which version of each file in a folder was dealt with, even across a restart (ADR 0075).

import { Problem } from '../../domain/problem.ts';
import { createSha256 } from '../../lib/sha256.ts';
import type { Transaction } from '../../store/database.ts';
import type { FoundFile } from './folder.ts';
import type { FilesTriggerOfJob, TriggerParts } from './trigger-parts.ts';

const lookNotedEveryMs = 3_600_000;

export type Ledger = ReturnType<typeof createLedger>;

/**
 * The files of the folder that were dealt with. Files that are already in the folder when the trigger is first seen
 * count as dealt with.
 */
export function createLedger({ id, jobId, folder, match }: FilesTriggerOfJob, { store, clock, log }: TriggerParts) {
  const { watchedFiles } = store;
  const hash = createSha256()
    .update(JSON.stringify([jobId, folder, match]))
    .digest('hex');
  const folderId = hash.slice(0, 26).toUpperCase();
  let known: Map<string, string> | undefined;
  let notedAtMs = 0;

  /** Returns undefined if the folder was never read before: all files in it have just been noted. */
  async function open(files: readonly FoundFile[]): Promise<Map<string, string> | undefined> {
    known ??= asMap(await watchedFiles.present(folderId));
    if (known) return known;
    await store.db.transact(async (tx) => {
      await watchedFiles.look(tx, folderId, clock.now());
      await watchedFiles.note(tx, folderId, files);
    });
    log.info(
      { trigger_id: id, job_id: jobId, files: files.length },
      'a trigger follows a folder from now on; the files that are already in it start no runs',
    );
    notedAtMs = clock.now();
    known = new Map(files.map(({ name, stamp }) => [name, stamp]));
    return undefined;
  }

  /** Finds files that had gone and are back. A file that has not changed still counts as dealt with. */
  async function findReturned(files: readonly FoundFile[], present: Map<string, string>): Promise<void> {
    const unseen = files.filter(({ name }) => !present.has(name));
    if (unseen.length === 0) return;
    const names = unseen.map(({ name }) => name);
    const stamps = await watchedFiles.stamps(folderId, names);
    const back = unseen.filter(({ name, stamp }) => stamps.get(name) === stamp);
    if (back.length === 0) return;
    await store.db.transact((tx) =>
      watchedFiles.noteBack(
        tx,
        folderId,
        back.map(({ name }) => name),
      ),
    );
    for (const { name, stamp } of back) present.set(name, stamp);
  }

  async function noteGone(files: readonly FoundFile[], present: Map<string, string>): Promise<void> {
    const names = new Set(files.map(({ name }) => name));
    const gone = [...present.keys()].filter((name) => !names.has(name));
    const nowMs = clock.now();
    if (gone.length === 0 && nowMs - notedAtMs <= lookNotedEveryMs) return;
    await store.db.transact(async (tx) => {
      await watchedFiles.look(tx, folderId, nowMs);
      await watchedFiles.noteGone(tx, folderId, gone, nowMs);
    });
    notedAtMs = nowMs;
    for (const name of gone) present.delete(name);
  }

  return {
    async findFresh(files: readonly FoundFile[]): Promise<readonly FoundFile[]> {
      const present = await open(files);
      if (!present) return [];
      await noteGone(files, present);
      await findReturned(files, present);
      return files.filter(({ name, stamp }) => present.get(name) !== stamp);
    },
    /** @throws Problem idempotency-conflict */
    async note(tx: Transaction, file: FoundFile): Promise<void> {
      if ((await watchedFiles.note(tx, folderId, [file])) === 0)
        throw new Problem('idempotency-conflict', 'The trigger has dealt with this file already.');
    },
    know: ({ name, stamp }: FoundFile): void => void known?.set(name, stamp),
  };
}

function asMap(map: ReadonlyMap<string, string> | undefined): Map<string, string> | undefined {
  return map && new Map(map);
}
