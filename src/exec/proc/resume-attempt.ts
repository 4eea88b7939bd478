// Resumes an attempt that a former server started. The attempt's shim is still running, or has ended.

import { existsSync, mkdirSync, statSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import { isShortage } from '../../lib/shortage.ts';
import type { AttemptProcess } from '../executor.ts';
import { wasRestored } from '../run-folder.ts';
import type { ShimNews } from './fork-server.ts';
import { killDomainOf } from './kill-domain.ts';
import { attend, removed, removeSecrets } from './launch.ts';
import { attendantsOf } from './process-table.ts';
import { untilShimEnds } from './shim-end.ts';
import { giveUp, readStatus, statusPath } from './shim-status.ts';

/** See `Executor.resume`. */
export function resumeAttempt(attemptDir: string, hasBegun: true): AttemptProcess;
export function resumeAttempt(attemptDir: string): AttemptProcess | undefined;
export function resumeAttempt(attemptDir: string, hasBegun = false): AttemptProcess | undefined {
  // A backup does not include the files in an attempt's folder.
  if (wasRestored(dirname(attemptDir)) && !existsSync(statusPath(attemptDir))) {
    mkdirSync(attemptDir, { recursive: true, mode: 0o700 });
    return attend(attemptDir, Promise.resolve(), { kind: 'lost' });
  }
  if (!existsSync(attemptDir) && isLeftWithoutFolder(attemptDir)) return attend(attemptDir, Promise.resolve(), removed);
  if (giveUp(attemptDir) || readStatus(attemptDir)?.isGivenUp) {
    // The order to start was given, so there are secrets. A cancel may prevent another start, so they are removed now.
    removeSecrets(attemptDir);
    return hasBegun ? attend(attemptDir, Promise.resolve(), removed) : undefined;
  }
  const endedBeforeAtMs = endedAlready(attemptDir);
  const sandbox = watchForEnd(attemptDir);
  const attempt = attend(
    attemptDir,
    untilShimEnds(attemptDir, sandbox.over).finally(() => sandbox.close()),
    { kind: 'lost' },
  );
  return endedBeforeAtMs === undefined ? attempt : { ...attempt, endedBeforeAtMs };
}

/**
 * Returns when the script ended, if it has. That is the file's last change: only the end is written after the
 * beginning.
 */
function endedAlready(attemptDir: string): number | undefined {
  if (readStatus(attemptDir)?.exitCode === undefined) return undefined;
  return Math.floor(statSync(statusPath(attemptDir)).mtimeMs);
}

function isLeftWithoutFolder(attemptDir: string): boolean {
  return attendantsOf(attemptDir).length > 0 || killDomainOf(attemptDir, undefined)?.isEmpty() === false;
}

/** The shim ends a moment after bwrap. If the watch misses that, the end of the shim is still noticed. */
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
