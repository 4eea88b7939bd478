// How a host reports that it can enforce limits, and the groups it prepares. The real host has cgroup v1 or v2. For v2
// there are also stand-ins: folders of plain files.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { LimitReport } from '../../src/domain/resources.ts';
import { findHierarchies, type Hierarchy } from '../../src/exec/host/cgroup-hierarchies.ts';
import { closeLimitHost, defaultMemoryBytes, openLimitHost, reportOf } from '../../src/exec/host/limit-host.ts';
import { temporaryFolder } from './sample.ts';

const testAsRoot = test.skipIf(process.getuid?.() !== 0);

testAsRoot('a server that runs as root creates its own folder below its cgroups, and removes it at the end', () => {
  const host = openLimitHost('/srv/flwd');
  const dirs = Object.values(host).flatMap((at) => ('dir' in at ? [at.dir] : []));
  expect(dirs.every((dir) => existsSync(dir))).toBe(true);
  closeLimitHost(host);
  expect(dirs.filter((dir) => existsSync(dir))).toEqual([]);
});

test('two data dirs have different folders', () => {
  const [one, other] = ['/srv/one', '/srv/other'].map((dataDir) => openLimitHost(dataDir));
  onTestFinished(() => {
    for (const host of [one, other]) if (host) closeLimitHost(host);
  });
  if (one && 'dir' in one.pids) expect(one.pids).not.toEqual(other?.pids);
});

testAsRoot('a server that does not run as root, and has no cgroup of its own, uses rlimits and says why', () => {
  const host = join(import.meta.dirname, '..', '..', 'src', 'exec', 'host', 'limit-host.ts');
  const script = `const { openLimitHost, reportOf, defaultMemoryBytes } = await import(${JSON.stringify(host)});
    const host = openLimitHost('/srv/flwd'); console.log(JSON.stringify([reportOf(host), defaultMemoryBytes(host)]));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    cwd: '/',
    env: { PATH: '/usr/bin:/bin' },
    uid: 65534,
    gid: 65534,
  });
  if (stdout === '') throw new Error(stderr);
  const [report, memoryBytes]: [LimitReport, number | null] = JSON.parse(stdout);
  expect(report).toMatchObject({
    cpu: {
      by: 'none',
      detail: expect.stringMatching(/^the server cannot create cgroups: |^the server shares its cgroup/),
    },
    memory: { by: 'rlimit', detail: expect.stringContaining('running out of memory cannot be detected') },
    pids: { by: 'rlimit' },
    workspace: { by: 'polling' },
  });
  // A share of the host's memory as an rlimit would stop programs that reserve more memory than they use.
  expect(memoryBytes).toBeNull();
});

test('a host without cgroups says so', () => {
  const host = openLimitHost('/srv/flwd', []);
  expect(reportOf(host).cpu).toEqual({ by: 'none', detail: 'this host has no cgroup controller for it' });
  expect(defaultMemoryBytes(host)).toBeNull();
});

test('the cgroup hierarchies that flwd finds on this host are folders', () => {
  for (const { ownDir } of findHierarchies()) expect(existsSync(join(ownDir, 'cgroup.procs'))).toBe(true);
});

describe('in a folder that stands in for cgroup v2', () => {
  /** Plain files instead of the kernel's. A group created here has no such files, so no limit can be set in it. */
  function standIn(o: { readonly name: string; readonly procs: readonly number[]; readonly isTop?: boolean }): {
    own: string;
    hierarchy: Hierarchy;
  } {
    const own = join(temporaryFolder(), 'flwd.service', o.name);
    for (const dir of [own, join(own, 'flwd-server'), join(own, '..')]) {
      mkdirSync(dir, { recursive: true });
      for (const file of ['cgroup.type', 'cgroup.subtree_control', 'cgroup.procs']) writeFileSync(join(dir, file), '');
    }
    writeFileSync(join(own, 'cgroup.procs'), `${o.procs.join('\n')}\n`);
    const controllers = ['cpu', 'memory', 'pids'];
    return { own, hierarchy: { version: 2, controllers, ownDir: own, isTop: o.isTop ?? false } };
  }

  test('a server that is alone in its cgroup moves into a child, so that the cgroup can delegate controllers', () => {
    const { own, hierarchy } = standIn({ name: 'delegated', procs: [process.pid, process.ppid] });
    openLimitHost('/srv/flwd', [hierarchy]);
    expect(readFileSync(join(own, 'flwd-server', 'cgroup.procs'), 'utf8')).toBe(String(process.ppid));
    expect(readFileSync(join(own, 'cgroup.subtree_control'), 'utf8')).toMatch(/^\+pids/);
  });

  test('a server that systemd has put into flwd-server uses the parent cgroup', () => {
    const { own, hierarchy } = standIn({ name: 'flwd-server', procs: [process.pid] });
    openLimitHost('/srv/flwd', [hierarchy]);
    expect(readFileSync(join(own, '..', 'cgroup.subtree_control'), 'utf8')).toMatch(/^\+pids/);
    expect(readFileSync(join(own, 'flwd-server', 'cgroup.procs'), 'utf8')).toBe('');
  });

  test('a server that shares its cgroup does not move the other processes, and says how to get its own cgroup', () => {
    const { own, hierarchy } = standIn({ name: 'session-1.scope', procs: [process.pid, 1] });
    const host = openLimitHost('/srv/flwd', [hierarchy]);
    expect(reportOf(host).cpu).toEqual({
      by: 'none',
      detail:
        'the server shares its cgroup with other processes: start it with systemd, Delegate=yes and DelegateSubgroup=flwd-server',
    });
    expect(readFileSync(join(own, 'flwd-server', 'cgroup.procs'), 'utf8')).toBe('');
  });

  test('in a container every process moves', () => {
    const { own, hierarchy } = standIn({ name: 'container', procs: [1, process.pid], isTop: true });
    openLimitHost('/srv/flwd', [hierarchy]);
    expect(readFileSync(join(own, 'flwd-server', 'cgroup.procs'), 'utf8')).toBe(String(process.pid));
  });
});
