// A file in the data dir that exists while a restore replaces the files of the instance. If the restore is killed
// meanwhile, some files are old and some are new. Then only another restore may use them.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { StartError } from '../lib/start-error.ts';

export function unfinishedRestoreFile(dataDir: string): string {
  return join(dataDir, 'restore-unfinished.json');
}

/** @throws StartError */
export function assertRestored(dataDir: string): void {
  if (!existsSync(unfinishedRestoreFile(dataDir))) return;
  throw new StartError(
    `a restore into the data dir ${dataDir} was interrupted, so its files are partly old and partly new; run flwd restore again with the same backup to finish it`,
  );
}
