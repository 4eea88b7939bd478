// Creates folders of a data dir that is in use. Somebody may have moved the data dir away. A new folder in its old
// place would get files that nobody finds again, and would be in the way when the data dir is put back.

import { mkdirSync } from 'node:fs';
import { errorCode } from '../error-code.ts';

/**
 * Creates those of the folders that are missing, one after the other.
 * @throws the error of the system; ENOENT if the folder around the first one is missing
 */
export function makeFolders(folders: readonly string[], mode = 0o700): void {
  for (const folder of folders) {
    try {
      mkdirSync(folder, { mode });
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
    }
  }
}
