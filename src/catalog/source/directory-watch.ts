// Watches directories one by one. On Linux, Node's recursive fs.watch would walk the whole tree again. The catalog
// knows every directory anyway, so one inotify watch for each directory is enough.

import { watch as watchFs } from 'node:fs';
import { errorCode } from '../../lib/error-code.ts';
import type { LogLines } from '../../lib/logger.ts';

/**
 * `name` is the entry that changed; null when the system does not say. `isReplaced` means that it appeared, disappeared
 * or was renamed.
 */
export type OnEntry = (name: string | null, isReplaced: boolean) => void;

export type DirectoryWatch = ReturnType<typeof createDirectoryWatch>;

const nothing = () => {};

/** The limit that the operator must raise, by the system's error code. */
const limits = new Map([
  ['ENOSPC', 'fs.inotify.max_user_watches'],
  ['EMFILE', 'fs.inotify.max_user_instances or the limit of open files'],
]);

export function createDirectoryWatch(log: LogLines) {
  let isComplete = true;
  return {
    /** False once the system has no watch left. Then the catalog must look for changes itself. */
    get isComplete(): boolean {
      return isComplete;
    },
    /** Returns a function that stops the watch. */
    watch(dir: string, onEntry: OnEntry): () => void {
      if (!isComplete) return nothing;
      try {
        const watcher = watchFs(dir, { persistent: false }, (event, name) => onEntry(name, event === 'rename'));
        watcher.on('error', () => watcher.close());
        return () => watcher.close();
      } catch (error) {
        const limit = limits.get(errorCode(error) ?? '');
        if (limit !== undefined) {
          isComplete = false;
          log.warn(
            `inotify limit reached: flwd looks for changed jobs every 5 s until ${limit} is raised and flwd restarted`,
          );
        }
        return nothing;
      }
    },
  };
}
