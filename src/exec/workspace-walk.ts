// Every file of a workspace whose folder is asked for, whatever kind of file it is. Links are not followed.

import { opendirSync } from 'node:fs';
import { createPace } from '../lib/pace.ts';
import { type BytePath, faultOf, onHost } from './sandbox-paths.ts';

const mostEntries = 1_000_000;

/** Reads at once: to wait for a thread at each step of a folder took 0.7 ms of a run, whose folders are mostly empty. */
export async function* walkWorkspace(o: {
  readonly workspaceDir: string;
  /** The folder to begin with, which is no link; `''` is the whole. */
  readonly from: BytePath;
  readonly enters: (folder: BytePath) => boolean;
  readonly onFault: (folder: BytePath, fault: 'unreadable' | 'too-many') => void;
}): AsyncGenerator<{ readonly path: BytePath; readonly isLink: boolean }> {
  const folders = [o.from];
  const pace = createPace();
  let entries = 0;
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    await pace();
    try {
      const opened = opendirSync(onHost(o.workspaceDir, folder), { encoding: 'latin1' });
      try {
        // One by one: a job may leave more names in a folder than memory holds.
        for (let entry = opened.readSync(); entry; entry = opened.readSync()) {
          if (++entries > mostEntries) {
            o.onFault(folder, 'too-many');
            return;
          }
          await pace();
          const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
          if (!entry.isDirectory()) yield { path, isLink: entry.isSymbolicLink() };
          else if (o.enters(path)) folders.push(path);
        }
      } finally {
        opened.closeSync();
      }
    } catch (error) {
      // A run that never started has no workspace.
      if (faultOf(error) === 'unreadable' || folder !== '') o.onFault(folder, 'unreadable');
    }
  }
}
