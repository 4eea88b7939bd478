// Decides which files of a source are ignored: dot directories, node_modules, lost+found, data dirs, and what
// `.flwdignore` at its root names.

import { type Dirent, realpathSync } from 'node:fs';
import { join, relative } from 'node:path';
import { compileGlob } from '../arguments/linear-pattern.ts';
import { readSourceFile, statOf } from './source-file.ts';
import { nameOf } from './source-path.ts';

const ignoreFile = '.flwdignore';
const limitBytes = 64 * 1024;

/** Whether `.flwdignore` names the path, which is relative to the source's root. */
export type Ignore = (path: string, isDirectory: boolean) => boolean;

/** In older jobs, a folder of this name has the config.yaml of the job above it. */
export const olderForm = 'config.d';

const neverJobs = new Set(['node_modules', 'lost+found', olderForm]);

/** Whether a directory of this name may contain jobs. Other directories are not walked. */
export function isWalked(name: string): boolean {
  return !name.startsWith('.') && !neverJobs.has(name);
}

/**
 * Whether a directory with these entries is the data dir of any instance, or a backup of a data dir. flwd does not look
 * for jobs in a data dir, because snapshots look like jobs. It copies nothing from a data dir, because a data dir
 * contains keys.
 */
export function isDataDir(entries: readonly Dirent[]): boolean {
  return entries.some(({ name }) => name === 'flwd.lock' || name === 'flwd.db');
}

/**
 * Each line is a name or a glob (`*`, `?`, `**`); `#` begins a comment. A line with a slash starts at the source's
 * root, a line without one matches at any depth. A slash at the end matches only directories. There is no `!`.
 */
function parseIgnore(text: string): Ignore {
  const rules = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const glob = line.replace(/\/+$/, '');
      const isFromRoot = glob.includes('/');
      return {
        pattern: compileGlob(glob.replace(/^\/+/, '')),
        isFromRoot,
        isForDirectories: line.endsWith('/'),
      };
    });
  return (path, isDirectory) => {
    const name = nameOf(path);
    return rules.some(
      (rule) => (isDirectory || !rule.isForDirectories) && rule.pattern.test(rule.isFromRoot ? path : name),
    );
  };
}

export const nothingIgnored: Ignore = () => false;

/** Host paths to leave out, even where they lie inside a source: the server's own files. */
export type Excluded = {
  /** Real paths, without links. */
  readonly exclude: readonly string[];
  /** Paths that may contain links. These are followed again each time, because somebody may have changed them. */
  readonly excludeLinks?: readonly string[];
};

/**
 * Reads the `.flwdignore` of a source, and reads it again only when it has changed. If the file cannot be read, nothing
 * is ignored.
 */
export function createIgnoreReader({ exclude, excludeLinks = [] }: Excluded): (root: string) => Ignore {
  const known = new Map<string, { signature: string; ignore: Ignore }>();
  return (root) => {
    const stat = statOf(join(root, ignoreFile));
    const realRoot = realPathOf(root);
    const targets = excludeLinks.map(realPathOf);
    const signature = [stat?.ino, stat?.size, stat?.ctimeMs, realRoot, ...targets].join(' ');
    const before = known.get(root);
    if (before?.signature === signature) return before.ignore;
    const excluded = [...exclude, ...targets].map((path) => relative(realRoot, path));
    const file = stat ? readSourceFile(root, ignoreFile, limitBytes) : { text: '' };
    const isNamed = parseIgnore('text' in file ? file.text : '');
    const ignore: Ignore = (path, isDirectory) => excluded.includes(path) || isNamed(path, isDirectory);
    known.set(root, { signature, ignore });
    return ignore;
  };
}

/** Returns the path with its links resolved, or the path itself if that is not possible. */
export function realPathOf(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    return path;
  }
}
