// Looks up the user of the host that a job runs as (ADR 0049). `getent` and `id` also know users that are not in
// /etc/passwd.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { SecurityProfile } from '../../domain/job.ts';
import type { RunAs } from '../../domain/run.ts';
import { isThere } from '../../lib/files/is-there.ts';
import { readPasswdEntry } from '../../lib/files/passwd-entry.ts';
import { isServerRoot } from '../job-user.ts';
import { isSandboxed } from '../sandbox/sandbox.ts';
import { findProgram } from './host-programs.ts';

/** See `Executor.findUser`. */
export async function findUser(user: string, profile: SecurityProfile): Promise<RunAs | string> {
  if (!isServerRoot) return 'only a server that runs as root can do that: start flwd as root, or remove run_as';
  if (!isSandboxed(profile))
    return 'without bubblewrap that user cannot reach the files of the job: install bubblewrap';
  const entry = readPasswdEntry(await said('getent', ['passwd', user]));
  const groups = await said('id', ['-G', user]);
  if (!entry || groups === '') return 'this host has no such user';
  const { uid, gid, home } = entry;
  if (uid === 0) return 'that is another name of root: use security_profile: disabled instead';
  return {
    user,
    uid,
    gid,
    groups: groups.split(' ').map(Number),
    home: home !== null && isThere(home) ? home : null,
  };
}

/** Returns the output of the program; an empty text if it fails. */
async function said(program: string, args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(findProgram(program) ?? program, args, { cwd: '/', timeout: 10_000 });
    return stdout.trim();
  } catch {
    return '';
  }
}
