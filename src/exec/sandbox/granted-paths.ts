// Checks the host paths that a run was granted, and keeps them open until the attempt ends (ADR 0020). Somebody may
// change where a path leads before bwrap has bound it, but an open file stays the same.

import { accessSync, closeSync, constants, fstatSync, openSync, readlinkSync } from 'node:fs';
import { grantConflict } from '../../domain/policy.ts';
import { errorCode } from '../../lib/error-code.ts';
import { pathOnly } from '../../lib/files/mount-table.ts';
import { isShortage } from '../../lib/shortage.ts';
import type { AttemptSpec } from '../attempt-spec.ts';

export type OpenGrant = { readonly kind: 'read' | 'write'; readonly path: string; readonly fd: number };

/** An error whose message is shown to people who read the run. */
export class GrantRefused extends Error {}

/**
 * Opens the paths. The caller must close them.
 * @throws GrantRefused, or the system's error if it lacks descriptors or memory
 */
export function openGrants(spec: Pick<AttemptSpec, 'read' | 'write' | 'masked'>): OpenGrant[] {
  const grants: OpenGrant[] = [];
  try {
    for (const kind of ['read', 'write'] as const) {
      for (const path of pathsOf(spec, kind)) {
        grants.push({ kind, path, fd: openUnmoved(path) });
        if (grantConflict(kind, path, spec.masked))
          throw new GrantRefused('a path that the job was granted is or contains something that belongs to the server');
      }
    }
    for (const { fd } of grants) assertShown(fd);
    return grants;
  } catch (error) {
    closeGrants(grants);
    throw error;
  }
}

export function closeGrants(grants: readonly OpenGrant[]): void {
  for (const { fd } of grants) closeSync(fd);
}

/** Returns each path once: a writable path is readable, too, and two mounts at one place could not be told apart. */
function pathsOf({ read, write }: Pick<AttemptSpec, 'read' | 'write'>, kind: OpenGrant['kind']): Set<string> {
  return new Set(kind === 'write' ? write : read.filter((path) => !write.includes(path)));
}

/**
 * Opens a path that did not go through a link when the run was created. Throws if the path now leads elsewhere, because
 * somebody has replaced it or a folder above it with a link.
 */
function openUnmoved(path: string): number {
  const fd = openOrRefuse(path);
  if (readlinkSync(`/proc/self/fd/${fd}`) === path) return fd;
  closeSync(fd);
  throw new GrantRefused(moved);
}

const moved = 'a path that the job was granted has been moved or removed since the run was created';

function openOrRefuse(path: string): number {
  try {
    return openSync(path, pathOnly | constants.O_NOFOLLOW);
  } catch (error) {
    if (isShortage(error) || !['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES'].includes(errorCode(error) ?? '')) throw error;
    throw new GrantRefused(moved);
  }
}

function assertShown(fd: number): void {
  const stats = fstatSync(fd);
  // O_NOFOLLOW together with O_PATH opens a link itself.
  if (stats.isSymbolicLink()) throw new GrantRefused(moved);
  if (!stats.isDirectory() && !stats.isFile())
    throw new GrantRefused('a path that the job was granted is neither a folder nor a regular file');
  try {
    accessSync(`/proc/self/fd/${fd}`, constants.R_OK);
  } catch (error) {
    if (errorCode(error) !== 'EACCES') throw error;
    throw new GrantRefused('a path that the job was granted cannot be read by the user of the server');
  }
}
