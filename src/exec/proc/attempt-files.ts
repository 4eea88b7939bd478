// Creates the files of an attempt before it starts. Files that the job writes to belong to the user it runs as.

import { chmodSync, chownSync, lstatSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { AttemptSpec } from '../attempt-spec.ts';
import { changesUser, jobUser } from '../job-user.ts';
import { bashDeclarations } from './bash-arguments.ts';

export function spoolPath(attemptDir: string): string {
  return join(attemptDir, 'spool');
}

export function makeAttemptFiles(spec: AttemptSpec) {
  const { attemptDir, workspaceDir, job, action, args } = spec;
  const inDir = join(attemptDir, 'in');
  const outDir = join(attemptDir, 'out');

  const isFirst = mkdirSync(dirname(attemptDir), { recursive: true, mode: 0o700 }) !== undefined;
  // Removes the files of an earlier start that was abandoned before its shim began.
  if (!isFirst) rmSync(attemptDir, { recursive: true, force: true });
  // Once the workspace exists, only files outside of it are created or changed. Other steps of the run could turn any
  // name in it into a link to the host.
  const own = [inDir, outDir];
  for (const path of [attemptDir, ...own]) mkdirSync(path, { mode: 0o700 });
  if (isFirst) makeWorkspace(spec);
  else if (!lstatSync(workspaceDir, { throwIfNoEntry: false })) {
    rmSync(draftOf(workspaceDir), { recursive: true, force: true });
    makeWorkspace(spec);
  }

  writeOwn('args.json', JSON.stringify(args));
  if (action.ulcProfile === 'ulc.shell.bash') {
    writeOwn('args.bash', bashDeclarations(args, job.argspec, job.secretArgs));
  }
  for (const path of own) giveToJob(path, spec);
  markStart(inDir);
  return { inDir, outDir };

  function writeOwn(name: string, text: string): void {
    const path = join(inDir, name);
    writeFileSync(path, text);
    own.push(path);
  }
}

/**
 * Makes the folder's change time later than that of every file written so far. The kernel's coarse clock may show the
 * same time for up to 10 ms. Since Linux 6.13, the kernel uses the exact time for a file whose time was read before, so
 * the folder's time is read first.
 */
function markStart(dir: string): void {
  const { atime, mtime } = lstatSync(dir);
  utimesSync(dir, atime, mtime);
}

/**
 * Creates the workspace completely or not at all, before any process can see it. After a crash, the job could not use a
 * half-created workspace.
 */
function makeWorkspace(spec: AttemptSpec): void {
  const { workspaceDir } = spec;
  const draft = draftOf(workspaceDir);
  const artifacts = join(draft, 'artifacts');
  for (const path of [draft, artifacts]) mkdirSync(path, { mode: 0o700 });
  chmodSync(draft, 0o755);
  for (const path of [artifacts, draft]) giveToJob(path, spec);
  renameSync(draft, workspaceDir);
}

function giveToJob(path: string, { profile, runAs }: AttemptSpec): void {
  const { uid, gid } = jobUser(profile, runAs);
  if (changesUser(profile, runAs)) chownSync(path, uid, gid);
}

function draftOf(workspaceDir: string): string {
  return `${workspaceDir}.new`;
}
