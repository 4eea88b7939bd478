// Finds the folder that a trigger follows, and the files in it. The job must be able to read the folder, or its script
// would fail for each file (ADR 0075).

import { isUtf8 } from 'node:buffer';
import { lstat, opendir, realpath } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { checkPath, isShownToAll, rootOf } from '../../domain/policy.ts';
import { Problem } from '../../domain/problem.ts';
import { createArtifactGlob } from '../../exec/collect/artifact-glob.ts';
import { errorCode } from '../../lib/error-code.ts';
import { namesOthersHome, othersHome, withHome } from '../../lib/files/home-path.ts';
import { ownHome } from '../../lib/files/own-user.ts';
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

export type FoundFolder = {
  /** The path with all links resolved; null if the trigger cannot follow the folder. */
  readonly path: string | null;
  readonly files: readonly FoundFile[];
  /** Why the trigger cannot follow the folder, or some of its files; null if nothing is wrong. */
  readonly problem: string | null;
};

const mostFiles = 10_000;
/** How many files are examined at once. One by one, each file would take three times as long. */
const lookedAtOnce = 64;

/** The regular files directly in the folder whose names fit the pattern. */
export async function lookInto({ folder, jobId, match }: FilesTriggerOfJob, o: TriggerParts): Promise<FoundFolder> {
  if (namesOthersHome(folder)) return nothing(`\`files\`: '${folder}' ${othersHome}`);
  try {
    const entry = o.catalog.find(jobId);
    const path = await realpath(resolve(entry.source.path, withHome(folder, ownHome())));
    const plan = await planWithoutArguments(entry, o);
    if (plan.denied) return nothing(plan.denied.message);
    const refusal = whyUnreadableByJob({ path, folder }, plan, o);
    if (refusal !== undefined) return nothing(refusal);
    return await readFolder(path, match);
  } catch (error) {
    if (error instanceof Problem) return nothing(reasonOf(error));
    const why = whyUnreadable(error);
    if (why === undefined) throw error;
    return nothing(`the folder '${folder}' ${why}`);
  }
}

function nothing(problem: string): FoundFolder {
  return { path: null, files: [], problem };
}

/**
 * Says why the job cannot read the folder; undefined if it can. If the job takes a path from an argument, every path
 * that policy allows counts as readable here. It is checked again when the run starts.
 */
function whyUnreadableByJob(
  { path, folder }: { readonly path: string; readonly folder: string },
  { profile, read, write, entry, leave }: GroundedPlan,
  { planContext: { host } }: TriggerParts,
): string | undefined {
  if (isShownToAll(profile, 'read', path) || rootOf(path, 'read', [...read, ...write]) !== undefined) return undefined;
  const { permissions } = entry.definition;
  if ([...permissions.read, ...permissions.write].every((grant) => typeof grant === 'string'))
    return `the job cannot read '${folder}': add it to permissions.read of its config.yaml`;
  try {
    checkPath('read', path, folder, { ...leave, paths: host.paths, masked: host.masked() });
    return undefined;
  } catch (error) {
    if (error instanceof Problem) return error.message;
    throw error;
  }
}

async function readFolder(path: string, match: string): Promise<FoundFolder> {
  const glob = createArtifactGlob(match);
  const names: string[] = [];
  let unreadable = 0;
  for await (const entry of await opendir(path, { encoding: 'latin1' })) {
    const name = textOf(Buffer.from(entry.name, 'latin1'));
    if (name === undefined) unreadable += 1;
    else if (glob.matches(name)) names.push(name);
    if (names.length > mostFiles)
      return nothing(`the folder has more than ${mostFiles.toLocaleString('en')} files that match '${match}'`);
  }
  const files: FoundFile[] = [];
  for (let at = 0; at < names.length; at += lookedAtOnce) {
    const some = names.slice(at, at + lookedAtOnce);
    files.push(...(await Promise.all(some.map((name) => examine(join(path, name), name)))).flat());
  }
  const problem = unreadable > 0 ? `files ignored because their names are not UTF-8: ${unreadable}` : null;
  return { path, files, problem };
}

/** Returns undefined if the name is not UTF-8. */
function textOf(name: Buffer): string | undefined {
  return isUtf8(name) ? name.toString('utf8') : undefined;
}

async function examine(path: string, name: string): Promise<FoundFile[]> {
  try {
    const stats = await lstat(path, { bigint: true });
    if (!stats.isFile()) return [];
    const { size, mtimeNs, mtimeMs } = stats;
    return [{ name, path, sizeBytes: Number(size), modifiedMs: Number(mtimeMs), stamp: `${mtimeNs}-${size}` }];
  } catch (error) {
    // The file has gone or cannot be examined. The other files still count.
    if (errorCode(error) !== undefined) return [];
    throw error;
  }
}

/** Whether the file is still the same as when it was found. */
export async function isThere({ path, name, stamp }: FoundFile): Promise<boolean> {
  return (await examine(path, name)).some((file) => file.stamp === stamp);
}
