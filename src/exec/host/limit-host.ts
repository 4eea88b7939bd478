// Finds out how this host can enforce the limits of a run: with cgroups if the server may create them, otherwise with
// rlimits (ADR 0010). Call it once, at the start: it creates the folder below which attempts get their cgroups.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { release, totalmem } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { LimitMeans, LimitReport } from '../../domain/resources.ts';
import { errorCode } from '../../lib/error-code.ts';
import { isServerRoot } from '../job-user.ts';
import { findHierarchies, type Hierarchy } from './cgroup-hierarchies.ts';
import { findProgram } from './host-programs.ts';

/**
 * Says how each limit is enforced. This is only data; the functions that enforce the limits are in attempt-groups.ts.
 */
export type LimitHost = Readonly<Record<Controller, Enforcement>>;
export type Controller = 'cpu' | 'memory' | 'pids';
export type Enforcement =
  | { readonly by: 'cgroup-v2' | 'cgroup-v1' /** The attempts' groups are below it. */; readonly dir: string }
  | { readonly by: 'rlimit' | 'none'; readonly detail: string };

/** Values that mean "no limit". They are written to a new group to test whether its limits can be set. */
const unlimited = {
  'cgroup-v2': { cpu: ['cpu.max', 'max'], memory: ['memory.max', 'max'], pids: ['pids.max', 'max'] },
  'cgroup-v1': { cpu: ['cpu.cfs_quota_us', '-1'], memory: ['memory.limit_in_bytes', '-1'], pids: ['pids.max', 'max'] },
} as const;

/** The cgroup into which the server moves, because a cgroup that passes controllers on may not contain processes. */
const serverGroup = 'flwd-server';
const shareOfHost = 0.75;

/**
 * Finds out how each limit can be enforced. The name of the groups' folder comes from the data dir, so that two servers
 * on one host have different groups.
 */
export function openLimitHost(dataDir: string, hierarchies = findHierarchies()): LimitHost {
  const folder = `flwd-${createHash('sha256').update(dataDir).digest('hex').slice(0, 12)}`;
  const enforcement = (controller: Controller): Enforcement => {
    const hierarchy = hierarchies.find(({ controllers }) => controllers.includes(controller));
    const group = hierarchy ? openGroups(hierarchy, controller, folder) : 'this host has no cgroup controller for it';
    return typeof group === 'string' ? withoutCgroup(controller, group) : group;
  };
  return { cpu: enforcement('cpu'), memory: enforcement('memory'), pids: enforcement('pids') };
}

/**
 * Reports the limits as `GET /system/info` shows them. With `isSandboxed` false, reports those that apply to runs
 * without a sandbox.
 */
export function reportOf(host: LimitHost, isSandboxed = true): LimitReport {
  if (!isSandboxed && host.pids.by === 'rlimit') {
    const detail = 'without a sandbox, an rlimit would count all processes of the user';
    return { ...reportOf(host), pids: { by: 'none', detail } };
  }
  return {
    cpu: toReport(host.cpu),
    memory: toReport(host.memory),
    pids: toReport(host.pids),
    workspace: { by: 'polling', detail: 'the workspace is measured from time to time, so it may grow past its limit' },
  };
}

function toReport(enforcement: Enforcement): { by: LimitMeans; detail: string | null } {
  return { by: enforcement.by, detail: 'detail' in enforcement ? enforcement.detail : null };
}

/**
 * The memory limit if neither the job nor the instance sets one. Without cgroups there is no such limit, because an
 * rlimit would also count memory that is reserved but not used.
 */
export function defaultMemoryBytes(host: LimitHost): number | null {
  return 'dir' in host.memory ? Math.floor(shareOfHost * hostMemoryBytes()) : null;
}

let knownMemoryBytes: number | undefined;

/**
 * The memory of the host, or of the container if that is less. It is determined once, because it reads kernel files.
 */
function hostMemoryBytes(): number {
  knownMemoryBytes ??= Math.min(process.constrainedMemory() || Infinity, totalmem());
  return knownMemoryBytes;
}

/** Removes the groups that the server has created, unless attempts continue in them. */
export function closeLimitHost(host: LimitHost): void {
  for (const enforcement of Object.values(host)) {
    if (!('dir' in enforcement)) continue;
    try {
      rmdirSync(enforcement.dir);
    } catch {
      // Either the folder is already removed, because controllers can share one, or it still contains groups of
      // attempts that continue.
    }
  }
}

/** Returns the folder for the groups, or the reason why there can be no groups. */
function openGroups(hierarchy: Hierarchy, controller: Controller, folder: string): Enforcement | string {
  const by = hierarchy.version === 2 ? 'cgroup-v2' : 'cgroup-v1';
  try {
    const base = hierarchy.version === 2 ? leaveOwnGroup(hierarchy) : hierarchy.ownDir;
    if (base === undefined) {
      return 'the server shares its cgroup with other processes: start it with systemd, Delegate=yes and DelegateSubgroup=flwd-server';
    }
    const dir = join(base, folder);
    mkdirSync(dir, { recursive: true });
    if (hierarchy.version === 2) for (const parent of [base, dir]) enable(controller, parent);
    const trial = join(dir, 'trial');
    mkdirSync(trial, { recursive: true });
    try {
      const [file, value] = unlimited[by][controller];
      writeFileSync(join(trial, file), value, { flag: 'r+' });
    } finally {
      rmdirSync(trial);
    }
    return { by, dir };
  } catch (error) {
    const isDenied = ['EACCES', 'EPERM', 'EROFS'].includes(errorCode(error) ?? '');
    if (!isDenied) return `the host's cgroups do not accept its limit (${errorCode(error) ?? 'unknown'})`;
    return hierarchy.version === 2
      ? 'the server cannot create cgroups: start it with systemd, Delegate=yes and DelegateSubgroup=flwd-server'
      : 'the server cannot create cgroups: with cgroup v1 only root can';
  }
}

/**
 * With v2, a cgroup that passes controllers on cannot contain processes. So the server moves itself and the process
 * that started it from its cgroup to one below it. In the top group of a container, it moves every process. Returns
 * undefined if other processes are in the group, because they must not be moved.
 * @throws errors of the system
 */
function leaveOwnGroup({ ownDir, isTop }: Hierarchy): string | undefined {
  if (basename(ownDir) === serverGroup) return dirname(ownDir);
  // The host's root cgroup may contain processes. It is the only group that has no cgroup.type.
  if (!existsSync(join(ownDir, 'cgroup.type'))) return ownDir;
  const pids = readFileSync(join(ownDir, 'cgroup.procs'), 'utf8')
    .split('\n')
    .filter((pid) => pid !== '');
  const mayMove = isTop || pids.every((pid) => Number(pid) === process.pid || Number(pid) === process.ppid);
  if (!mayMove) return undefined;
  const below = join(ownDir, serverGroup);
  mkdirSync(below, { recursive: true });
  for (const pid of pids) {
    try {
      writeFileSync(join(below, 'cgroup.procs'), pid, { flag: 'r+' });
    } catch (error) {
      // The process has ended.
      if (errorCode(error) !== 'ESRCH') throw error;
    }
  }
  return ownDir;
}

function enable(controller: Controller, dir: string): void {
  const file = join(dir, 'cgroup.subtree_control');
  if (!readFileSync(file, 'utf8').trim().split(' ').includes(controller))
    writeFileSync(file, `+${controller}`, { flag: 'r+' });
}

function withoutCgroup(controller: Controller, why: string): Enforcement {
  if (!findProgram('prlimit'))
    return { by: 'none', detail: `${why}; prlimit is not installed either: apt-get install util-linux` };
  if (controller === 'memory') {
    const detail = `${why}; each process has the limit for itself, and running out of memory cannot be detected`;
    return { by: 'rlimit', detail };
  }
  if (controller === 'cpu') return { by: 'none', detail: why };
  if (isServerRoot) return { by: 'none', detail: `${why}; an rlimit would count the processes of all jobs` };
  if (!countsByNamespace()) return { by: 'none', detail: `${why}; before Linux 5.14 an rlimit counts all jobs` };
  return { by: 'rlimit', detail: why };
}

/** Since Linux 5.14, RLIMIT_NPROC counts the processes of each user namespace separately. */
function countsByNamespace(): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return major > 5 || (major === 5 && minor >= 14);
}
