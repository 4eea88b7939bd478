// The files of an attempt, made before it starts. What the job writes belongs to the user it runs as.

import { chmodSync, chownSync, lstatSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { errorCode } from '../lib/error-code.ts';
import type { AttemptSpec } from './attempt-spec.ts';
import { bashDeclarations } from './bash-arguments.ts';
import { changesUser, uidOf } from './job-user.ts';

export type AttemptPlaces = { readonly inDir: string; readonly outDir: string };

export function spoolPath(attemptDir: string): string {
  return join(attemptDir, 'spool');
}

export function makeAttemptFiles(spec: AttemptSpec): AttemptPlaces {
  const { attemptDir, workspaceDir, job, action, args } = spec;
  const inDir = join(attemptDir, 'in');
  const outDir = join(attemptDir, 'out');

  mkdirSync(dirname(attemptDir), { recursive: true, mode: 0o700 });
  // Left by a start that was given up before its shim began.
  if (!makeFolder(attemptDir)) {
    rmSync(attemptDir, { recursive: true });
    mkdirSync(attemptDir, { mode: 0o700 });
  }
  makeWorkspace(spec);
  // A folder that is there already may have become a link by the run's earlier attempt: it is left as it is.
  const own: string[] = [inDir, outDir, join(workspaceDir, 'artifacts')].filter(makeFolder);

  writeOwn('args.json', JSON.stringify(args));
  if (action.ulcProfile === 'ulc.shell.bash') {
    writeOwn('args.bash', bashDeclarations(args, job.argspec, job.secretArgs));
  }
  if (changesUser(spec.profile)) for (const path of own) chownSync(path, uidOf(spec.profile), uidOf(spec.profile));
  return { inDir, outDir };

  function writeOwn(name: string, text: string): void {
    const path = join(inDir, name);
    writeFileSync(path, text);
    own.push(path);
  }
}

/** Whole or not at all: one that a crash left half made would stay closed to the job. */
function makeWorkspace({ workspaceDir, profile }: AttemptSpec): void {
  if (lstatSync(workspaceDir, { throwIfNoEntry: false })) return;
  const draft = `${workspaceDir}.new`;
  const artifacts = join(draft, 'artifacts');
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(artifacts, { recursive: true, mode: 0o700 });
  chmodSync(draft, 0o755);
  if (changesUser(profile)) for (const path of [artifacts, draft]) chownSync(path, uidOf(profile), uidOf(profile));
  renameSync(draft, workspaceDir);
}

/** False when it is there already. */
function makeFolder(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}
