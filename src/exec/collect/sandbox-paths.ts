// Translates paths as a job sees them into files of its workspace. A name may contain any bytes except `/` and NUL, so
// a path is latin1 text here, one character per byte.

import { isUtf8 } from 'node:buffer';
import { accessSync, closeSync, constants, fstatSync, openSync, readlinkSync, type Stats } from 'node:fs';
import { errorCode } from '../../lib/error-code.ts';
import { pathOnly } from '../../lib/files/mount-table.ts';
import type { Yielder } from '../../lib/yielder.ts';
import { entryOf, isWithin, pinFolder } from './pinned-folder.ts';

/** A path relative to the workspace, as latin1 text. */
export type BytePath = string;

export type Resolved =
  | { readonly kind: 'found'; readonly path: BytePath; readonly stats: Stats; readonly isReadable: boolean }
  | { readonly kind: 'outside' | 'missing' | 'unreadable' };

const mostLinks = 40;
/** The kernel accepts no path with more steps than this. Each step costs the server several system calls. */
const mostSteps = 2_048;
const workspaceName = 'workspace';
const slash = 0x2f;

export function toBytePath(text: string): BytePath {
  return Buffer.from(text).toString('latin1');
}

export function toText(path: BytePath): string {
  return Buffer.from(path, 'latin1').toString();
}

/** Whether the path can be written as text that leads to the same file. */
export function isText(path: BytePath): boolean {
  return isUtf8(Buffer.from(path, 'latin1'));
}

export function onHost(workspaceDir: string, path: BytePath): Buffer {
  return Buffer.concat([Buffer.from(`${workspaceDir}/`), Buffer.from(path, 'latin1')]);
}

/**
 * @param entry a path that leads through the descriptor of the folder. If the entry itself has become a link, it is not
 * followed.
 */
export function statEntry(entry: Buffer, path: BytePath): Resolved {
  try {
    const fd = openSync(entry, pathOnly | constants.O_NOFOLLOW);
    try {
      return { kind: 'found', path, stats: fstatSync(fd), isReadable: isReadable(fd) };
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    return { kind: errorOf(error) };
  }
}

/** Finds a file at a path that had no links. A link that was put into the path since then is not followed. */
export function statPath(workspaceDir: string, path: BytePath): Resolved {
  return lookAt(workspaceDir, path, (entry) => statEntry(entry, path));
}

function isReadable(fd: number): boolean {
  try {
    accessSync(`/proc/self/fd/${fd}`, constants.R_OK);
    return true;
  } catch (error) {
    errorOf(error);
    return false;
  }
}

type Missed = Exclude<Resolved, { readonly kind: 'found' }>;

/** @param look gets a path to the same file, in which only the last step can be a link */
function lookAt<T>(workspaceDir: string, path: BytePath, look: (entry: Buffer) => T): T | Missed {
  const cut = path.lastIndexOf('/');
  try {
    const root = pinFolder(Buffer.from(workspaceDir), pathOnly);
    try {
      const folder = cut < 0 ? root : pinFolder(entryOf(root.path, path.slice(0, cut)), pathOnly);
      try {
        if (!isWithin(folder.place, root.place)) return { kind: 'outside' };
        return look(entryOf(folder.path, path.slice(cut + 1)));
      } finally {
        if (folder !== root) folder.close();
      }
    } finally {
      root.close();
    }
  } catch (error) {
    return { kind: errorOf(error) };
  }
}

/**
 * Follows a path link by link, as it would be followed inside the sandbox. A relative path begins in `/workspace`. A
 * link to `/workspace/a` means the workspace's `a`, and a link to `/etc` never means the host's `/etc`. The targets of
 * links count as part of the path. If the path gets too long, the file counts as missing.
 */
export async function resolvePath(workspaceDir: string, path: BytePath, maybeYield: Yielder): Promise<Resolved> {
  const rest = toSteps(path.startsWith('/') ? asInSandbox(workspaceDir, path) : `/${workspaceName}/${path}`);
  const walked: string[] = [];
  const folders = new Set<BytePath>();
  let links = 0;
  let steps = 0;
  for (let step = rest.pop(); step !== undefined; step = rest.pop()) {
    if (++steps > mostSteps) return { kind: 'missing' };
    await maybeYield();
    if (step === '..') walked.pop();
    else walked.push(step);
    if (walked.length === 0) continue;
    if (walked[0] !== workspaceName) return { kind: 'outside' };
    const here = toBelow(walked);
    if (folders.has(here)) continue;
    const found = statPath(workspaceDir, here);
    if (found.kind !== 'found') return found;
    if (found.stats.isDirectory()) folders.add(here);
    if (!found.stats.isSymbolicLink()) continue;
    if (++links > mostLinks) return { kind: 'missing' };
    const target = lookAt(workspaceDir, here, (entry) => readlinkSync(entry, 'buffer'));
    if (!Buffer.isBuffer(target)) return target;
    walked.length = target[0] === slash ? 0 : walked.length - 1;
    rest.push(...toSteps(target.toString('latin1')));
  }
  return walked.length === 0 ? { kind: 'outside' } : statPath(workspaceDir, toBelow(walked));
}

/** A job without a sandbox uses the path of its workspace on the host. */
function asInSandbox(workspaceDir: string, path: BytePath): BytePath {
  const root = toBytePath(`${workspaceDir}/`);
  return path.startsWith(root) ? `/${workspaceName}/${path.slice(root.length)}` : path;
}

function toBelow(walked: readonly string[]): BytePath {
  return walked.slice(1).join('/');
}

/** Returns the steps in reverse order, so that the next step can be popped. */
function toSteps(path: string): string[] {
  return path
    .split('/')
    .filter((step) => step !== '' && step !== '.')
    .toReversed();
}

/** Says which mistake of the job caused the error. Any other error is a failure of the host and is thrown. */
export function errorOf(error: unknown): 'missing' | 'unreadable' {
  const code = errorCode(error) ?? '';
  // EINVAL means that a link has been replaced by something else.
  if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP', 'EINVAL', 'ERR_INVALID_ARG_VALUE'].includes(code))
    return 'missing';
  if (['EACCES', 'EPERM'].includes(code)) return 'unreadable';
  throw error;
}

/**
 * A name that is safe to show: without characters that could break a line or a header, move a cursor, or change the
 * direction of text.
 */
export function withoutControls(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, '_');
}
