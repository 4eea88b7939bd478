// Writes the arguments with which bwrap makes parts of the host visible to a job: first the parts that its profile
// shows, then its grants. The last arguments hide some files from all jobs.

import { lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Network, SecurityProfile } from '../../domain/job.ts';
import { isShownToAll } from '../../domain/policy.ts';
import { errorCode } from '../../lib/error-code.ts';

export type HostView = {
  readonly profile: SecurityProfile;
  readonly network: Network;
  /** Paths of the host, without duplicates. The sandbox has each at the same path. */
  readonly grants: readonly { readonly kind: 'read' | 'write'; readonly path: string }[];
  /** Real host paths that no job may see, even if its profile or a grant shows a folder around them. */
  readonly masked: readonly string[];
  /** The size limit of the job's own /tmp and /dev/shm, because they use the host's memory. */
  readonly scratchBytes: number;
};

type Shown = Pick<HostView, 'profile' | 'grants' | 'masked'>;

/** Besides `/usr`, a host has these folders. They may be links into `/usr`. */
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
 * A place where the sandbox must have its own mount before a script starts, so that the script sees only what it may
 * see. `covered` says what the sandbox would show there without this mount. `no`: nothing. `in-place`: a mount of the
 * profile at this very path. `from-above`: a part of a mounted folder above it, with the mounts that the host has
 * there.
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

function profileMounts({ profile, network, grants, scratchBytes }: HostView): readonly string[] {
  if (profile === 'disabled')
    return [...wholeHost('--dev-bind-try', ['proc'], shownIn('/run', ['flwd'], '--dev-bind-try')), '--proc', '/proc'];
  if (profile === 'permissive')
    return [...wholeHost('--ro-bind-try', ['dev', 'proc', 'tmp'], runMounts()), ...kernelMounts(scratchBytes)];
  systemMounts ??= [...systemFolderMounts(), ...etcMounts(etcEntries)];
  const forNetwork = network === 'all' ? etcMounts(['resolv.conf']) : [];
  // The folder has the same two names as on most hosts. If /var/lock is a real folder, a grant may need the path.
  const isGranted = grants.some(({ path }) => isBelow(path, '/var/lock'));
  const link = isGranted ? [] : [...folder('/var'), '--symlink', '../run/lock', '/var/lock'];
  return [...systemMounts, ...forNetwork, ...kernelMounts(scratchBytes), ...link];
}

/** Shows programs and their libraries, read-only. */
export function systemFolderMounts(): string[] {
  return ['/usr', ...systemFolders].flatMap((path) => mountOf(path, '--ro-bind-try'));
}

/** The mounts are determined once, because they do not change, and checking two dozen paths takes 0.3 ms. */
let systemMounts: readonly string[] | undefined;

/** bwrap's own /dev contains only harmless devices. */
function kernelMounts(scratchBytes: number): string[] {
  return [
    ['--proc', '/proc', '--dev', '/dev'],
    [...memoryFolder('/dev/shm', '1777', scratchBytes), '--remount-ro', '/dev'],
    memoryFolder('/tmp', '1777', scratchBytes),
    // Without this folder, many scripts cannot create their lock file, and end with success without doing their work.
    // `concurrency` keeps runs apart.
    [...folder('/run'), ...memoryFolder('/run/lock', '1777', scratchBytes)],
  ].flat();
}

type Bind = '--ro-bind-try' | '--dev-bind-try';

/** Mounts every entry of the host's `/` and `/run` one by one, so that flwd can add its own mounts beside them. */
function wholeHost(bind: Bind, except: readonly string[], inRun: readonly string[]): string[] {
  return [...shownIn('/', ['job', 'workspace', 'run', ...except], bind), ...folder('/run'), ...inRun];
}

/**
 * Mounts the entries of a folder. The listing says which entries are links, because checking each entry would take
 * longer than building all other arguments of bwrap.
 */
function shownIn(dir: '/' | '/run', except: readonly string[], bind: Bind): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    if (except.includes(entry.name)) return [];
    const path = join(dir, entry.name);
    return entry.isSymbolicLink() ? mountOf(path, bind) : [bind, path, path];
  });
}

/**
 * The usual targets of /etc/resolv.conf. Most other entries of /run are sockets of services, and a job could use them
 * even through a read-only mount. Such a service might then do things for the job that the job itself may not do.
 */
const runEntries = ['systemd/resolve', 'resolvconf', 'NetworkManager/resolv.conf', 'netconfig'];

function runMounts(): string[] {
  return runEntries
    .map((name) => `/run/${name}`)
    .flatMap((path) => [...foldersAbove([path]), ...mountOf(path, '--ro-bind-try')]);
}

function etcMounts(names: readonly string[]): string[] {
  const present = names.map((name) => `/etc/${name}`).filter((path) => linkOrEntry(path) !== undefined);
  return [...foldersAbove(present), ...present.flatMap((path) => mountOf(path, '--ro-bind-try'))];
}

/** Mounts the grants. A folder is mounted before the files and folders in it. */
function grantMounts({ grants }: HostView): string[] {
  const binds = { read: '--ro-bind', write: '--bind' } as const;
  const sorted = grants.toSorted((a, b) => a.path.length - b.path.length);
  return [
    ...foldersAbove(sorted.map(({ path }) => path)),
    ...sorted.flatMap(({ kind, path }) => [binds[kind], path, path]),
  ];
}

/**
 * Makes a path of the host visible in the sandbox. A link into /usr stays a link. For any other path, the file or
 * folder that it leads to is mounted.
 */
function mountOf(path: string, bind: string): string[] {
  const target = linkOrEntry(path);
  if (target === undefined) return [];
  const isLinkToSystem = target !== null && resolve(dirname(path), target).startsWith('/usr/');
  return isLinkToSystem ? ['--symlink', target, path] : [bind, path, path];
}

/** Returns the target of a link, null for any other file or folder, and undefined if the path does not exist. */
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
 * Removes duplicates, and paths inside of another path. These are hidden together with the other path, and could no
 * longer be mounted.
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

/** Hides a path: a folder becomes empty, and a file becomes unreadable. */
function mask(path: string): string[] {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return [];
  return stat.isDirectory() ? ['--tmpfs', path, '--remount-ro', path] : ['--ro-bind', '/dev/null', path];
}

/**
 * Whether a masked path would be visible in the sandbox. If not, it needs no mask, and a mask would even reveal it.
 * Grants inside of a masked folder were refused before.
 */
function isVisible(path: string, { profile, grants }: Shown): boolean {
  if (grants.some((grant) => isBelow(path, grant.path))) return true;
  return profile === 'permissive' && isShownToAll(profile, 'read', path);
}

function isBelow(path: string, root: string): boolean {
  return path === root || path.startsWith(root === '/' ? root : `${root}/`);
}
