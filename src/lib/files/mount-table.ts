// The kernel's table of mounts (proc_pid_mountinfo(5)), and what can be told from it.

import { closeSync, openSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { errorCode } from '../error-code.ts';
import { isShortage } from '../shortage.ts';

type Mount = {
  readonly id: string;
  /** The id of the mount that it lies on. */
  readonly parent: string;
  /** Of its file system, as MAJOR:MINOR. */
  readonly device: string;
  /** The folder or file of that file system which it shows. */
  readonly root: string;
  readonly place: string;
  readonly isReadOnly: boolean;
};

/** By id. */
export type Mounts = ReadonlyMap<string, Mount>;

/** O_PATH of open(2), which Node has no name for: nothing is read, and no device or pipe does anything. */
export const pathOnly = 0o10_000_000;

/** A process that has ended has no mounts, and neither has a system without /proc. */
export function mountsOf(pid: number | 'self'): Mounts {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/mountinfo`, 'utf8');
  } catch (error) {
    if (isShortage(error)) throw error;
    return new Map();
  }
  return new Map(
    text.split('\n').map((line) => {
      const [id = '', parent = '', device = '', root = '', place = '', options = ''] = line.split(' ');
      const isReadOnly = options.split(',').includes('ro');
      return [id, { id, parent, device, root: unescaped(root), place: unescaped(place), isReadOnly }];
    }),
  );
}

/** The id of the mount that something open lies in. */
export function mountIdOf(fd: number): string {
  return /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '';
}

/**
 * Where else the host shows what lies at these real paths, or what is mounted below them: other mounts of the same file systems,
 * whole or in part. Not found: what another file system passes on, as overlayfs, FUSE and NFS do, and hard links.
 */
export function otherPlacesOf(paths: readonly string[]): string[] {
  const mounts = mountsOf('self');
  const found = new Set<string>();
  if (mounts.size === 0) return [];
  for (const { device, root } of [...paths.flatMap((path) => partAt(path, mounts)), ...mountedBelow(paths, mounts)]) {
    for (const other of mounts.values()) {
      if (other.device !== device) continue;
      const place = placeIn(other, root);
      // Only a mount of something wider can show it above an own path, and to hide that would hide too much.
      if (place === undefined || paths.some((path) => isBelow(path, place))) continue;
      if (idAt(place) === other.id) found.add(place);
    }
  }
  return [...found];
}

type Part = Pick<Mount, 'device' | 'root'>;

function partAt(path: string, mounts: Mounts): Part[] {
  const own = mounts.get(idAt(path) ?? '');
  // What is not there yet will be where its folder is.
  if (!own) return path === '/' ? [] : partAt(dirname(path), mounts).map((part) => inside(part, basename(path)));
  return isBelow(path, own.place) ? [inside(own, path.slice(own.place.length))] : [];
}

function inside({ device, root }: Part, rest: string): Part {
  return { device, root: join(root, rest) };
}

function mountedBelow(paths: readonly string[], mounts: Mounts): Part[] {
  return [...mounts.values()].filter(({ place }) => paths.some((path) => place !== path && isBelow(place, path)));
}

/** Where a mount shows a part of its file system: all of it, or what of it is the mount's root. */
function placeIn(mount: Mount, root: string): string | undefined {
  if (isBelow(mount.root, root)) return mount.place;
  return isBelow(root, mount.root) ? join(mount.place, root.slice(mount.root.length)) : undefined;
}

/** The mount that is in the place now: another may lie over it. */
function idAt(path: string): string | undefined {
  let fd: number;
  try {
    fd = openSync(path, pathOnly);
  } catch (error) {
    if (isShortage(error) || errorCode(error) === undefined) throw error;
    return undefined;
  }
  try {
    return mountIdOf(fd);
  } finally {
    closeSync(fd);
  }
}

function isBelow(path: string, root: string): boolean {
  return path === root || path.startsWith(root === '/' ? root : `${root}/`);
}

function unescaped(place: string): string {
  return place.replaceAll(/\\(\d{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8)));
}
