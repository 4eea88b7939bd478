// Takes up an attempt that a former server started: its shim has gone on meanwhile, or has ended.

import { watch } from 'node:fs';
import { type AttemptProcess, attend } from './launch.ts';
import { isAlive } from './process-table.ts';
import { giveUp, readStatus, statusPath } from './shim-status.ts';

/** Where the watch misses the end, e.g. because the shim was killed and wrote nothing. */
const pollMs = 500;
/** Between bwrap's end and the shim's. */
const endingMs = 5;
/** A shim makes its file and writes itself into it in one go. */
const beginningMs = 5_000;

/** undefined when it never began; then it never will, so it can be launched. */
export function adopt(attemptDir: string): AttemptProcess | undefined {
  if (giveUp(attemptDir) || readStatus(attemptDir)?.isGivenUp) return undefined;
  return attend(attemptDir, shimEnded(attemptDir));
}

async function shimEnded(attemptDir: string): Promise<void> {
  const adoptedAtMs = performance.now();
  const hasEnded = (): boolean => {
    const { shim } = readStatus(attemptDir) ?? {};
    return shim ? !isAlive(shim) : performance.now() - adoptedAtMs > beginningMs;
  };
  while (!hasEnded()) await change(attemptDir);
}

function change(attemptDir: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const watcher = watch(statusPath(attemptDir), { persistent: false }, () => resolve());
  watcher.on('error', () => resolve());
  const timer = setTimeout(resolve, readStatus(attemptDir)?.isOver ? endingMs : pollMs);
  timer.unref();
  return promise.finally(() => {
    clearTimeout(timer);
    watcher.close();
  });
}
