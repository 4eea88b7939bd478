// Finds the folders of this process's cgroups: /proc/self/cgroup names the group, mountinfo says where it is mounted
// (cgroups(7), proc_pid_mountinfo(5)).

import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

export type Hierarchy = {
  readonly version: 1 | 2;
  readonly controllers: readonly string[];
  /** The folder of this process's cgroup. */
  readonly ownDir: string;
  /** True if no parent group is visible, because this is the top group of the host or the container. */
  readonly isTop: boolean;
};

/** Finds the hierarchies that are mounted and visible. */
export function findHierarchies(): Hierarchy[] {
  let groups: string;
  let mounts: string;
  try {
    groups = readFileSync('/proc/self/cgroup', 'utf8');
    mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  } catch {
    return [];
  }
  return groups.split('\n').flatMap((line) => toHierarchy(line, mounts) ?? []);
}

function toHierarchy(line: string, mounts: string): Hierarchy | undefined {
  const [, id, names = '', path] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? [];
  // A group whose path begins with `/..` is outside of this process's cgroup namespace.
  if (path === undefined || path.startsWith('/..') || names.startsWith('name=')) return undefined;
  const version = id === '0' ? 2 : 1;
  for (const mount of mounts.split('\n')) {
    const [, root = '', point = '', type, options = ''] =
      /^\d+ \d+ \S+ (\S+) (\S+) .* - (cgroup2?) \S+ (\S+)$/.exec(mount) ?? [];
    if (type !== (version === 2 ? 'cgroup2' : 'cgroup')) continue;
    if (version === 1 && !names.split(',').every((name) => options.split(',').includes(name))) continue;
    const below = relative(root, path);
    // A group that is not below the mounted group has no folder.
    if (below.startsWith('..')) continue;
    const ownDir = join(point, below);
    if (!existsSync(ownDir)) continue;
    return {
      version,
      controllers: version === 2 ? controllersOf(ownDir) : names.split(','),
      ownDir,
      isTop: below === '',
    };
  }
  return undefined;
}

function controllersOf(dir: string): string[] {
  try {
    return readFileSync(join(dir, 'cgroup.controllers'), 'utf8').trim().split(' ');
  } catch {
    return [];
  }
}
