// Reads what one directory of a source contains: directories to walk, a job's config.yaml, and scripts without a job.

import { closeSync, type Dirent, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../../lib/error-code.ts';
import { listFolder } from '../../lib/files/readable-folder.ts';
import { type Ignore, isDataDir, isWalked, olderForm } from './ignore.ts';
import { type ConfigFile, configFiles } from './job-files.ts';
import { fileLimit } from './job-state.ts';
import { lstatOf } from './source-file.ts';
import { childOf } from './source-path.ts';

export type Directory = {
  readonly subdirectories: ReadonlySet<string>;
  /** Empty when there is no job in the directory. If there are two files, the author has to remove one. */
  readonly configFiles: readonly ConfigFile[];
  /** The files of a job in the directory; empty when it belongs to no job. */
  readonly files: readonly string[];
  /** How many scripts the directory has; 0 if it belongs to a job. */
  readonly scripts: number;
  /** Directories that contain a config.yaml, but whose own names are not UTF-8. No job id can name them. */
  readonly unnamable: readonly string[];
};

const [configName] = configFiles;
const scriptEnding = /\.(?:sh|py|js|mjs|ps1)$/;

/**
 * Undefined when there is no such directory; a data dir counts as empty.
 * @throws the file system's error when it cannot be read
 */
export function readDirectory(o: {
  readonly root: string;
  readonly path: string;
  readonly ignore: Ignore;
  readonly isOwned: boolean;
}): Directory | undefined {
  const dir = join(o.root, o.path);
  const listed = list(dir);
  if (!listed) return undefined;
  const entries = isDataDir(listed)
    ? []
    : listed.filter((entry) => !o.ignore(childOf(o.path, entry.name), entry.isDirectory()));

  const hasConfig = entries.some(({ name }) => name === configName);
  const hasOlderForm = entries.some(
    (entry) => entry.name === olderForm && entry.isDirectory() && isThere(join(dir, configFiles[1])),
  );
  const found = configFiles.filter((file) => (file === configName ? hasConfig : hasOlderForm));
  const isJobless = !o.isOwned && found.length === 0;
  return {
    subdirectories: new Set(
      entries
        .filter((entry) => entry.isDirectory() && isWalked(entry.name))
        .map(({ name }) => name)
        .filter((name) => name !== configName),
    ),
    configFiles: found,
    files: isJobless ? [] : namesOfFiles(entries, found),
    scripts: isJobless ? entries.filter((entry) => entry.isFile() && isScript(dir, entry.name)).length : 0,
    unnamable: entries.some(({ name }) => name.includes('\uFFFD')) ? findUnnamable(dir) : [],
  };
}

function namesOfFiles(entries: readonly Dirent[], found: readonly ConfigFile[]): readonly string[] {
  const names = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
  return [...new Set([...found, ...names])].slice(0, fileLimit);
}

function list(dir: string): Dirent[] | undefined {
  try {
    return listFolder(dir);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '')) return undefined;
    throw error;
  }
}

function isThere(path: string | Buffer): boolean {
  return lstatOf(path) !== undefined;
}

function isScript(dir: string, name: string): boolean {
  if (scriptEnding.test(name)) return true;
  const path = join(dir, name);
  const stat = lstatOf(path);
  const isExecutable = stat?.isFile() === true && (stat.mode & 0o111) !== 0;
  return isExecutable && beginsWithShebang(path);
}

function beginsWithShebang(path: string): boolean {
  const buffer = Buffer.alloc(2);
  try {
    const fd = openSync(path, 'r');
    try {
      return readSync(fd, buffer) === 2 && buffer.toString('latin1') === '#!';
    } finally {
      closeSync(fd);
    }
  } catch {
    return false;
  }
}

/**
 * Finds names that are not UTF-8. Node replaces each invalid byte by U+FFFD, and no directory can be opened by the
 * resulting name.
 */
function findUnnamable(dir: string): string[] {
  return readdirSync(dir, { encoding: 'buffer' })
    .filter((name) => !name.equals(Buffer.from(name.toString())))
    .filter((name) => isThere(Buffer.concat([Buffer.from(`${dir}/`), name, Buffer.from(`/${configName}`)])))
    .map((name) => name.toString());
}
