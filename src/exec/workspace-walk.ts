// Every file of a workspace whose folder is asked for, whatever kind of file it is. Links are not followed.

import { opendir } from 'node:fs/promises';
import { type BytePath, faultOf, onHost } from './sandbox-paths.ts';

const mostEntries = 1_000_000;

export async function* walkWorkspace(o: {
  readonly workspaceDir: string;
  readonly enters: (folder: BytePath) => boolean;
  readonly onFault: (folder: BytePath, fault: 'unreadable' | 'too-many') => void;
}): AsyncGenerator<{ readonly path: BytePath; readonly isLink: boolean }> {
  const folders: BytePath[] = [''];
  let entries = 0;
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    try {
      // One by one: a job may leave more names in a folder than memory holds.
      for await (const entry of await opendir(onHost(o.workspaceDir, folder), { encoding: 'latin1' })) {
        if (++entries > mostEntries) {
          o.onFault(folder, 'too-many');
          return;
        }
        const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
        if (!entry.isDirectory()) yield { path, isLink: entry.isSymbolicLink() };
        else if (o.enters(path)) folders.push(path);
      }
    } catch (error) {
      // A run that never started has no workspace.
      if (faultOf(error) === 'unreadable' || folder !== '') o.onFault(folder, 'unreadable');
    }
  }
}
