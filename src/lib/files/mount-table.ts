// Reads the kernel's mount table (proc_pid_mountinfo(5)) and answers questions about it.

import { closeSync, openSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { errorCode } from '../error-code.ts';
import { isShortage } from '../shortage.ts';

type Mount = {
  readonly id: string;
  /** The id of the mount on which this mount is mounted. */
  readonly parent: string;
  /** The device of its file system, as MAJOR:MINOR. */
  readonly device: string;
  /** The folder or file inside the file system that the mount shows. */
  readonly root: string;
  readonly place: string;
  readonly isReadOnly: boolean;
};

/** The mounts by their ids. */
export type Mounts = ReadonlyMap<string, Mount>;

/**
 * O_PATH of open(2), for which Node has no name. With it, opening a file does not read it, and does not trigger a
 * device or a pipe.
 */
export const pathOnly = 0o10_000_000;

/** Returns an empty table for a process that has ended, and on a system without /proc. */
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

/** The id of the mount that contains an open file. */
export function mountIdOf(fd: number): string {
  return /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '';
}

/**
 * Finds all other places where the host shows the content of these real paths, or of what is mounted below them. These
 * are further mounts of the same file systems, whole or in part. Does not find hard links. Does not find what another
 * file system passes on, as overlayfs, FUSE and NFS do.
 */
export function otherPlacesOf(paths: readonly string[]): string[] {
  const mounts = mountsOf('self');
  const found = new Set<string>();
  if (mounts.size === 0) return [];
  for (const { device, root } of [...paths.flatMap((path) => partAt(path, mounts)), ...mountedBelow(paths, mounts)]) {
    for (const other of mounts.values()) {
      if (other.device !== device) continue;
      const place = placeIn(other, root);
      // Leaves out a place that contains one of the paths. Only a mount of a wider folder can be there, and hiding that
      // mount would hide too much.
      if (place === undefined || paths.some((path) => isBelow(path, place))) continue;
      if (idAt(place) === other.id) found.add(place);
    }
  }
  return [...found];
}

type Part = Pick<Mount, 'device' | 'root'>;

function partAt(path: string, mounts: Mounts): Part[] {
  const own = mounts.get(idAt(path) ?? '');
  // A path that does not exist yet will be on the same mount as its folder.
  if (!own) return path === '/' ? [] : partAt(dirname(path), mounts).map((part) => inside(part, basename(path)));
  return isBelow(path, own.place) ? [inside(own, path.slice(own.place.length))] : [];
}

function inside({ device, root }: Part, rest: string): Part {
  return { device, root: join(root, rest) };
}

function mountedBelow(paths: readonly string[], mounts: Mounts): Part[] {
  return [...mounts.values()].filter(({ place }) => paths.some((path) => place !== path && isBelow(place, path)));
}

/**
 * Returns where a mount shows a part of its file system. If the mount shows only a piece of the part, returns the place
 * of that piece.
 */
function placeIn(mount: Mount, root: string): string | undefined {
  if (isBelow(mount.root, root)) return mount.place;
  return isBelow(root, mount.root) ? join(mount.place, root.slice(mount.root.length)) : undefined;
}

/** Finds the topmost mount at the place, because one mount may lie over another. */
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

/** Whether the path is `root` or below it. */
export function isBelow(path: string, root: string): boolean {
  return path === root || path.startsWith(root === '/' ? root : `${root}/`);
}

function unescaped(place: string): string {
  return place.replaceAll(/\\(\d{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8)));
}
