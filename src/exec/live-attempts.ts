// Whose processes are alive, told from the folders of runs alone: a server that is not there can be asked nothing.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../lib/error-code.ts';
import { isAlive } from './process-table.ts';
import { readStatus } from './shim-status.ts';

/** Ids of runs with a shim that is alive. */
export function runsAlive(runsDir: string): string[] {
  return namesIn(runsDir).filter((runId) =>
    namesIn(join(runsDir, runId)).some((attempt) => {
      const { shim } = readStatus(join(runsDir, runId, attempt)) ?? {};
      return shim !== undefined && isAlive(shim);
    }),
  );
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '')) throw error;
    return [];
  }
}
