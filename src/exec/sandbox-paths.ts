// Paths as a job sees them, led back to files of its workspace. A name may hold any bytes but `/` and NUL, so a path is a
// latin1 text here, one character a byte.

import { isUtf8 } from 'node:buffer';
import type { Stats } from 'node:fs';
import { lstat, readlink } from 'node:fs/promises';
import { errorCode } from '../lib/error-code.ts';

/** Relative to the workspace. */
export type BytePath = string;

export type Resolved =
  | { readonly kind: 'found'; readonly path: BytePath; readonly stats: Stats }
  | { readonly kind: 'outside' | 'missing' | 'unreadable' };

const mostLinks = 40;
const workspaceName = 'workspace';
const slash = 0x2f;

export function toBytePath(text: string): BytePath {
  return Buffer.from(text).toString('latin1');
}

export function toText(path: BytePath): string {
  return Buffer.from(path, 'latin1').toString();
}

/** Whether the path has a text that leads to the same file. */
export function isText(path: BytePath): boolean {
  return isUtf8(Buffer.from(path, 'latin1'));
}

export function onHost(workspaceDir: string, path: BytePath): Buffer {
  return Buffer.concat([Buffer.from(`${workspaceDir}/`), Buffer.from(path, 'latin1')]);
}

/** Looks at a path that no link is part of. */
export async function statPath(workspaceDir: string, path: BytePath): Promise<Resolved> {
  try {
    return { kind: 'found', path, stats: await lstat(onHost(workspaceDir, path)) };
  } catch (error) {
    return { kind: faultOf(error) };
  }
}

/**
 * Follows a path from `/workspace`, or an absolute one, link by link, as it led inside the sandbox: a link to
 * `/workspace/a` means the workspace's `a`, and one to `/etc` never the host's. No process of the run is left to change what is found.
 */
export async function resolvePath(workspaceDir: string, path: BytePath): Promise<Resolved> {
  const rest = toSteps(path.startsWith('/') ? asInSandbox(workspaceDir, path) : `/${workspaceName}/${path}`);
  const walked: string[] = [];
  let links = 0;
  try {
    for (let step = rest.pop(); step !== undefined; step = rest.pop()) {
      if (step === '..') walked.pop();
      else walked.push(step);
      if (walked.length === 0) continue;
      if (walked[0] !== workspaceName) return { kind: 'outside' };
      const here = onHost(workspaceDir, toBelow(walked));
      if (!(await lstat(here)).isSymbolicLink()) continue;
      if (++links > mostLinks) return { kind: 'missing' };
      const target = await readlink(here, 'buffer');
      walked.length = target[0] === slash ? 0 : walked.length - 1;
      rest.push(...toSteps(target.toString('latin1')));
    }
  } catch (error) {
    return { kind: faultOf(error) };
  }
  return walked.length === 0 ? { kind: 'outside' } : statPath(workspaceDir, toBelow(walked));
}

/** A job without a sandbox names its workspace as the host does. */
function asInSandbox(workspaceDir: string, path: BytePath): BytePath {
  const root = toBytePath(`${workspaceDir}/`);
  return path.startsWith(root) ? `/${workspaceName}/${path.slice(root.length)}` : path;
}

function toBelow(walked: readonly string[]): BytePath {
  return walked.slice(1).join('/');
}

/** In reverse, to be popped. */
function toSteps(path: string): string[] {
  return path
    .split('/')
    .filter((step) => step !== '' && step !== '.')
    .toReversed();
}

/** What a job can bring about; anything else is a failure of the host and thrown. */
export function faultOf(error: unknown): 'missing' | 'unreadable' {
  const code = errorCode(error) ?? '';
  if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP', 'ERR_INVALID_ARG_VALUE'].includes(code)) return 'missing';
  if (['EACCES', 'EPERM'].includes(code)) return 'unreadable';
  throw error;
}
