// Walks through all files of a workspace, of any type, in the folders that the caller asks for. Does not follow links,
// even if a folder is replaced by a link during the walk. Another run can replace the folder, if it was passed a
// descriptor of the folder.

import { createYielder } from '../../lib/yielder.ts';
import { entryOf, isWithin, type PinnedFolder, pinFolder } from './pinned-folder.ts';
import { type BytePath, errorOf, onHost } from './sandbox-paths.ts';

const mostEntries = 1_000_000;

export type WalkedFile = {
  readonly path: BytePath;
  /** A path to the file, which is valid until the walk continues. */
  readonly pinnedPath: Buffer;
  readonly isLink: boolean;
};

/**
 * Yields each file. The walk is synchronous, because waiting for a thread at each step cost 0.7 ms per run, although
 * most of a run's folders are empty.
 */
export async function* walkWorkspace(o: {
  readonly workspaceDir: string;
  /** The folder to begin with, which must not be a link; `''` is the whole workspace. */
  readonly from: BytePath;
  readonly enters: (folder: BytePath) => boolean;
  readonly onError: (folder: BytePath, error: 'unreadable' | 'too-many') => void;
}): AsyncGenerator<WalkedFile> {
  const folders = [o.from];
  const maybeYield = createYielder();
  let entries = 0;
  let root: PinnedFolder['place'] | undefined;
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    await maybeYield();
    try {
      const pinned = pinFolder(onHost(o.workspaceDir, folder));
      try {
        root ??= pinned.place;
        if (!isWithin(pinned.place, root)) {
          o.onError(folder, 'unreadable');
          continue;
        }
        for (const entry of pinned.entries()) {
          if (++entries > mostEntries) {
            o.onError(folder, 'too-many');
            return;
          }
          await maybeYield();
          const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
          if (entry.isDirectory()) {
            if (o.enters(path)) folders.push(path);
          } else yield { path, pinnedPath: entryOf(pinned.path, entry.name), isLink: entry.isSymbolicLink() };
        }
      } finally {
        pinned.close();
      }
    } catch (error) {
      // A run that never started has no workspace.
      if (errorOf(error) === 'unreadable' || folder !== '') o.onError(folder, 'unreadable');
    }
  }
}
