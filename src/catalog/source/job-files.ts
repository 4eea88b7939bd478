// Decides which files below a job's directory belong to the job: not the files of another job, `.git`, or what
// `.flwdignore` names. Follows links as long as they stay in the source.

import { realpathSync, type Stats, statSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { type Ignore, isWalked } from './ignore.ts';
import { isWithin, lstatOf } from './source-file.ts';
import { childOf } from './source-path.ts';

export const configFiles = ['config.yaml', 'config.d/config.yaml'] as const;
export type ConfigFile = (typeof configFiles)[number];

export type JobPlace = {
  /** The source's root on this host. */
  readonly root: string;
  /** The job's directory, relative to the root; `''` for the root itself. */
  readonly path: string;
  readonly ignore: Ignore;
};

function isJobDirectory(dir: string): boolean {
  return configFiles.some((file) => lstatOf(join(dir, file)) !== undefined);
}

/** Whether an entry does not belong to the job. `path` is relative to the source. */
export function isLeftOut(ignore: Ignore, path: string, isDirectory: boolean): boolean {
  return path === '.git' || path.endsWith('/.git') || ignore(path, isDirectory);
}

/** The target of a link in a source; undefined when it is outside of the source or does not exist. */
export function followLink(root: string, link: string): { readonly path: string; readonly stat: Stats } | undefined {
  try {
    const path = realpathSync.native(link);
    return isWithin(realpathSync.native(root), path) ? { path, stat: statSync(path) } : undefined;
  } catch {
    return undefined;
  }
}

export type FoundFile = { readonly hostPath: string; readonly stat: Stats } | { readonly problem: string };

/**
 * Finds a file or directory that a job names, such as `./scripts/build.sh`. The text of `problem` follows that name.
 */
export function findJobFile({ root, path, ignore }: JobPlace, name: string): FoundFile {
  const inside = normalize(name);
  if (inside.startsWith('/') || inside === '..' || inside.startsWith('../')) {
    return { problem: "lies outside the job's folder" };
  }
  const steps = inside.split('/').filter((step) => step !== '' && step !== '.');
  let at = path;
  let stat = lstatOf(join(root, at));
  let mayHoldJobs = true;
  for (const step of steps) {
    if (at !== path && mayHoldJobs && isJobDirectory(join(root, at))) return { problem: 'belongs to another job' };
    at = childOf(at, step);
    mayHoldJobs &&= isWalked(step);
    stat = lstatOf(join(root, at));
    if (isLeftOut(ignore, at, stat?.isDirectory() ?? false)) return { problem: 'is ignored by `.flwdignore`' };
    if (stat?.isSymbolicLink()) return followed(root, path, inside);
  }
  return stat ? { hostPath: join(root, at), stat } : { problem: "is not in the job's folder" };
}

function followed(root: string, path: string, inside: string): FoundFile {
  const found = followLink(root, join(root, path, inside));
  return found
    ? { hostPath: found.path, stat: found.stat }
    : { problem: 'is a broken link, or leads outside the source' };
}
