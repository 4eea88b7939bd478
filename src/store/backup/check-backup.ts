// Checks a backup before a restore changes anything. The database and the keys must be as they were. Every other file
// that has been damaged since is named, and does not keep the rest from being restored (ADR 0013).

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
  /** The files that can be restored, with the checksums that the copies must have. */
  readonly files: () => AsyncGenerator<{ readonly path: string; readonly sha256: string }>;
  /** Files that have been damaged since the backup was made, each with what is wrong, by its path in the backup. */
  readonly damagedSince: ReadonlyMap<string, string>;
};

type Listed = {
  readonly path: string;
  /** null for a file that is not in the list. */
  readonly sha256: string | null;
};

/** `sha256` is of the bytes as they are. null means that nothing of it is restored. */
type Damage = { readonly wrong: string; readonly sha256: string | null };

/** `onFile` is called with each file that can be read. @throws StartError */
export async function checkBackup(
  source: string,
  manifest: Manifest,
  onFile: (path: string, sizeBytes: number) => void,
): Promise<CheckedBackup> {
  const list = await sumOrCause(source, sumsFile);
  if (list.sha256 === null) throw damaged(source, `${sumsFile} ${list.cause}`);
  const isListWhole = list.sha256 === manifest.sums_sha256;
  const damage = new Map<string, Damage>();
  let hasDatabase = false;
  for await (const { path, sha256 } of listFiles(source, isListWhole)) {
    hasDatabase ||= path === databaseFile;
    const found = await sumOrCause(source, path);
    if (found.sha256 !== null) onFile(path, found.sizeBytes);
    if (found.sha256 !== null && found.sha256 === sha256) continue;
    const wrong =
      found.cause ?? (sha256 === null ? `is not in ${sumsFile}` : 'is not as it was when the backup was made');
    if (path === databaseFile || isKeyFile(path)) throw damaged(source, `${path} ${wrong}`);
    const revision = revisionOf(path);
    if (revision === undefined) damage.set(path, { wrong, sha256: found.sha256 });
    // A job must not run with a damaged script.
    else damage.set(revision, { wrong: `has a file that ${wrong}: ${path}`, sha256: null });
  }
  if (!hasDatabase) throw damaged(source, `${databaseFile} is missing`);
  return {
    manifest,
    async *files() {
      for await (const { path, sha256 } of listFiles(source, isListWhole)) {
        const found = damage.get(revisionOf(path) ?? path);
        const expected = found ? found.sha256 : sha256;
        if (expected !== null) yield { path, sha256: expected };
      }
    },
    damagedSince: new Map([
      ...(isListWhole ? [] : [[sumsFile, `${sumsFile}, the list of the files, is not as it was`] as const]),
      ...withDatabase(source, manifest, (database) =>
        [...damage].map(([path, { wrong }]) => [path, `${nameOf(path, database)} ${wrong}`] as const),
      ),
    ]),
  };
}

/** If the list is damaged, the files that it does not name follow those that it names. */
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

/** The folder of the revision of a job that the file belongs to. */
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

/** How users know the file. */
function nameOf(path: string, database: DatabaseSync): string {
  const [kind] = path.split('/', 1);
  const file = basename(path);
  if (kind === 'logs') return `the log of ${file.split('.', 1)[0]}, ${path},`;
  if (kind === 'snapshots') return `the revision ${file} of a job`;
  const row = database.prepare('SELECT run_id, name FROM artifacts WHERE id = ?').get(file);
  return row ? `the artifact ${file} (${JSON.stringify(row.name)}) of ${String(row.run_id)}` : path;
}

export async function readManifest(source: string): Promise<Manifest> {
  let manifest: Manifest;
  try {
    manifest = JSON.parse(await readFile(join(source, manifestFile), 'utf8'));
  } catch (error) {
    if (errorCode(error) === undefined) throw new StartError(`${source}/${manifestFile} is damaged`);
    throw new StartError(`${source} is not a complete backup: ${manifestFile} cannot be read (${errorCode(error)})`);
  }
  if (!isManifest(manifest)) throw new StartError(`${source}/${manifestFile} is damaged; nothing was restored`);
  if (manifest.format !== 1)
    throw new StartError(
      `${source} has the format ${String(manifest.format)}, which this flwd does not know: restore it with the flwd that made it, unless its ${manifestFile} is damaged`,
    );
  return manifest;
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
