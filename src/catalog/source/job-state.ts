// The state of a job's directory: the files that belong to the job, and a signature that changes with these files.
// Computing it does not read their content.

import type { Dirent, Stats } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../../domain/problem.ts';
import { systemClock } from '../../lib/clock.ts';
import { errorCode } from '../../lib/error-code.ts';
import { listFolder } from '../../lib/files/readable-folder.ts';
import { createYielder } from '../../lib/yielder.ts';
import { printable } from '../job/job-id.ts';
import { isDataDir, isWalked, realPathOf } from './ignore.ts';
import { configFiles, followLink, isLeftOut, type JobPlace } from './job-files.ts';
import { isSettled, lstatOf, stampOfFile, statOf } from './source-file.ts';
import { childOf } from './source-path.ts';

export const fileLimit = 10_000;
const sizeLimitBytes = 100 * 2 ** 20;

export type JobFile = {
  /** Relative to the job's directory. */
  readonly path: string;
  readonly hostPath: string;
  readonly sizeBytes: number;
  readonly isExecutable: boolean;
};

export type JobState = {
  /** In the order of their paths. */
  readonly files: readonly JobFile[];
  readonly signature: string;
  /** The stamp of the config.yaml. */
  readonly configStamp: string | undefined;
  /** False when some file is reached through a link or is not watched. */
  readonly isWatched: boolean;
  /** False when a file is so new that another change might not show in the signature. */
  readonly isSettled: boolean;
};

export type IdentifiedJob = JobPlace & { readonly id: string };

/** @throws Problem job-invalid above 10,000 files or 100 MiB, job-not-found when the directory is gone */
export async function readJobState(job: IdentifiedJob): Promise<JobState> {
  const maybeYield = createYielder();
  const files: JobFile[] = [];
  const signature: string[] = [];
  let [sizeBytes, entries, newestMs, isWatched] = [0, 0, 0, true];
  const startedAtMs = systemClock.now();
  // Follows a link only once, so that all files are of one tree even if somebody points the link to another tree.
  const root = realPathOf(job.root);

  const add = (path: string, hostPath: string, stat: Stats) => {
    sizeBytes += stat.size;
    newestMs = Math.max(newestMs, stat.ctimeMs);
    files.push({ path, hostPath, sizeBytes: stat.size, isExecutable: (stat.mode & 0o111) !== 0 });
    signature.push(`${path}\0${stat.ino} ${stat.size} ${stat.mode} ${stat.ctimeMs}`);
  };

  /** `real` has the directories that links have led into so far, so that each is entered only once. */
  type Directory = {
    readonly inside: string;
    readonly host: string;
    readonly real: readonly string[];
    readonly mayHoldJobs: boolean;
  };
  const open: Directory[] = [{ inside: '', host: join(root, job.path), real: [], mayHoldJobs: true }];
  for (let directory = open.pop(); directory; directory = open.pop()) {
    await maybeYield();
    const { inside, host, real, mayHoldJobs } = directory;
    const listed = list(job, host, inside);
    if (inside !== '' && mayHoldJobs && holdsJob(listed, host)) continue;
    if (isDataDir(listed)) continue;
    for (const entry of listed) {
      entries += 1;
      if (entries > fileLimit) throw tooMuch(job, `more than ${fileLimit.toLocaleString('en')} files`);
      if (sizeBytes > sizeLimitBytes) throw tooMuch(job, `more than ${sizeLimitBytes / 2 ** 20} MiB`);
      const path = childOf(inside, entry.name);
      const hostPath = join(host, entry.name);
      if (isLeftOut(job.ignore, childOf(job.path, path), entry.isDirectory())) continue;
      if (entry.isSymbolicLink()) {
        isWatched = false;
        const target = followLink(root, hostPath);
        if (target?.stat.isFile()) add(path, target.path, target.stat);
        else if (target?.stat.isDirectory() && !real.includes(target.path)) {
          open.push({ inside: path, host: target.path, real: [...real, target.path], mayHoldJobs: false });
        }
      } else if (entry.isDirectory()) {
        const isSeen = isWalked(entry.name);
        if (!isSeen) isWatched = false;
        open.push({ inside: path, host: hostPath, real, mayHoldJobs: mayHoldJobs && isSeen });
      } else if (entry.isFile()) {
        const stat = lstatOf(hostPath);
        if (stat) add(path, hostPath, stat);
      }
    }
  }
  if (sizeBytes > sizeLimitBytes) throw tooMuch(job, `more than ${sizeLimitBytes / 2 ** 20} MiB`);
  const configStamp = stampOfConfig(join(root, job.path));
  return {
    files: files.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    signature: [...signature.toSorted(), configStamp].join('\n'),
    configStamp,
    isWatched,
    isSettled: isSettled(newestMs, startedAtMs),
  };
}

/** Looks at the file itself, because .flwdignore may leave it out of the job's files, for example with `*.yaml`. */
function stampOfConfig(dir: string): string | undefined {
  const stat = statOf(join(dir, configFiles[0])) ?? statOf(join(dir, configFiles[1]));
  return stat && stampOfFile(stat);
}

/** Only the job's own directory must exist. Another one may have been removed since it was listed. */
function list(job: IdentifiedJob, dir: string, inside: string): Dirent[] {
  try {
    return listFolder(dir);
  } catch (error) {
    const isGone = ['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '');
    if (!isGone)
      throw unusable(job, `its folder \`${inside || '.'}\` cannot be read (${errorCode(error) ?? 'unknown error'})`);
    if (inside === '') throw new Problem('job-not-found', `The job '${job.id}' does not exist`);
    return [];
  }
}

function holdsJob(listed: readonly Dirent[], dir: string): boolean {
  return listed.some(
    ({ name }) => name === configFiles[0] || (name === 'config.d' && lstatOf(join(dir, configFiles[1])) !== undefined),
  );
}

function tooMuch(job: IdentifiedJob, what: string): Problem {
  return unusable(job, `its folder contains ${what}: move data elsewhere or name it in .flwdignore`);
}

/** If one of the files could not be opened, returns a Problem that names it. Returns any other error unchanged. */
export function explainUnreadable(job: IdentifiedJob, files: readonly JobFile[], error: unknown): unknown {
  const at = error instanceof Error && 'path' in error ? error.path : undefined;
  const file = files.find(({ hostPath }) => hostPath === at);
  if (!file) return error;
  const what = `its file \`${printable(file.path)}\` cannot be read (${errorCode(error) ?? 'unknown error'})`;
  return unusable(job, `${what}: let the user of the server read it, or name it in .flwdignore`);
}

export function unusable(job: IdentifiedJob, message: string): Problem {
  const file = childOf(job.path, configFiles[0]);
  return new Problem('job-invalid', `The job '${job.id}' cannot be used: ${message}`, {
    errors: [{ file, line: 1, column: 1, message }],
  });
}
