// Finds the folder that a trigger follows, and the files in it. The job must be able to read the folder, or its script
// would fail for each file (ADR 0075).

import { lstat, opendir, realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { isShownToAll, rootOf } from '../../domain/policy.ts';
import { Problem } from '../../domain/problem.ts';
import { createArtifactGlob } from '../../exec/collect/artifact-glob.ts';
import { errorCode } from '../../lib/error-code.ts';
import { namesOthersHome, othersHome, withHome } from '../../lib/files/home-path.ts';
import { whyUnreadable } from '../../lib/files/watched-file.ts';
import type { GroundedPlan } from '../plan/ground.ts';
import { planWithoutArguments, reasonOf } from './plan-without-arguments.ts';
import type { FilesTriggerOfJob, TriggerParts } from './trigger-parts.ts';

export type FoundFile = {
  readonly name: string;
  readonly path: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  /** Changes with each version of the file. */
  readonly stamp: string;
};

type Wrong = { readonly problem: string };

const mostFiles = 10_000;
/** One by one, each file would cost three times as much. */
const lookedAtOnce = 64;

/** With all links followed. */
export async function findFolder(
  { folder, jobId }: FilesTriggerOfJob,
  o: TriggerParts,
): Promise<{ readonly path: string } | Wrong> {
  if (namesOthersHome(folder)) return { problem: `\`files\`: '${folder}' ${othersHome}` };
  try {
    const entry = o.catalog.find(jobId);
    const path = await realpath(resolve(entry.source.path, withHome(folder, homedir())));
    const plan = await planWithoutArguments(entry, o);
    if (plan.denied) return { problem: plan.denied.message };
    return isReadable(path, plan) ? { path } : { problem: notReadable(folder) };
  } catch (error) {
    if (error instanceof Problem) return { problem: reasonOf(error) };
    const why = whyUnreadable(error);
    if (why === undefined) throw error;
    return { problem: `the folder '${folder}' ${why}` };
  }
}

/** A path that an argument names is checked when the run starts. */
function isReadable(path: string, { profile, read, write, entry }: GroundedPlan): boolean {
  const { permissions } = entry.definition;
  if ([...permissions.read, ...permissions.write].some((grant) => typeof grant !== 'string')) return true;
  return isShownToAll(profile, 'read', path) || rootOf(path, 'read', [...read, ...write]) !== undefined;
}

function notReadable(folder: string): string {
  return `the job cannot read '${folder}': add it to permissions.read of its config.yaml`;
}

/** The regular files directly in the folder whose names fit the pattern. */
export async function readFolder(
  path: string,
  match: string,
): Promise<{ readonly files: readonly FoundFile[] } | Wrong> {
  const glob = createArtifactGlob(match);
  const names: string[] = [];
  try {
    for await (const { name } of await opendir(path)) {
      if (glob.matches(name)) names.push(name);
      if (names.length > mostFiles)
        return { problem: `the folder has more than ${mostFiles.toLocaleString('en')} files that fit '${match}'` };
    }
    const files: FoundFile[] = [];
    for (let at = 0; at < names.length; at += lookedAtOnce) {
      const some = names.slice(at, at + lookedAtOnce);
      files.push(...(await Promise.all(some.map((name) => examine(join(path, name), name)))).flat());
    }
    return { files };
  } catch (error) {
    const why = whyUnreadable(error);
    if (why === undefined) throw error;
    return { problem: `the folder ${why}` };
  }
}

async function examine(path: string, name: string): Promise<FoundFile[]> {
  try {
    const stats = await lstat(path, { bigint: true });
    if (!stats.isFile()) return [];
    const { size, mtimeNs, mtimeMs } = stats;
    return [{ name, path, sizeBytes: Number(size), modifiedMs: Number(mtimeMs), stamp: `${mtimeNs}-${size}` }];
  } catch (error) {
    // It has gone meanwhile.
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
