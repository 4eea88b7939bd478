// Folders of a data dir that no key moves.

import { join } from 'node:path';
import type { Config } from './config.ts';

export function foldersOf({ instance }: Config): { readonly runsDir: string; readonly snapshotsDir: string } {
  return { runsDir: join(instance.dataDir, 'runs'), snapshotsDir: join(instance.dataDir, 'snapshots') };
}
