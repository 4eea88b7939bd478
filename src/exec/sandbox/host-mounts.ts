// What a job sees of the host, as bwrap arguments: by profile, then by grants, less what is hidden from all jobs.

import { lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Network, SecurityProfile } from '../../domain/job.ts';
import { errorCode } from '../../lib/error-code.ts';

export type HostView = {
  readonly profile: SecurityProfile;
  readonly network: Network;
  /** Host paths, shown at the same place, each once. */
  readonly grants: readonly { readonly kind: 'read' | 'write'; readonly path: string }[];
  /** Real host paths that no job may see though its profile or a grant shows what is around them. */
  readonly masked: readonly string[];
  /** The most that /tmp, and /dev/shm, may hold where they are the job's own: it is memory of the host. */
  readonly scratchBytes: number;
};

type Shown = Pick<HostView, 'profile' | 'grants' | 'masked'>;

/** Above `/usr` a host has folders or links into it. */
const systemFolders = ['/bin', '/lib', '/lib32', '/lib64', '/libx32', '/sbin'];

/** Single entries of /etc that common programs need; never accounts' secrets, keys or the host's services. */
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
 * Where the sandbox must have a mount of its own before a script starts, so that the script sees what it may and no more.
 * `covered` says what the sandbox shows in that place without this mount: nothing, a mount that the profile makes in that very place,
 * or part of a folder above it, with the mounts that the host has in the place.
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

/** bwrap would make a missing parent of a mount with mode 0700. */
export function folder(path: string): string[] {
  return ['--perms', '0755', '--dir', path];
}

/** An empty folder in memory. */
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

/** Programs and their libraries, read-only. */
export function systemFolderMounts(): string[] {
  return ['/usr', ...systemFolders].flatMap((path) => shown(path, '--ro-bind-try'));
}

/** Found once: to look at two dozen places takes 0.3 ms, and they stay where they are. */
let systemMounts: readonly string[] | undefined;

/** bwrap's own /dev has the harmless devices alone. */
function kernelMounts(scratchBytes: number): string[] {
  return [
    ['--proc', '/proc', '--dev', '/dev'],
    [...memoryFolder('/dev/shm', '1777', scratchBytes), '--remount-ro', '/dev'],
    memoryFolder('/tmp', '1777', scratchBytes),
  ].flat();
}

type Bind = '--ro-bind-try' | '--dev-bind-try';

/** Every entry of the host's `/`, one by one, so that flwd's own can stand among them: in `/`, and in `/run`. */
function wholeHost(bind: Bind, except: readonly string[], inRun: readonly string[]): string[] {
  return [...shownIn('/', ['job', 'workspace', 'run', ...except], bind), ...folder('/run'), ...inRun];
}

/** To look at each entry would take longer than all else of the options: the folder says which are links. */
function shownIn(dir: '/' | '/run', except: readonly string[], bind: Bind): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    if (except.includes(entry.name)) return [];
    const path = join(dir, entry.name);
    return entry.isSymbolicLink() ? shown(path, bind) : [bind, path, path];
  });
}

/**
 * What /etc/resolv.conf leads to on the usual hosts. The rest of /run are mostly sockets of services, which a read-only mount does
 * not close: who answers there may do for a job what the job may not.
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

/** A parent before what lies in it. */
function grantMounts({ grants }: HostView): string[] {
  const binds = { read: '--ro-bind', write: '--bind' } as const;
  const sorted = grants.toSorted((a, b) => a.path.length - b.path.length);
  return [
    ...foldersAbove(sorted.map(({ path }) => path)),
    ...sorted.flatMap(({ kind, path }) => [binds[kind], path, path]),
  ];
}

/** The host's link at `path` as it is, where it leads into /usr; else what is there. */
function shown(path: string, bind: string): string[] {
  const target = linkOrEntry(path);
  if (target === undefined) return [];
  const isLinkToSystem = target !== null && resolve(dirname(path), target).startsWith('/usr/');
  return isLinkToSystem ? ['--symlink', target, path] : [bind, path, path];
}

/** A link's target, null for anything else, undefined for nothing. */
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

/** Without doubles, and what lies in another of them: that is hidden with it, and has no place left to be hidden in. */
function outermost(paths: readonly string[]): string[] {
  return [...new Set(paths)].filter((path) => !paths.some((other) => other !== path && isBelow(path, other)));
}

function masksOf(view: Shown): { readonly path: string; readonly mask: readonly string[] }[] {
  return outermost(view.masked)
    .filter((path) => isVisible(path, view))
    .map((path) => ({ path, mask: mask(path) }))
    .filter(({ mask }) => mask.length > 0);
}

/** A folder turns empty, a file into nothing that can be read. */
function mask(path: string): string[] {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return [];
  return stat.isDirectory() ? ['--tmpfs', path, '--remount-ro', path] : ['--ro-bind', '/dev/null', path];
}

/**
 * A place that does not exist in the sandbox needs no mask, and would be given away by one. A grant inside a masked
 * folder comes never this far.
 */
function isVisible(path: string, { profile, grants }: Shown): boolean {
  if (grants.some((grant) => isBelow(path, grant.path))) return true;
  return profile === 'permissive' && !['/dev', '/proc', '/run', '/tmp'].some((root) => isBelow(path, root));
}

function isBelow(path: string, root: string): boolean {
  return path === root || path.startsWith(root === '/' ? root : `${root}/`);
}
