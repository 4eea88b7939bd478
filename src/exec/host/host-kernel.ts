// Checks what this host's kernel offers, and what its administrator has disabled.

import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { promisify } from 'node:util';
import { fail, type HostCheck, ok, warn } from '../../domain/host-check.ts';
import { isServerRoot } from '../job-user.ts';
import { seccompFilter } from '../sandbox/seccomp-filter.ts';
import { findHierarchies, type Hierarchy } from './cgroup-hierarchies.ts';
import { findProgram } from './host-programs.ts';

export async function checkUserNamespaces(): Promise<HostCheck> {
  const name = 'user namespaces';
  const found = await userNamespaceObstacle();
  if (isServerRoot) return ok(name, `not needed: the server runs as root${found ? ` (others: ${found.detail})` : ''}`);
  return found ? fail(name, found.detail, found.fix) : ok(name, 'allowed, according to the sysctls');
}

/** Says what prevents users other than root from making user namespaces; undefined if no sysctl does. */
export async function userNamespaceObstacle(): Promise<{ readonly detail: string; readonly fix: string } | undefined> {
  if ((await sysctl('kernel/apparmor_restrict_unprivileged_userns')) === '1') {
    const fix =
      'add a profile for bwrap that allows `userns`, or set sysctl kernel.apparmor_restrict_unprivileged_userns=0';
    return { detail: 'AppArmor denies user namespaces', fix };
  }
  if ((await sysctl('kernel/unprivileged_userns_clone')) === '0')
    return { detail: 'user namespaces are disabled', fix: 'set sysctl kernel.unprivileged_userns_clone=1' };
  if ((await sysctl('user/max_user_namespaces')) === '0') {
    const fix = 'set sysctl user.max_user_namespaces to more than 0';
    return { detail: 'user namespaces are disabled', fix };
  }
  return undefined;
}

export async function checkSeccomp(): Promise<HostCheck> {
  const name = 'seccomp';
  if (!seccompFilter(process.arch))
    return fail(name, `flwd has no filter for ${process.arch}`, 'run flwd on x86-64 or on 64-bit ARM');
  const actions = (await sysctl('kernel/seccomp/actions_avail'))?.split(' ') ?? [];
  return actions.includes('errno') && actions.includes('kill_process')
    ? ok(name, 'system calls can be filtered')
    : fail(name, 'system calls cannot be filtered', 'boot a kernel with CONFIG_SECCOMP_FILTER');
}

/** Reports whether there is Landlock. flwd does not use it, because bubblewrap's mounts have the same effect. */
export async function checkLandlock(): Promise<HostCheck> {
  const modules = await read('/sys/kernel/security/lsm');
  if (modules !== undefined) {
    const isThere = modules.split(',').includes('landlock');
    return ok('landlock', isThere ? 'available; not used' : 'not available; not needed');
  }
  const setpriv = findProgram('setpriv');
  const rule = ['--landlock-access', 'fs', '--landlock-rule', 'path-beneath:execute,read-file,read-dir:/'];
  const canSet =
    setpriv !== undefined &&
    (await promisify(execFile)(setpriv, ['--no-new-privs', ...rule, 'true']).then(
      () => true,
      () => false,
    ));
  return ok('landlock', canSet ? 'available; not used' : 'not found; not needed');
}

/** Reports the states of AppArmor and SELinux. */
export async function checkModules(): Promise<HostCheck> {
  const appArmor = (await read('/sys/module/apparmor/parameters/enabled')) === 'Y';
  const selinux = await read('/sys/fs/selinux/enforce');
  const states = [
    `AppArmor ${appArmor ? 'on' : 'off'}`,
    `SELinux ${selinux === undefined ? 'off' : selinux === '1' ? 'enforcing' : 'permissive'}`,
  ];
  return ok('security modules', states.join(', '));
}

/**
 * With these settings, systemd mounts cgroup v2, and can delegate a part of it to a server that does not run as root.
 */
const bootWithV2 =
  'boot with cgroup v2: add systemd.unified_cgroup_hierarchy=1 to the kernel’s command line, and start flwd with systemd, Delegate=yes and DelegateSubgroup=flwd-server';

const ofContainer =
  'let the user of the server write to the cgroups of the container: docker run --cgroupns=private, with --privileged or a writable mount of /sys/fs/cgroup';

/**
 * Checks without changing anything. `limits.run` of GET /system/info shows what the server could set up at its start.
 */
export function checkCgroups(hierarchies = findHierarchies(), isContainer = isInContainer()): HostCheck {
  const found = checkHierarchies(hierarchies);
  // Most containers have no systemd, so the settings for systemd would not help there.
  return isContainer && found.fix !== null ? { ...found, fix: ofContainer } : found;
}

/** Docker puts the first file into each container, Podman the second. */
function isInContainer(): boolean {
  return ['/.dockerenv', '/run/.containerenv'].some((path) => existsSync(path));
}

function checkHierarchies(hierarchies: readonly Hierarchy[]): HostCheck {
  const name = 'cgroups';
  const systemd = 'start the server with systemd, Delegate=yes and DelegateSubgroup=flwd-server';
  const wanted = ['cpu', 'memory', 'pids'];
  const missing = wanted.filter(
    (controller) => !hierarchies.some(({ controllers }) => controllers.includes(controller)),
  );
  const used = hierarchies.filter(({ controllers }) => controllers.some((controller) => wanted.includes(controller)));
  const version = used.some(({ version }) => version === 1) ? 'v1' : 'v2';
  if (missing.length === wanted.length)
    return warn(name, 'no controllers here; rlimits enforce memory and process limits', systemd);
  const closed = used.some(({ ownDir }) => !isWritable(basename(ownDir) === 'flwd-server' ? dirname(ownDir) : ownDir));
  if (closed) {
    return version === 'v1'
      ? warn(
          name,
          'v1, which only root can use; rlimits enforce the limits',
          `start the server as root, or ${bootWithV2}`,
        )
      : warn(name, 'v2, not delegated to the server; rlimits enforce the limits', systemd);
  }
  if (missing.length > 0) {
    const mount = `mount them: mount -t cgroup -o ${missing.join()} cgroup /sys/fs/cgroup/${missing.join()}, or ${bootWithV2}`;
    return warn(name, `${version}, without ${missing.join(' and ')}`, version === 'v1' ? mount : systemd);
  }
  return ok(name, `${version}, with cpu, memory and pids`);
}

const leastWatches = 8_192;
const leastInstances = 64;

/** Checks the limits of inotify, with which flwd watches the folders of jobs. */
export async function checkInotify(): Promise<HostCheck> {
  const watches = Number((await sysctl('fs/inotify/max_user_watches')) ?? 0);
  const instances = Number((await sysctl('fs/inotify/max_user_instances')) ?? 0);
  const detail = `${watches} watches and ${instances} instances per user`;
  return watches >= leastWatches && instances >= leastInstances
    ? ok('inotify', `${detail}, to notice changed jobs`)
    : warn(
        'inotify',
        `${detail}: too few to watch large sources`,
        `set sysctl fs.inotify.max_user_watches=${leastWatches} and fs.inotify.max_user_instances=${leastInstances} or more`,
      );
}

function isWritable(dir: string): boolean {
  try {
    accessSync(dir, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function sysctl(name: string): Promise<string | undefined> {
  return read(`/proc/sys/${name}`);
}

async function read(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  );
}
