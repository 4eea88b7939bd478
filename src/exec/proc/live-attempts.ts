// Finds live processes of runs. It needs only the folders of the runs, for commands that run without a server.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../../lib/error-code.ts';
import { isRunFolder } from '../../lib/ids.ts';
import { killDomainOf } from './kill-domain.ts';
import { isAlive, isEmpty, isOfOtherAttempt, isOfThisBoot } from './process-table.ts';
import { readStatus } from './shim-status.ts';

/** Whether a process of any attempt of the run may still be alive. */
export function isRunAlive(runDir: string): boolean {
  return attemptDirs(runDir).some(isAttemptAlive);
}

export function isAttemptAlive(attemptDir: string): boolean {
  const status = readStatus(attemptDir) ?? {};
  const { shim, sandbox } = status;
  if (!shim || !isOfThisBoot(shim)) return false;
  if (isAlive(shim)) return true;
  if (!sandbox) return killDomainOf(attemptDir, status)?.isEmpty() === false;
  // The pid may now belong to another process, and the inode to another namespace.
  return !isEmpty(sandbox) && !isOfOtherAttempt(sandbox.initPid, attemptDir);
}

/** Returns the ids of the runs that have a live shim. */
export function runsAlive(runsDir: string): string[] {
  return namesIn(runsDir)
    .filter(isRunFolder)
    .filter((runId) =>
      attemptDirs(join(runsDir, runId)).some((attemptDir) => {
        const { shim } = readStatus(attemptDir) ?? {};
        return shim !== undefined && isAlive(shim);
      }),
    );
}

/** The workspace is skipped, because the job controls its content. */
export function attemptDirs(runDir: string): string[] {
  return namesIn(runDir).flatMap((name) => (name === 'workspace' ? [] : [join(runDir, name)]));
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '')) throw error;
    return [];
  }
}
