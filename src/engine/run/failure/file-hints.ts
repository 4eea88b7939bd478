// Hints about files that the sandbox does not show, or that the job may not write.

import { posix } from 'node:path';
import { shellWord } from '../../../lib/shell-word.ts';
import type { FailedAttempt } from './failed-attempt.ts';
import { argumentIn, isPlain, isShared, kindOfPath, pathIn, permission, permissionToRead } from './shown-path.ts';

const missing =
  /no such file or directory|directory nonexistent|\bENOENT\b|No such file\b|Cannot find module '\/workspace\//i;
/** Words that scripts print themselves if the file or folder that an argument names is missing. */
const unfound = /\bno such\b|\bnot (?:found|exist|a (?:directory|folder|file))\b|n't exist\b|cannot find|\bmissing\b/i;
const readOnly = /read-only file system|\bEROFS\b/i;
const denied = /: permission denied$|\[Errno 13\]|operation not permitted|\b(?:EACCES|EPERM)\b/i;
/** Matches a line about a file or folder that the script tried to make. */
const creates =
  /cannot (?:create|touch|make|move)|directory nonexistent|^(?:mkdir|touch|tee|install): |for writing|mkdir ['"]/i;

/** Matches an error about something that only the owner or root may do, such as `chown`. */
const needsRoot = /operation not permitted|\bEPERM\b/i;

const operator = 'the operator must list the path in `security.paths` of flwd.yaml';

export function hintForFile(line: string, failed: FailedAttempt): string | undefined {
  if (mayBeElsewhere(line, failed)) return undefined;
  const path = pathIn(line);
  if (missing.test(line)) return hintForMissing(path, line, failed);
  if (readOnly.test(line)) return hintForReadOnly(path, line, failed);
  if (denied.test(line)) return hintForDenied(path, line, failed);
  const given = unfound.test(line) ? argumentIn(line, failed) : undefined;
  return given === undefined ? undefined : hintForMissing(given, line, failed);
}

/** Whether the file may be on another machine, or the error may come from a database. */
function mayBeElsewhere(line: string, { lines, isolation }: FailedAttempt): boolean {
  if (isolation.network === 'none') return false;
  const remote = /^(?:ssh|scp|sftp|rsync)\b/;
  return remote.test(line) || remote.test(lines.bash?.command ?? '') || /\bERROR:/.test(line);
}

function hintForMissing(path: string | undefined, line: string, failed: FailedAttempt): string | undefined {
  if (failed.isolation.filesystem !== 'workspace') return undefined;
  if (path === undefined) {
    return (
      'a job sees only its own files and those of the system: allow more with `permissions: {read: […]}`, or `write` ' +
      'if the script writes there'
    );
  }
  if (/^\/(?:var|run)\/lock\//.test(path))
    return 'remove the lock from the script: `concurrency: {limit: 1}` in config.yaml keeps runs of a job apart without it';
  const kind = kindOfPath(path, failed.plan);
  if (kind === 'workspace') return hintForWorkspace(path, failed);
  if (kind !== 'hidden') return undefined;
  if (creates.test(line) || redirectionTo(path, failed) !== undefined) return hintForWriting(path, line, failed);
  const lead = path.startsWith('/etc/')
    ? 'the sandbox shows only a few files of /etc'
    : `the sandbox does not show ${path}`;
  return `${lead}: if the host has it, allow it with ${permissionToRead(path, failed)} (\`write\` if the job changes it); ${operator}`;
}

/** The hint for a path that the script may not write to. */
function hintForWriting(path: string, line: string, failed: FailedAttempt): string {
  const lead = `the job may not write to ${path}`;
  if (isLog(path, line, failed)) return `${lead}: remove the redirection, because flwd keeps the output of each run`;
  const folder = madeFolder(path, failed) ?? posix.dirname(path);
  if (folder === '/')
    return `${lead}: if a variable in the path was empty, set it. Otherwise, allow the folder with ${permission('write', undefined)}; ${operator}`;
  // In a folder that others use, too, a job gets the path alone. The server refuses a path that does not exist.
  if (isShared(folder))
    return `${lead}: once it exists on the host, allow it with ${permission('write', path)}; ${operator}`;
  return `${lead}: allow it with ${permission('write', folder)}; ${operator}`;
}

/** The folder that `mkdir -p` was to make. Its message names only the part of the path that it could not make. */
function madeFolder(path: string, { lines }: FailedAttempt): string | undefined {
  const words = (lines.bash?.command ?? '').split(/[\s"']+/);
  return words.find((word) => word.startsWith(`${path}/`) && isPlain(word));
}

/** Whether the path is a file for the output of a program, which flwd keeps. Only dash says `cannot create PATH`. */
function isLog(path: string, line: string, failed: FailedAttempt): boolean {
  const redirection = redirectionTo(path, failed) ?? (line.startsWith('cannot create ') ? '>' : undefined);
  return redirection !== undefined && (path.endsWith('.log') || /&>|2>&1/.test(redirection));
}

const redirections = /(?:&|\d)?>>?\s*(["']?)([^"'|;<>&]+?)\1(?=[\s;|&)]|$)(?:\s*2>&1)?/g;

/** The redirection of the command that failed, if it writes to the path. It may name the path as `~/x` or `$HOME/x`. */
function redirectionTo(path: string, { lines }: FailedAttempt): string | undefined {
  for (const [redirection, , target = ''] of (lines.bash?.command ?? '').matchAll(redirections)) {
    const end = target.replace(/^[~$][^/]*(?=\/)/, '');
    if (target === path || (end !== target && path.endsWith(end))) return redirection;
  }
  return undefined;
}

/** The hint for `command: [bash, run.sh]`, where only words that begin with ./ are files of the job. */
export function hintForWord(path: string, { command }: FailedAttempt): string | undefined {
  const name = path.replace(/^\/workspace\//, '');
  if (!command.slice(1).includes(name)) return undefined;
  return `under \`command\`, a file that lies beside config.yaml begins with ./: write ./${name}`;
}

function hintForWorkspace(path: string, failed: FailedAttempt): string | undefined {
  const ofWord = hintForWord(path, failed);
  if (ofWord !== undefined) return ofWord;
  // JavaScript and Python put these words into a path for a variable that is not set.
  if (/^(?:undefined|None)\//.test(path))
    return `${path} begins with a variable that is not set: variables of flwd are named like $FLWD_ARTIFACTS_DIR, and others come from \`env\` in config.yaml`;
  if (/^(?:~|\/workspace)\/\.\w/.test(path)) {
    return (
      '`~` is the run’s workspace, not the home of a user: allow the file with `permissions: {read: […]}` and name it ' +
      'by its full path, or make it a secret'
    );
  }
  if (path.startsWith('/') || path.startsWith('~') || path.split('/').includes('..')) return undefined;
  // The shell looks for a program without a path only in the folders of PATH.
  if (failed.exitCode === 127 && !path.startsWith('./')) return undefined;
  // An earlier step may have made the file and removed it.
  if (failed.plan.job.composition === 'steps' && !failed.isBesideConfig(path)) return undefined;
  return `a run starts in an empty workspace: a file that lies beside config.yaml is "$FLWD_JOB_DIR/${path.replace(/^\.\//, '')}"`;
}

function hintForReadOnly(path: string | undefined, line: string, failed: FailedAttempt): string | undefined {
  const { plan, isolation } = failed;
  if (isolation.filesystem === 'host') return undefined;
  if (path === undefined)
    return `the job may write only to its workspace and \`/tmp\`: allow more with ${permission('write', undefined)}; ${operator}`;
  const kind = kindOfPath(path, plan);
  if (kind === 'job')
    return 'a job cannot change its own folder: let it write to its workspace, which is `$FLWD_WORKSPACE`';
  if (kind === 'granted-to-read')
    return `the job may only read there: move the path from \`read\` to \`write\` under \`permissions\``;
  // The workspace itself can be written, so the program must have changed to another folder.
  if (kind === 'workspace' && !path.startsWith('/') && !path.startsWith('~'))
    return (
      `the script has changed to a folder in which it may not write ${path}: let it write to \`$FLWD_WORKSPACE\` or, ` +
      'for later runs, to a folder that `permissions: {write: […]}` names'
    );
  if (kind === 'granted' || kind === 'workspace') return undefined;
  return hintForWriting(path, line, failed);
}

function hintForDenied(
  path: string | undefined,
  line: string,
  { exitCode, isolation }: FailedAttempt,
): string | undefined {
  if (exitCode === 126)
    return path === undefined
      ? undefined
      : `if ${path} is a script, make it executable with \`chmod +x\`, or start it with its interpreter`;
  if (path?.startsWith('/workspace/')) return undefined;
  if (isolation.capabilities === 'server') return undefined;
  const user = `the job runs as uid ${isolation.uid}`;
  if (path === undefined || needsRoot.test(line)) return `${user}, without root privileges`;
  // A relative path may start anywhere: the program may have changed to another folder.
  if (!path.startsWith('/'))
    return `${user}: the file and the folders above it must let this user in (owner, mode, ACL)`;
  return (
    `${user}, which may not use ${path}: \`namei -l ${shellWord(path)}\` on the host shows whom each folder lets in. ` +
    'Let this user in or, if the server runs as root, set `run_as`'
  );
}
