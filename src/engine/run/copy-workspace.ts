// Copies the workspace of a run that has ended, for a rerun that continues from it.

import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Problem } from '../../domain/problem.ts';
import { runConfined } from '../../exec/confined.ts';
import type { Logger } from '../../lib/logger.ts';
import { isShortage } from '../../lib/shortage.ts';

/** What cp(1) prints in English when room or another resource is lacking. */
const shortage =
  /No space left on device|Disk quota exceeded|Input\/output error|Read-only file system|Too many open files|Cannot allocate memory/;

type Owner = { readonly uid: number; readonly gid: number };

/**
 * `owner` is the user of the new run, if the earlier run had another user. If the copy fails, the caller removes what
 * was copied so far.
 * @throws Problem workspace-expired, not-ready, execution-error
 */
export async function copyWorkspace(
  fromRunDir: string,
  toRunDir: string,
  { log, owner }: { readonly log: Logger; readonly owner: Owner | null },
): Promise<void> {
  const source = join(fromRunDir, 'workspace');
  try {
    if (existsSync(source)) await copy(source, toRunDir, owner);
  } catch (error) {
    // Retention may have removed the workspace in the meantime.
    if (existsSync(source)) throw explain(error, basename(fromRunDir), log);
  }
  if (!existsSync(source)) {
    throw new Problem('workspace-expired', `The workspace of '${basename(fromRunDir)}' is no longer kept.`);
  }
}

async function copy(source: string, toRunDir: string, owner: Owner | null): Promise<void> {
  await mkdir(toRunDir, { mode: 0o700 });
  // Keeps owners, modes, links and holes, and shares blocks where the file system can. A run that was passed a
  // descriptor of the old workspace can swap a folder for a link during the copy, and cp(1) would follow the link. So
  // cp(1) runs confined.
  await runConfined(
    ['cp', '-a', '--reflink=auto', '/from', '/to/workspace'],
    [
      { from: source, at: '/from', access: 'read' },
      { from: toRunDir, at: '/to', access: 'write' },
    ],
  );
  if (!owner) return;
  const chown = ['chown', '--recursive', '--no-dereference', `${owner.uid}:${owner.gid}`, '/to/workspace'];
  await runConfined(chown, [{ from: toRunDir, at: '/to', access: 'write' }]);
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
