// Writes the arguments of bwrap that show a job parts of the host: first those of its profile, then its grants. Some
// files are hidden from all jobs.

import { lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Network, SecurityProfile } from '../../domain/job.ts';
import { isShownToAll } from '../../domain/policy.ts';
import { errorCode } from '../../lib/error-code.ts';

export type HostView = {
  readonly profile: SecurityProfile;
  readonly network: Network;
  /** Host paths, shown at the same place, each once. */
  readonly grants: readonly { readonly kind: 'read' | 'write'; readonly path: string }[];
  /** Real host paths that no job may see, even when its profile or a grant shows the folder around them. */
  readonly masked: readonly string[];
  /** The most that the job's own /tmp and /dev/shm may hold, because they use the host's memory. */
  readonly scratchBytes: number;
};

type Shown = Pick<HostView, 'profile' | 'grants' | 'masked'>;

/** Besides `/usr`, a host has these as folders or as links into it. */
const systemFolders = ['/bin', '/lib', '/lib32', '/lib64', '/libx32', '/sbin'];

/** Single entries of /etc that common programs need. Never add password files, keys or files of services. */
const etcEntries = [
  'alternatives',
  'ca-certificates',
  'group',
  'hosts',
  'ld.so.cache',
  'locale.alias',
  'localtime',
  'mime.types',
  'nsswitch.conf',
  'os-release',
  'passwd',
  'pki/ca-trust',
  'pki/tls/certs',
  'protocols',
  'services',
  'ssl/certs',
  'ssl/openssl.cnf',
  'timezone',
];

export function hostMounts(view: HostView): string[] {
  return [...profileMounts(view), ...grantMounts(view), ...masksOf(view).flatMap(({ mask }) => mask)];
}

/**
 * A place where the sandbox must have its own mount before a script starts, so that the script sees what it may and
 * nothing else. `covered` says what the sandbox would show there without this mount: nothing, a mount that the profile
 * makes at this very place, or a part of a folder above it, including the mounts that the host has there.
 */
export type GuardedPlace = { readonly path: string; readonly covered: 'no' | 'in-place' | 'from-above' };

export function guardedPlaces(view: Omit<HostView, 'scratchBytes'>): GuardedPlace[] {
  const options = profileMounts({ ...view, scratchBytes: 0 });
  const ofProfile = options.flatMap((word, index) => (isBind(word) ? [options[index + 2] ?? ''] : []));
  const granted = view.grants.map(({ path }) => path);
  const coverOf = (path: string): GuardedPlace['covered'] => {
    // Grants are mounted over what the profile shows.
    if (isBelowAny(path, granted)) return 'from-above';
    if (ofProfile.includes(path)) return 'in-place';
    return isBelowAny(path, ofProfile) ? 'from-above' : 'no';
  };
  return [...view.grants, ...masksOf(view)].map(({ path }) => ({ path, covered: coverOf(path) }));
}

function isBelowAny(path: string, roots: readonly string[]): boolean {
  return roots.some((root) => root !== path && isBelow(path, root));
}

function isBind(word: string): boolean {
  return /^--(ro-|dev-)?bind(-try)?$/.test(word);
}

/** bwrap would create a missing parent of a mount with mode 0700. */
export function folder(path: string): string[] {
  return ['--perms', '0755', '--dir', path];
}

/** Mounts an empty folder in memory. */
export function memoryFolder(path: string, perms: '0755' | '1777', sizeBytes: number): string[] {
  return ['--perms', perms, '--size', String(sizeBytes), '--tmpfs', path];
}

function profileMounts({ profile, network, scratchBytes }: HostView): readonly string[] {
  if (profile === 'disabled')
    return [...wholeHost('--dev-bind-try', ['proc'], shownIn('/run', ['flwd'], '--dev-bind-try')), '--proc', '/proc'];
  if (profile === 'permissive')
    return [...wholeHost('--ro-bind-try', ['dev', 'proc', 'tmp'], runMounts()), ...kernelMounts(scratchBytes)];
  systemMounts ??= [...systemFolderMounts(), ...etcMounts(etcEntries)];
  const forNetwork = network === 'all' ? etcMounts(['resolv.conf']) : [];
  return [...systemMounts, ...forNetwork, ...kernelMounts(scratchBytes)];
}

/** Shows programs and their libraries, read-only. */
export function systemFolderMounts(): string[] {
  return ['/usr', ...systemFolders].flatMap((path) => shown(path, '--ro-bind-try'));
}

/** The mounts are determined once: checking two dozen places takes 0.3 ms, and they do not move. */
let systemMounts: readonly string[] | undefined;

/** bwrap's own /dev contains only harmless devices. */
function kernelMounts(scratchBytes: number): string[] {
  return [
    ['--proc', '/proc', '--dev', '/dev'],
    [...memoryFolder('/dev/shm', '1777', scratchBytes), '--remount-ro', '/dev'],
    memoryFolder('/tmp', '1777', scratchBytes),
  ].flat();
}

type Bind = '--ro-bind-try' | '--dev-bind-try';

/** Mounts every entry of the host's `/` and `/run` one by one, so that flwd's own mounts can lie among them. */
function wholeHost(bind: Bind, except: readonly string[], inRun: readonly string[]): string[] {
  return [...shownIn('/', ['job', 'workspace', 'run', ...except], bind), ...folder('/run'), ...inRun];
}

/** Checking each entry would take longer than all other options. The folder's listing says which entries are links. */
function shownIn(dir: '/' | '/run', except: readonly string[], bind: Bind): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    if (except.includes(entry.name)) return [];
    const path = join(dir, entry.name);
    return entry.isSymbolicLink() ? shown(path, bind) : [bind, path, path];
  });
}

/**
 * The usual targets of /etc/resolv.conf. Most of the rest of /run are sockets of services, which a read-only mount does
 * not close: such a service may do for a job what the job itself may not.
 */
const runEntries = ['systemd/resolve', 'resolvconf', 'NetworkManager/resolv.conf', 'netconfig'];

function runMounts(): string[] {
  return runEntries
    .map((name) => `/run/${name}`)
    .flatMap((path) => [...foldersAbove([path]), ...shown(path, '--ro-bind-try')]);
}

function etcMounts(names: readonly string[]): string[] {
  const present = names.map((name) => `/etc/${name}`).filter((path) => linkOrEntry(path) !== undefined);
  return [...foldersAbove(present), ...present.flatMap((path) => shown(path, '--ro-bind-try'))];
}

/** Mounts the grants. A folder comes before everything in it. */
function grantMounts({ grants }: HostView): string[] {
  const binds = { read: '--ro-bind', write: '--bind' } as const;
  const sorted = grants.toSorted((a, b) => a.path.length - b.path.length);
  return [
    ...foldersAbove(sorted.map(({ path }) => path)),
    ...sorted.flatMap(({ kind, path }) => [binds[kind], path, path]),
  ];
}

/** The host's link at `path` as it is, if it leads into /usr; otherwise the file or folder itself. */
function shown(path: string, bind: string): string[] {
  const target = linkOrEntry(path);
  if (target === undefined) return [];
  const isLinkToSystem = target !== null && resolve(dirname(path), target).startsWith('/usr/');
  return isLinkToSystem ? ['--symlink', target, path] : [bind, path, path];
}

/** Returns the target of a link, null for any other file, and undefined when nothing is there. */
function linkOrEntry(path: string): string | null | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : null;
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

function foldersAbove(paths: readonly string[]): string[] {
  const above = new Set<string>();
  for (const path of paths) {
    for (let at = dirname(path); at !== '/'; at = dirname(at)) above.add(at);
  }
  return [...above].toSorted((a, b) => a.length - b.length).flatMap(folder);
}

/**
 * Removes duplicates, and paths inside another path: they are hidden together with it, and nothing can be mounted there
 * any more.
 */
function outermost(paths: readonly string[]): string[] {
  return [...new Set(paths)].filter((path) => !paths.some((other) => other !== path && isBelow(path, other)));
}

function masksOf(view: Shown): { readonly path: string; readonly mask: readonly string[] }[] {
  return outermost(view.masked)
    .filter((path) => isVisible(path, view))
    .map((path) => ({ path, mask: mask(path) }))
    .filter(({ mask }) => mask.length > 0);
}

/** A folder becomes empty, a file becomes unreadable. */
function mask(path: string): string[] {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return [];
  return stat.isDirectory() ? ['--tmpfs', path, '--remount-ro', path] : ['--ro-bind', '/dev/null', path];
}

/**
 * A place that does not exist in the sandbox needs no mask, and a mask would reveal it. Grants inside a masked folder
 * never get this far.
 */
function isVisible(path: string, { profile, grants }: Shown): boolean {
  if (grants.some((grant) => isBelow(path, grant.path))) return true;
  return profile === 'permissive' && isShownToAll(profile, 'read', path);
}

function isBelow(path: string, root: string): boolean {
  return path === root || path.startsWith(root === '/' ? root : `${root}/`);
}
