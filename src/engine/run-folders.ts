// The folders of runs, with their workspaces: removed when a run has ended, and at the start those that a crash has left.

import { rmdirSync, rmSync } from 'node:fs';
import { chmod, opendir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isFinished } from '../domain/run.ts';
import { errorCode } from '../lib/error-code.ts';
import type { Logger } from '../lib/logger.ts';
import type { RunStore } from '../store/runs.ts';

/** Never rejects: what cannot be removed now is tried again at the next start. */
export async function removeRunFolder(dir: string, log: Logger): Promise<void> {
  try {
    await removeTree(dir);
  } catch (error) {
    log.warn({ err: error }, 'the folder of a finished run was not removed');
  }
}

/** Of a run whose steps may be run again: its workspace stays, its attempts go. Never rejects. */
export async function keepWorkspace(dir: string, log: Logger): Promise<void> {
  try {
    const names = await readdir(dir);
    await Promise.all(names.filter((name) => name !== 'workspace').map((name) => removeTree(join(dir, name))));
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') log.warn({ err: error }, 'the attempts of a finished run were not removed');
  }
}

/** Removes the folders of runs that have ended. One of a run that is not known stays: the database may be an older one. */
export async function sweepRunFolders(o: {
  readonly runsDir: string;
  readonly runs: RunStore;
  readonly log: Logger;
  readonly signal: AbortSignal;
}): Promise<void> {
  for (const runId of await readdir(o.runsDir)) {
    if (o.signal.aborted) return;
    const run = await o.runs.summary(runId);
    if (run && isFinished(run.status)) await removeRunFolder(join(o.runsDir, runId), o.log);
  }
}

async function removeTree(dir: string): Promise<void> {
  if (hasOnlyOurs(dir)) return rmSync(dir, { recursive: true });
  try {
    await rm(dir, { recursive: true, force: true });
  } catch (error) {
    if (!['EACCES', 'EPERM'].includes(errorCode(error) ?? '')) throw error;
    // A job may leave folders that are closed even to their owner. Root needs no permission.
    await openFolders(dir);
    await rm(dir, { recursive: true, force: true });
  }
}

/**
 * Has the job left nothing where it may write? Then what is there is a handful of files, removed at once: a walk that waits
 * for each of them costs 0.7 ms of every run. A folder that is not empty cannot be removed by rmdir(2).
 */
function hasOnlyOurs(dir: string): boolean {
  try {
    for (const folder of ['1-1/out', 'workspace/artifacts', 'workspace']) rmdirSync(join(dir, folder));
    return true;
  } catch {
    return false;
  }
}

/** Links are not followed. Names are bytes. */
async function openFolders(dir: string): Promise<void> {
  const folders = [Buffer.from(dir)];
  for (let folder = folders.pop(); folder; folder = folders.pop()) {
    await chmod(folder, 0o700);
    for await (const entry of await opendir(folder, { encoding: 'latin1' })) {
      if (entry.isDirectory()) folders.push(Buffer.concat([folder, Buffer.from(`/${entry.name}`, 'latin1')]));
    }
  }
}
