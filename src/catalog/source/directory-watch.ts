// Watches directories one by one. Node's recursive fs.watch walks and stats the whole tree again on Linux; the catalog
// holds every directory anyway, so one inotify watch for each is all that is needed.

import { watch as watchFs } from 'node:fs';
import { errorCode } from '../../lib/error-code.ts';
import type { LogLines } from '../../lib/logger.ts';

/** `name` is the entry that changed, null where the system does not say; `isReplaced`: it came, went or was renamed. */
export type OnEntry = (name: string | null, isReplaced: boolean) => void;

export type DirectoryWatch = {
  /** Answers how to stop. */
  watch(dir: string, onEntry: OnEntry): () => void;
  /** False once the system had no watch left: then changes have to be looked for. */
  readonly isComplete: boolean;
};

const nothing = () => {};

export function createDirectoryWatch(log: LogLines): DirectoryWatch {
  let isComplete = true;
  return {
    get isComplete() {
      return isComplete;
    },
    watch(dir, onEntry) {
      if (!isComplete) return nothing;
      try {
        const watcher = watchFs(dir, { persistent: false }, (event, name) => onEntry(name, event === 'rename'));
        watcher.on('error', () => watcher.close());
        return () => watcher.close();
      } catch (error) {
        if (['ENOSPC', 'EMFILE'].includes(errorCode(error) ?? '')) {
          isComplete = false;
          log.warn('inotify limit reached (fs.inotify.max_user_watches): jobs are looked at every 5 s instead');
        }
        return nothing;
      }
    },
  };
}
