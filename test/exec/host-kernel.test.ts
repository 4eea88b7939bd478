// The results of `flwd doctor` on a kernel that offers less than this one.

import { expect, test } from 'vitest';
import { checkCgroups } from '../../src/exec/host/host-kernel.ts';
import { temporaryFolder } from './sample.ts';

const v2 =
  'boot with cgroup v2: add systemd.unified_cgroup_hierarchy=1 to the kernel’s command line, and start flwd with systemd, Delegate=yes and DelegateSubgroup=flwd-server';

test('if the server cannot use cgroup v1, doctor suggests to start it as root or to use cgroup v2', () => {
  const closed = {
    version: 1,
    controllers: ['cpu', 'memory', 'pids'],
    ownDir: '/no/such/cgroup',
    isTop: true,
  } as const;
  expect(checkCgroups([closed], false)).toEqual({
    name: 'cgroups',
    status: 'warn',
    detail: 'v1, which only root can use; rlimits enforce the limits',
    fix: `start the server as root, or ${v2}`,
  });
});

test('if cgroup v1 lacks a controller, doctor says how to mount it, because systemd cannot delegate it there', () => {
  const some = { version: 1, controllers: ['cpu', 'memory'], ownDir: temporaryFolder(), isTop: true } as const;
  expect(checkCgroups([some], false)).toEqual({
    name: 'cgroups',
    status: 'warn',
    detail: 'v1, without pids',
    fix: `mount them: mount -t cgroup -o pids cgroup /sys/fs/cgroup/pids, or ${v2}`,
  });
});

test('in a container, doctor says with which options of the container flwd can use cgroups', () => {
  const controllers = ['cpu', 'memory', 'pids'];
  const closed = { version: 2, controllers, ownDir: '/no/such/cgroup', isTop: true } as const;
  const fix =
    'let the user of the server write to the cgroups of the container: docker run --cgroupns=private, with --privileged or a writable mount of /sys/fs/cgroup';
  const detail = 'v2, not delegated to the server; rlimits enforce the limits';
  expect(checkCgroups([closed], true)).toEqual({ name: 'cgroups', status: 'warn', detail, fix });
  expect(checkCgroups([], true)).toMatchObject({ status: 'warn', fix });
  expect(checkCgroups([], false).fix).toContain('start the server with systemd');
  const open = { version: 2, controllers, ownDir: temporaryFolder(), isTop: true } as const;
  expect(checkCgroups([open], true)).toMatchObject({ status: 'ok', fix: null });
});
