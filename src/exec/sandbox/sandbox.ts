// The bubblewrap command of an attempt: what a job of each security profile sees and may do.

import { join } from 'node:path';
import type { Network, SecurityProfile } from '../../domain/job.ts';
import type { Isolation, Namespace, RunAs } from '../../domain/run.ts';
import { findProgram } from '../host/host-programs.ts';
import { changesUser, isServerRoot, jobUser } from '../job-user.ts';
import { libexecDir, sandboxPlaces } from '../script-places.ts';
import { folder, type HostView, hostMounts, memoryFolder } from './host-mounts.ts';
import { seccompVersion } from './seccomp-filter.ts';

export type SandboxSpec = HostView & {
  /** The user of the host that the job names. */
  readonly runAs: RunAs | null;
  readonly snapshotDir: string;
  /**
   * Other users must be able to enter this folder, because bwrap enters it without the capability to ignore its mode.
   */
  readonly workspaceDir: string;
  readonly inDir: string;
  readonly outDir: string;
  /** The descriptor from which bwrap reads the seccomp filter, for profiles that have one. */
  readonly filterFd: number;
  /** The descriptor that bwrap waits for before it starts the script; null if it does not wait. */
  readonly blockFd: number | null;
  readonly secretFds: readonly { readonly name: string; readonly fd: number }[];
  readonly argv: readonly string[];
};

const { node: nodePath, secrets: secretsDir } = sandboxPlaces;

/** Returns bwrap and its arguments. bwrap reads `filterFd` and `secretFds` to their end. */
export function sandboxCommand(spec: SandboxSpec): string[] {
  return [bwrapPath(), ...sandboxOptions(spec), '--', ...sandboxedCommand(spec)];
}

export function bwrapPath(): string {
  return findProgram('bwrap') ?? 'bwrap';
}

export function sandboxOptions(spec: SandboxSpec): string[] {
  return [
    ...namespaces(spec.profile, spec.network),
    ...(hasFilter(spec.profile) ? ['--seccomp', String(spec.filterFd)] : []),
    // Like the filter, this refuses further user namespaces. bwrap can do this only if it makes a user namespace
    // itself.
    ...(hasFilter(spec.profile) && !isServerRoot ? ['--disable-userns'] : []),
    ...(spec.blockFd === null ? [] : ['--block-fd', String(spec.blockFd)]),
    ...capabilities(spec),
    ...hostMounts(spec),
    ...ownMounts(spec),
    '--chdir',
    '/workspace',
  ];
}

/**
 * Returns the command that bwrap starts: first the one that drops root's rights, if needed, and then the job's command.
 */
export function sandboxedCommand(spec: Pick<SandboxSpec, 'profile' | 'runAs' | 'secretFds' | 'argv'>): string[] {
  return [...(changesUser(spec.profile, spec.runAs) ? asUnprivileged(spec) : []), ...spec.argv];
}

/** Whether system calls are filtered (ADR 0016). */
export function hasFilter(profile: SecurityProfile): boolean {
  return profile === 'secure';
}

/** Whether the run has its own /tmp, which is removed with it. */
export function hasOwnTmp(profile: SecurityProfile): boolean {
  return profile !== 'disabled';
}

/**
 * Whether a run of the profile gets a sandbox on this host. A run of `disabled` gets no sandbox if bubblewrap is not
 * installed (ADR 0031).
 */
export function isSandboxed(profile: SecurityProfile): boolean {
  return profile !== 'disabled' || findProgram('bwrap') !== undefined;
}

/** Describes the isolation of a run of the profile on this host, for the API. */
export function isolationOf(
  profile: SecurityProfile,
  network: Network,
  sandboxed: boolean,
  runAs: RunAs | null = null,
): Isolation {
  if (!sandboxed) return unsandboxed;
  const filesystem = { secure: 'workspace', permissive: 'host-read-only', disabled: 'host' } as const;
  const environment = { secure: 'clean', permissive: 'passthrough', disabled: 'server' } as const;
  return {
    pid_namespace: true,
    network,
    filesystem: filesystem[profile],
    environment: environment[profile],
    // bwrap sets it on everything that it starts.
    no_new_privileges: true,
    uid: jobUser(profile, runAs).uid,
    ...(runAs && { user: runAs.user }),
    namespaces: namespacesOf(profile, network),
    user_namespace: !isServerRoot,
    capabilities: isServerRoot && !changesUser(profile, runAs) ? 'server' : 'none',
    seccomp: hasFilter(profile) ? seccompVersion : null,
  };
}

const unsandboxed: Isolation = {
  pid_namespace: false,
  network: 'all',
  filesystem: 'host',
  environment: 'server',
  no_new_privileges: false,
  uid: jobUser('disabled', null).uid,
  namespaces: [],
  user_namespace: false,
  capabilities: 'server',
  seccomp: null,
};

function namespacesOf(profile: SecurityProfile, network: Network): Namespace[] {
  return [
    'mount',
    'pid',
    ...(isServerRoot ? [] : (['user'] as const)),
    ...(network === 'none' ? (['network'] as const) : []),
    ...(profile === 'secure' ? (['ipc', 'uts', 'cgroup'] as const) : []),
  ];
}

/** bwrap always makes a mount namespace. */
const namespaceOptions: Readonly<Record<Namespace, readonly string[]>> = {
  mount: [],
  pid: ['--unshare-pid'],
  user: ['--unshare-user'],
  network: ['--unshare-net'],
  ipc: ['--unshare-ipc'],
  uts: ['--unshare-uts', '--hostname', 'flwd'],
  cgroup: ['--unshare-cgroup'],
};

function namespaces(profile: SecurityProfile, network: Network): string[] {
  return [
    // If the shim or bwrap is killed, everything that the job started is killed, too.
    '--die-with-parent',
    '--new-session',
    ...namespacesOf(profile, network).flatMap((name) => namespaceOptions[name]),
  ];
}

function ownMounts({ snapshotDir, workspaceDir, inDir, outDir, secretFds, argv, scratchBytes }: SandboxSpec): string[] {
  return [
    folder('/run'),
    folder('/run/flwd'),
    ['--ro-bind', snapshotDir, '/job'],
    ['--bind', workspaceDir, '/workspace'],
    ['--ro-bind', inDir, '/run/flwd/in'],
    ['--bind', outDir, '/run/flwd/out'],
    ['--ro-bind', libexecDir, '/run/flwd/libexec', '--symlink', 'libexec/bin', '/run/flwd/bin'],
    argv.includes(nodePath) ? ['--ro-bind', process.execPath, nodePath] : [],
    secretFds.length > 0 ? memoryFolder(secretsDir, '0755', scratchBytes) : folder(secretsDir),
    ...secretFds.flatMap(({ name, fd }) => ['--perms', '0400', '--file', String(fd), join(secretsDir, name)]),
    // If the server does not run as root, the job's own user owns this folder, so it must be read-only. Otherwise root
    // owns it, and the files in it get their owner later.
    secretFds.length > 0 && !isServerRoot ? ['--remount-ro', secretsDir] : [],
    // `/` is read-only, because files that a job writes outside of its workspace would be lost without an error.
    ['--remount-ro', '/'],
  ].flat();
}

function capabilities({ profile, runAs, secretFds }: SandboxSpec): string[] {
  if (!isServerRoot) return ['--cap-drop', 'ALL'];
  if (!changesUser(profile, runAs)) return ['--cap-add', 'ALL'];
  // These capabilities are needed to become another user, and they are dropped with that change.
  const kept = ['CAP_SETUID', 'CAP_SETGID', 'CAP_SETPCAP', ...(secretFds.length > 0 ? ['CAP_CHOWN'] : [])];
  return ['--cap-drop', 'ALL', ...kept.flatMap((name) => ['--cap-add', name])];
}

/**
 * Runs the rest of the command as another user, with that user's groups, without capabilities, and without a way to
 * become root again.
 */
function asUnprivileged({ profile, runAs, secretFds }: Pick<SandboxSpec, 'profile' | 'runAs' | 'secretFds'>): string[] {
  const { uid, gid, groups } = jobUser(profile, runAs);
  // bwrap makes root the owner of the files, but some programs accept a key only in a file that belongs to their user
  // and that others cannot read.
  const ownSecrets = `/bin/chown ${uid}:${gid} ${secretsDir}/* && exec "$@"`;
  return [
    ...(secretFds.length > 0 ? ['/bin/sh', '-c', ownSecrets, 'sh'] : []),
    findProgram('setpriv') ?? 'setpriv',
    `--reuid=${uid}`,
    `--regid=${gid}`,
    groups.length > 0 ? `--groups=${groups.join(',')}` : '--clear-groups',
    '--no-new-privs',
    '--inh-caps=-all',
    '--bounding-set=-all',
    '--',
  ];
}
