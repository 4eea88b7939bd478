// Removes the folder of a run with its workspace, whatever the job has left there.

import { readdirSync, rmdirSync, rmSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobDefinition } from '../../domain/job.ts';
import { atMost } from '../../lib/at-most.ts';
import { errorCode } from '../../lib/error-code.ts';
import type { Logger } from '../../lib/logger.ts';
import { removeTree } from './remove-tree.ts';

export type RunFolders = ReturnType<typeof createRunFolders>;

/** How long a stopping server waits for folders to be removed. It has five seconds to stop everything. */
const settlingMs = 1_500;

export function createRunFolders() {
  const underWay = new Set<Promise<unknown>>();
  return {
    /** Removes the folder of a run that has ended. A job with steps keeps its workspace for a rerun. */
    putAway(dir: string, composition: JobDefinition['composition'], log: Logger): void {
      const work = composition === 'single' ? removeRunFolder(dir, log) : keepWorkspace(dir, log);
      underWay.add(work);
      void work.finally(() => underWay.delete(work));
    },
    /** Resolves when nothing is being removed, or after a while: a later start removes the rest. */
    settled: (): Promise<void> => atMost(settlingMs, Promise.all(underWay)),
  };
}

/** Never rejects: retention tries again to remove what could not be removed. */
export async function removeRunFolder(dir: string, log: Logger): Promise<boolean> {
  try {
    await remove(dir);
    return true;
  } catch (error) {
    log.warn({ err: error }, 'the folder of a finished run was not removed');
    return false;
  }
}

/** Removes the attempts of a run and keeps its workspace for a rerun. Never rejects. */
export async function keepWorkspace(dir: string, log: Logger): Promise<void> {
  try {
    const names = await readdir(dir);
    await Promise.all(names.filter((name) => name !== 'workspace').map((name) => removeTree(join(dir, name))));
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') log.warn({ err: error }, 'the attempts of a finished run were not removed');
  }
}

async function remove(dir: string): Promise<void> {
  if (hasOnlyOurs(dir)) rmSync(dir, { recursive: true });
  else await removeTree(dir);
}

/**
 * Whether the job left nothing in the folders it may write to. If so, only a few of flwd's own files are left.
 * Removing these directly saves 0.7 ms a run, compared with a walk that awaits each of them. rmdir(2) fails for a
 * folder that is not empty.
 */
function hasOnlyOurs(dir: string): boolean {
  try {
    for (const folder of ['1-1/out', 'workspace/artifacts', 'workspace']) rmdirSync(join(dir, folder));
    return readdirSync(dir).join() === '1-1';
  } catch {
    return false;
  }
}
