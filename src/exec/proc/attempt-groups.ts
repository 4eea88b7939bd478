// The cgroups of one attempt: made before it starts, removed after its end (ADR 0010). A file in the attempt's folder lists their
// doors: what the shim's child writes `0` to before it becomes bwrap, and how whoever takes the attempt up finds them.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Resources } from '../../domain/resources.ts';
import { errorCode } from '../../lib/error-code.ts';
import { isThere } from '../../lib/files/is-there.ts';
import type { AttemptSpec } from '../attempt-spec.ts';
import type { Controller, Enforcement, LimitHost } from '../host/limit-host.ts';

/** What an attempt is held to, and by which host. */
export type AttemptLimits = { readonly resources: Resources; readonly host: LimitHost };

/** null: to nothing. */
export type LimitedSpec = AttemptSpec & { readonly limits: AttemptLimits | null };

/** bwrap's own two: the one that waits, and the first of the namespace. */
const sandboxPids = 2;
const cpuPeriodUs = 100_000;
/** The kernel takes no shorter share of a period. */
const leastQuotaUs = 1_000;
const removalMs = 1_000;

/** None where no limit needs one. @throws what the system says */
export function makeGroups(attemptDir: string, { resources, host }: AttemptLimits): void {
  const settings: readonly { readonly at: Enforcement; readonly files: Readonly<Record<string, string>> | null }[] = [
    { at: host.cpu, files: cpuFiles(resources.cpu, host.cpu) },
    { at: host.memory, files: memoryFiles(resources.memoryBytes, host.memory) },
    { at: host.pids, files: resources.pids === null ? null : { 'pids.max': String(resources.pids + sandboxPids) } },
  ];
  const name = `${basename(dirname(attemptDir))}.${basename(attemptDir)}`;
  const wanted = settings.flatMap(({ at, files }) =>
    // One who enters by `tasks` need not wait for the threads of its process; v2 has no such file.
    'dir' in at && files
      ? [{ files, dir: join(at.dir, name), door: at.by === 'cgroup-v1' ? 'tasks' : 'cgroup.procs' }]
      : [],
  );
  if (wanted.length === 0) return;
  const doors = new Set(wanted.map(({ dir, door }) => `${join(dir, door)}\n`));
  // First of all: a group that nobody knows of would stay.
  writeFileSync(doorsPath(attemptDir), [...doors].join(''));
  for (const { dir, files } of wanted) {
    mkdirSync(dir, { recursive: true });
    for (const [file, value] of Object.entries(files)) set(join(dir, file), value);
  }
}

/**
 * Did the attempt fail, and had the kernel ended a process of it for want of memory? Then it removes the groups; a process that is
 * dying is waited for. To be called once nothing is left of the attempt. @throws the system's error when there is no telling at present
 */
export async function leaveGroups(attemptDir: string, hasFailed: boolean): Promise<{ readonly outOfMemory: boolean }> {
  const groups = groupsOf(attemptDir);
  if (groups.length === 0) return { outOfMemory: false };
  const noted = join(attemptDir, 'out-of-memory');
  const outOfMemory = hasFailed && (existsSync(noted) || groups.some(ranOutOfMemory));
  // Whoever resumes an attempt that has ended finds no group any more.
  if (outOfMemory) writeFileSync(noted, '');
  for (const dir of groups) {
    for (const deadlineMs = performance.now() + removalMs; !remove(dir) && performance.now() < deadlineMs; )
      await delay(1);
  }
  return { outOfMemory };
}

/** Removes the groups whose attempt's folder is gone. One that is in use cannot be removed. */
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

/** A kernel that does not account for swap has no file for it. */
function set(path: string, value: string): void {
  if (/swap|memsw/.test(basename(path)) && !isThere(path)) return;
  writeFileSync(path, value, { flag: 'r+' });
}

export function groupsOf(attemptDir: string): string[] {
  return readIfThere(doorsPath(attemptDir)).split('\n').slice(0, -1).map(dirname);
}

function doorsPath(attemptDir: string): string {
  return join(attemptDir, 'cgroups');
}

/** By the files of cgroup v2 and v1; a group of another controller has neither. */
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

/** False when something is left in it. */
function remove(dir: string): boolean {
  try {
    rmdirSync(dir);
    return true;
  } catch (error) {
    return errorCode(error) !== 'EBUSY';
  }
}
