// Whose processes are alive, told from the folders of runs alone: a server that is not there can be asked nothing.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../../lib/error-code.ts';
import { killDomainOf } from './kill-domain.ts';
import { isAlive, isEmpty, isOfOtherAttempt, isOfThisBoot } from './process-table.ts';
import { readStatus } from './shim-status.ts';

/** Whether any process may be left that any attempt of the run has started. */
export function isRunAlive(runDir: string): boolean {
  return attemptDirs(runDir).some(isAttemptAlive);
}

export function isAttemptAlive(attemptDir: string): boolean {
  const status = readStatus(attemptDir) ?? {};
  const { shim, sandbox } = status;
  if (!shim || !isOfThisBoot(shim)) return false;
  if (isAlive(shim)) return true;
  if (!sandbox) return killDomainOf(attemptDir, status)?.isEmpty() === false;
  // Its number and its namespace's may have gone to another long ago.
  return !isEmpty(sandbox) && !isOfOtherAttempt(sandbox.initPid, attemptDir);
}

/** Ids of runs with a shim that is alive. */
export function runsAlive(runsDir: string): string[] {
  return namesIn(runsDir).filter((runId) =>
    attemptDirs(join(runsDir, runId)).some((attemptDir) => {
      const { shim } = readStatus(attemptDir) ?? {};
      return shim !== undefined && isAlive(shim);
    }),
  );
}

/** What lies in the workspace is the job's word. */
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
