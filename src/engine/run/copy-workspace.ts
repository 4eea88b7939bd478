// A copy of the workspace of a run that has ended, for one that goes on from it.

import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Problem } from '../../domain/problem.ts';
import { runConfined } from '../../exec/confined.ts';
import type { Logger } from '../../lib/logger.ts';
import { isShortage } from '../../lib/shortage.ts';

/** As cp(1) says them in English. */
const shortage =
  /No space left on device|Disk quota exceeded|Input\/output error|Read-only file system|Too many open files|Cannot allocate memory/;

/** What it leaves where it fails is its caller's to remove. @throws Problem workspace-expired, not-ready, execution-error */
export async function copyWorkspace(fromRunDir: string, toRunDir: string, log: Logger): Promise<void> {
  const source = join(fromRunDir, 'workspace');
  try {
    if (existsSync(source)) await copy(source, toRunDir);
  } catch (error) {
    // Retention may have taken it meanwhile.
    if (existsSync(source)) throw explain(error, basename(fromRunDir), log);
  }
  if (!existsSync(source)) {
    throw new Problem('workspace-expired', `The workspace of '${basename(fromRunDir)}' is not kept any more.`);
  }
}

async function copy(source: string, toRunDir: string): Promise<void> {
  await mkdir(toRunDir, { mode: 0o700 });
  // Owners, modes, links and holes as they are, and no block twice where the file system can share them. cp(1) follows a folder that is
  // swapped for a link while it copies, by a run that was handed a descriptor of the old workspace.
  await runConfined(
    ['cp', '-a', '--reflink=auto', '/from', '/to/workspace'],
    [
      { from: source, at: '/from', access: 'read' },
      { from: toRunDir, at: '/to', access: 'write' },
    ],
  );
}

function explain(error: unknown, runId: string, log: Logger): Problem {
  const said = error instanceof Error && 'stderr' in error ? String(error.stderr) : '';
  const [lack] = shortage.exec(said) ?? [];
  if (lack !== undefined || isShortage(error)) {
    const why = lack ?? (error instanceof Error ? error.message : String(error));
    return new Problem('not-ready', `The workspace of '${runId}' could not be copied: ${why}.`);
  }
  log.error({ err: error, run_id: runId }, 'a workspace could not be copied');
  return new Problem('execution-error', `The workspace of '${runId}' could not be copied; the server log says why.`);
}
