// Resumes an attempt that a former server started. The attempt's shim is still running, or has ended.

import { existsSync, mkdirSync, statSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import { isShortage } from '../../lib/shortage.ts';
import type { AttemptProcess } from '../executor.ts';
import { wasRestored } from '../run-folder.ts';
import type { ShimNews } from './fork-server.ts';
import { killDomainOf } from './kill-domain.ts';
import { removed, removeSecrets, supervise } from './launch.ts';
import { helpersOf } from './process-table.ts';
import { untilShimEnds } from './shim-end.ts';
import { giveUp, readStatus, statusPath } from './shim-status.ts';

/** See `Executor.resume`. */
export function resumeAttempt(attemptDir: string, hasBegun: true): AttemptProcess;
export function resumeAttempt(attemptDir: string): AttemptProcess | undefined;
export function resumeAttempt(attemptDir: string, hasBegun = false): AttemptProcess | undefined {
  // After a restore, an attempt has no files, because a backup does not include them. So it is lost.
  if (wasRestored(dirname(attemptDir)) && !existsSync(statusPath(attemptDir))) {
    mkdirSync(attemptDir, { recursive: true, mode: 0o700 });
    return supervise(attemptDir, Promise.resolve(), { kind: 'lost' });
  }
  if (!existsSync(attemptDir) && isLeftWithoutFolder(attemptDir))
    return supervise(attemptDir, Promise.resolve(), removed);
  if (giveUp(attemptDir) || readStatus(attemptDir)?.isGivenUp) {
    // The attempt was about to start, so its secrets may be in its folder. They are removed now, because a cancel may
    // prevent another start.
    removeSecrets(attemptDir);
    return hasBegun ? supervise(attemptDir, Promise.resolve(), removed) : undefined;
  }
  const endedBeforeAtMs = endedAlready(attemptDir);
  const sandbox = watchForEnd(attemptDir);
  const attempt = supervise(
    attemptDir,
    untilShimEnds(attemptDir, sandbox.over).finally(() => sandbox.close()),
    { kind: 'lost' },
  );
  return endedBeforeAtMs === undefined ? attempt : { ...attempt, endedBeforeAtMs };
}

/**
 * Returns the time when the script ended; undefined if it has not. This is the time of the last change of the status
 * file. After the beginning of the attempt, only its end is written to that file.
 */
function endedAlready(attemptDir: string): number | undefined {
  if (readStatus(attemptDir)?.exitCode === undefined) return undefined;
  return Math.floor(statSync(statusPath(attemptDir)).mtimeMs);
}

function isLeftWithoutFolder(attemptDir: string): boolean {
  return helpersOf(attemptDir).length > 0 || killDomainOf(attemptDir, undefined)?.isEmpty() === false;
}

/**
 * Watches the status file for the end of bwrap. The shim ends a moment later. If the watch misses the end of bwrap, the
 * end of the shim is still noticed.
 */
function watchForEnd(attemptDir: string): { over: Promise<ShimNews>; close: () => void } {
  const { promise: over, resolve } = Promise.withResolvers<ShimNews>();
  const look = (): void => {
    try {
      if (readStatus(attemptDir)?.isOver) resolve('ended');
    } catch (error) {
      if (!isShortage(error)) throw error;
    }
  };
  try {
    const watcher = watch(statusPath(attemptDir), { persistent: false }, look);
    watcher.on('error', () => undefined);
    look();
    return { over, close: () => watcher.close() };
  } catch {
    // The system has no more watches.
    look();
    return { over, close: () => undefined };
  }
}
