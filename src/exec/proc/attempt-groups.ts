// The cgroups of one attempt. They are created before it starts, and removed after its end (ADR 0010). A file in the
// attempt's folder lists the `cgroup.procs` file of each: the shim's child enters a group by writing `0` to that file,
// before it becomes bwrap. A server that resumes the attempt finds the groups in the same file.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Resources } from '../../domain/resources.ts';
import { errorCode } from '../../lib/error-code.ts';
import { isThere } from '../../lib/files/is-there.ts';
import type { AttemptSpec } from '../attempt-spec.ts';
import type { Controller, Enforcement, LimitHost } from '../host/limit-host.ts';

/** The limits of an attempt, and the host that enforces them. */
export type AttemptLimits = { readonly resources: Resources; readonly host: LimitHost };

/** `limits` is null if there are no limits. */
export type LimitedSpec = AttemptSpec & { readonly limits: AttemptLimits | null };

/** The processes of bwrap itself: the one that waits, and the first process of the namespace. */
const sandboxPids = 2;
const cpuPeriodUs = 100_000;
/** The kernel accepts no smaller quota. */
const leastQuotaUs = 1_000;
const removalMs = 1_000;

/**
 * Creates the groups, but only those that a limit needs.
 * @throws errors of the system
 */
export function makeGroups(attemptDir: string, { resources, host }: AttemptLimits): void {
  const settings: readonly { readonly at: Enforcement; readonly files: Readonly<Record<string, string>> | null }[] = [
    { at: host.cpu, files: cpuFiles(resources.cpu, host.cpu) },
    { at: host.memory, files: memoryFiles(resources.memoryBytes, host.memory) },
    { at: host.pids, files: resources.pids === null ? null : { 'pids.max': String(resources.pids + sandboxPids) } },
  ];
  const name = `${basename(dirname(attemptDir))}.${basename(attemptDir)}`;
  const wanted = settings.flatMap(({ at, files }) =>
    // A process enters faster through `tasks`, because a write to `cgroup.procs` waits for the kernel (ADR 0010). v2
    // has no `tasks`.
    'dir' in at && files
      ? [{ files, dir: join(at.dir, name), procs: at.by === 'cgroup-v1' ? 'tasks' : 'cgroup.procs' }]
      : [],
  );
  if (wanted.length === 0) return;
  const procsFiles = new Set(wanted.map(({ dir, procs }) => `${join(dir, procs)}\n`));
  // The list is written first, because a group that is not listed would never be removed.
  writeFileSync(groupListPath(attemptDir), [...procsFiles].join(''));
  for (const { dir, files } of wanted) {
    mkdirSync(dir, { recursive: true });
    for (const [file, value] of Object.entries(files)) set(join(dir, file), value);
  }
}

/**
 * Finds out whether the attempt failed after the kernel had ended one of its processes for lack of memory, and then
 * removes the groups. Waits if a process is still dying. Call this once nothing is left of the attempt.
 * @throws the system's error if this cannot be determined at present
 */
export async function leaveGroups(attemptDir: string, hasFailed: boolean): Promise<{ readonly outOfMemory: boolean }> {
  const groups = groupsOf(attemptDir);
  if (groups.length === 0) return { outOfMemory: false };
  const noted = join(attemptDir, 'out-of-memory');
  const outOfMemory = hasFailed && (existsSync(noted) || groups.some(ranOutOfMemory));
  // This is written to a file, because a server that resumes the ended attempt no longer finds the group.
  if (outOfMemory) writeFileSync(noted, '');
  for (const dir of groups) {
    for (const deadlineMs = performance.now() + removalMs; !remove(dir) && performance.now() < deadlineMs; )
      await delay(1);
  }
  return { outOfMemory };
}

/** Removes the groups of attempts whose folders were removed. The kernel refuses to remove a group that is in use. */
export function sweepGroups(host: LimitHost, runsDir: string): void {
  for (const controller of ['cpu', 'memory', 'pids'] as const satisfies readonly Controller[]) {
    const at = host[controller];
    if (!('dir' in at)) continue;
    for (const entry of readdirSync(at.dir, { withFileTypes: true })) {
      const [run = '', attempt = ''] = entry.name.split('.');
      if (entry.isDirectory() && !existsSync(join(runsDir, run, attempt))) remove(join(at.dir, entry.name));
    }
  }
}

function cpuFiles(cores: number | null, { by }: Enforcement): Record<string, string> | null {
  if (cores === null) return null;
  const quotaUs = Math.max(leastQuotaUs, Math.round(cores * cpuPeriodUs));
  if (by === 'cgroup-v2') return { 'cpu.max': `${quotaUs} ${cpuPeriodUs}` };
  return { 'cpu.cfs_period_us': String(cpuPeriodUs), 'cpu.cfs_quota_us': String(quotaUs) };
}

function memoryFiles(bytes: number | null, { by }: Enforcement): Record<string, string> | null {
  if (bytes === null) return null;
  if (by === 'cgroup-v2') return { 'memory.max': String(bytes), 'memory.swap.max': '0' };
  return { 'memory.limit_in_bytes': String(bytes), 'memory.memsw.limit_in_bytes': String(bytes) };
}

/** Writes a limit. A kernel that does not count swap has no file for the limit of swap. */
function set(path: string, value: string): void {
  if (/swap|memsw/.test(basename(path)) && !isThere(path)) return;
  writeFileSync(path, value, { flag: 'r+' });
}

export function groupsOf(attemptDir: string): string[] {
  return readIfThere(groupListPath(attemptDir)).split('\n').slice(0, -1).map(dirname);
}

function groupListPath(attemptDir: string): string {
  return join(attemptDir, 'cgroups');
}

/** Reads the file of cgroup v2 or v1. The group of a controller other than memory has neither file. */
function ranOutOfMemory(dir: string): boolean {
  return ['memory.events', 'memory.oom_control'].some((file) => {
    const [, kills] = /^oom_kill (\d+)$/m.exec(readIfThere(join(dir, file))) ?? [];
    return Number(kills ?? 0) > 0;
  });
}

function readIfThere(path: string): string {
  if (!isThere(path)) return '';
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ENODEV'].includes(errorCode(error) ?? '')) return '';
    throw error;
  }
}

/** Removes a group. Returns false if processes are left in it. */
function remove(dir: string): boolean {
  try {
    rmdirSync(dir);
    return true;
  } catch (error) {
    return errorCode(error) !== 'EBUSY';
  }
}
