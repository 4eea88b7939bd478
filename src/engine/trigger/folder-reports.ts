// Listens for changes in a folder that the system reports. Reports get lost, so they only say when to look.

import { type FSWatcher, watch } from 'node:fs';

/** `isWanted` says whether changes of a file with this name count. */
export function createReports(isWanted: (name: string) => boolean, onChange: () => void) {
  let watcher: FSWatcher | undefined;
  let watchedPath: string | undefined;
  function close(): void {
    watcher?.close();
    watcher = undefined;
    watchedPath = undefined;
  }
  return {
    listenTo(path: string): void {
      if (path === watchedPath) return;
      close();
      try {
        watcher = watch(path, { persistent: false }, (_, name) => {
          if (name === null || isWanted(name)) onChange();
        });
        watcher.on('error', close);
        watchedPath = path;
      } catch {
        // The system has no more watches. The folder is still read every ten seconds.
      }
    },
    /** Stops listening. Call it when the folder is gone, because a folder that comes back may be another folder. */
    close,
  };
}
