// Checks a backup before a restore changes anything. The database and the keys must not have changed since the backup
// was taken. If any other file has changed, the check names it, and the rest can still be restored (ADR 0013).

import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join, normalize } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { errorCode } from '../../lib/error-code.ts';
import { StartError } from '../../lib/start-error.ts';
import { assertKnownSchema } from '../migrations/migrate.ts';
import {
  databaseFile,
  isKeyFile,
  type Manifest,
  manifestFile,
  readSums,
  type Sum,
  sumOf,
  sumsFile,
} from './backup-files.ts';

export type CheckedBackup = {
  readonly manifest: Manifest;
  /** The files that can be restored, each with the checksum that its copy must have. */
  readonly files: () => AsyncGenerator<{ readonly path: string; readonly sha256: string }>;
  /**
   * The files that do not match the checksums, by their path in the backup. A revision of a job is a single entry, even
   * if several of its files are damaged.
   */
  readonly damagedSince: ReadonlyMap<string, Damage>;
};

type Listed = {
  readonly path: string;
  /** null if the file is not in the list. */
  readonly sha256: string | null;
};

type Damage = {
  /** What the file is, and what is wrong with it, in words. */
  readonly what: string;
  /** False if only the list of checksums says that the file is damaged, and the list may be damaged itself. */
  readonly isCertain: boolean;
};

const hasChanged = 'has changed since the backup was made';

/** @throws StartError */
export async function checkBackup(
  source: string,
  manifest: Manifest,
  o: {
    /** Whether the files of a folder are exactly those of the revision. */
    readonly isRevision: (dir: string, revision: string) => Promise<boolean>;
    /** Called with each file that can be read. */
    readonly onFile: (path: string, sizeBytes: number) => void;
  },
): Promise<CheckedBackup> {
  const list = await sumOrCause(source, sumsFile);
  if (list.sha256 === null) throw damaged(source, `${sumsFile} ${list.cause}`);
  const isListWhole = list.sha256 === manifest.sums_sha256;
  /** The actual checksums of files that do not match the list; null for a file that cannot be restored. */
  const sums = new Map<string, string | null>();
  const wrongs = new Map<string, string>();
  let hasDatabase = false;
  for await (const { path, sha256 } of listFiles(source, isListWhole)) {
    hasDatabase ||= path === databaseFile;
    const found = await sumOrCause(source, path);
    if (found.sha256 !== null) o.onFile(path, found.sizeBytes);
    if (found.sha256 !== null && found.sha256 === sha256) continue;
    const wrong = isListWhole ? (found.cause ?? hasChanged) : uncertainDamage(found.cause, sha256 !== null);
    if (path === databaseFile || isKeyFile(path)) throw damaged(source, `${path} ${wrong}`);
    sums.set(path, found.sha256);
    const revision = revisionOf(path);
    if (revision === undefined) wrongs.set(path, wrong);
    // The whole revision counts as damaged, because a job must not run with a damaged script.
    else wrongs.set(revision, `has a file that ${wrong}: ${path}`);
  }
  if (!hasDatabase) throw damaged(source, `${databaseFile} is missing`);
  for (const path of isListWhole ? [] : [...wrongs.keys()])
    if (revisionOf(path) === path && (await o.isRevision(join(source, path), basename(path)))) wrongs.delete(path);
  const damagedSince = new Map<string, Damage>();
  if (!isListWhole)
    damagedSince.set(sumsFile, { what: `${sumsFile} and ${manifestFile} do not match`, isCertain: true });
  withDatabase(source, manifest, (database) => {
    for (const [path, wrong] of wrongs) {
      const damage = isListWhole
        ? { wrong, isCertain: true }
        : describeDamage(path, sums.get(path), { wrong, manifest, database });
      if (damage) damagedSince.set(path, { ...damage, what: `${nameOf(path, database)} ${damage.wrong}` });
    }
  });
  return {
    manifest,
    async *files() {
      for await (const { path, sha256 } of listFiles(source, isListWhole)) {
        if (damagedSince.has(revisionOf(path) ?? '')) continue;
        const expected = sums.has(path) ? sums.get(path) : sha256;
        if (typeof expected === 'string') yield { path, sha256: expected };
      }
    },
    damagedSince,
  };
}

/** Says what is wrong with a file when the list does not match the manifest. The list itself may be wrong then. */
function uncertainDamage(cause: string | undefined, isListed: boolean): string {
  if (cause !== undefined) return `${cause}, or its name in ${sumsFile} is damaged`;
  return `${isListed ? 'does not match' : 'is not in'} ${sumsFile}, which may be damaged itself`;
}

/**
 * Says what is wrong with a file that does not match a list which may be damaged. Returns undefined if the checksum in
 * the database shows that the file is an intact artifact.
 */
function describeDamage(
  path: string,
  sha256: string | null | undefined,
  o: { readonly wrong: string; readonly manifest: Manifest; readonly database: DatabaseSync },
): { readonly wrong: string; readonly isCertain: boolean } | undefined {
  const known = artifactOf(path, o.database)?.sha256;
  if (known !== undefined && known === sha256) return undefined;
  const wasDamaged = o.manifest.damaged?.some(({ name }) => name === path) === true;
  const isCertain = typeof known === 'string' && typeof sha256 === 'string' && !wasDamaged;
  return { wrong: isCertain ? hasChanged : o.wrong, isCertain };
}

/** Yields the files that the list names. If the list is damaged, the other files of the backup follow. */
async function* listFiles(source: string, isListWhole: boolean): AsyncGenerator<Listed> {
  const listed = new Set([manifestFile, sumsFile]);
  for await (const { path, sha256 } of readSums(source)) {
    if (isOfBackup(path)) yield { path, sha256 };
    else if (isListWhole) throw damaged(source, `${path} is not a file of a backup`);
    if (!isListWhole) listed.add(path);
  }
  if (isListWhole) return;
  for (const entry of await readdir(source, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name).slice(source.length + 1);
    if (entry.isFile() && !listed.has(path) && isOfBackup(path)) yield { path, sha256: null };
  }
}

function isOfBackup(path: string): boolean {
  if (normalize(path) !== path) return false;
  return path === databaseFile || isKeyFile(path) || /^(?:logs|artifacts|snapshots)\/./.test(path);
}

/** If the file belongs to a revision of a job, returns the folder of this revision. */
function revisionOf(path: string): string | undefined {
  const [kind, revision] = path.split('/', 2);
  return kind === 'snapshots' ? `snapshots/${revision}` : undefined;
}

async function sumOrCause(
  source: string,
  path: string,
): Promise<(Sum & { cause?: undefined }) | { sha256: null; cause: string }> {
  try {
    return await sumOf(join(source, path));
  } catch (error) {
    const code = errorCode(error);
    return { sha256: null, cause: code === 'ENOENT' ? 'is missing' : `cannot be read (${code ?? String(error)})` };
  }
}

/** Returns the words by which users know the file. */
function nameOf(path: string, database: DatabaseSync): string {
  const [kind] = path.split('/', 1);
  const file = basename(path);
  if (kind === 'logs') return `the log of ${file.split('.', 1)[0]}, ${path},`;
  if (kind === 'snapshots') return `the revision ${file} of a job`;
  const row = artifactOf(path, database);
  return row ? `the artifact ${file} (${JSON.stringify(row.name)}) of ${String(row.run_id)}` : path;
}

function artifactOf(path: string, database: DatabaseSync) {
  return database.prepare('SELECT run_id, name, sha256 FROM artifacts WHERE id = ?').get(basename(path));
}

export async function readManifest(source: string): Promise<Manifest> {
  let manifest: Manifest;
  try {
    manifest = JSON.parse(await readFile(join(source, manifestFile), 'utf8'));
  } catch (error) {
    if (errorCode(error) === undefined) throw new StartError(`${source}/${manifestFile} is damaged`);
    throw new StartError(whyNoManifest(source, errorCode(error)));
  }
  if (!isManifest(manifest)) throw new StartError(`${source}/${manifestFile} is damaged; nothing was restored`);
  if (manifest.format !== 1)
    throw new StartError(
      `${source} has the format ${String(manifest.format)}, which this flwd does not know: restore it with the flwd that made it, unless its ${manifestFile} is damaged`,
    );
  return manifest;
}

function whyNoManifest(source: string, code: string | undefined): string {
  const what = `a backup is a folder that flwd backup has made, with ${manifestFile} and ${databaseFile}`;
  if (code === 'ENOTDIR') return `${source} is not a folder; ${what}`;
  if (code !== 'ENOENT') return `${source}/${manifestFile} cannot be read (${code})`;
  if (!existsSync(source)) return `there is no folder ${source}; ${what}`;
  return `${source} is not a complete backup: it has no ${manifestFile}; ${what}`;
}

function isManifest(found: unknown): found is Manifest {
  if (typeof found !== 'object' || found === null) return false;
  const {
    format,
    schema,
    files,
    bytes,
    created_at: createdAt,
    sums_sha256: sums,
    ...rest
  } = found as Partial<Manifest>;
  return (
    [format, schema, files, bytes].every((number) => Number.isSafeInteger(number) && Number(number) >= 0) &&
    !Number.isNaN(Date.parse(String(createdAt))) &&
    /^[0-9a-f]{64}$/.test(String(sums)) &&
    typeof rest.has_key === 'boolean' &&
    (rest.damaged === undefined || Array.isArray(rest.damaged))
  );
}

function withDatabase<T>(source: string, manifest: Manifest, work: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(join(source, databaseFile), { readOnly: true });
  try {
    const [found] = database.prepare('PRAGMA integrity_check(1)').all();
    const said = Object.values(found ?? {})[0];
    if (said !== 'ok')
      throw new StartError(`${source}/${databaseFile} is damaged: ${String(said)}; nothing was restored`);
    const schema = Number(database.prepare('PRAGMA user_version').get()?.user_version);
    assertKnownSchema(schema);
    if (schema !== manifest.schema)
      throw new StartError(`${source}/${manifestFile} is damaged: its schema is not that of ${databaseFile}`);
    return work(database);
  } finally {
    database.close();
  }
}

function damaged(source: string, what: string): StartError {
  return new StartError(
    `the backup ${source} is damaged: ${what}; nothing was restored: use an earlier backup, or put an intact copy of the file there`,
  );
}
