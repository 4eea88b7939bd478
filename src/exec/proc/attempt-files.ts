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
  // Removes what an abandoned start has left before its shim began.
  if (!isFirst) rmSync(attemptDir, { recursive: true, force: true });
  // Only files outside the workspace are created or changed: once the workspace exists, other steps of the run may turn
  // any name in the workspace into a link to the host.
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
 * Gives the folder a later change time than everything written so far has. The kernel's coarse clock would repeat the
 * same time for up to 10 ms; since Linux 6.13 it uses the exact time for a file whose time was read before.
 */
function markStart(dir: string): void {
  const { atime, mtime } = lstatSync(dir);
  utimesSync(dir, atime, mtime);
}

/**
 * Creates the workspace completely or not at all, before any process can see it. A half-created workspace, left by a
 * crash, would stay closed to the job.
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
