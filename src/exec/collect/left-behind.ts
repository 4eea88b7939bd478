// Counts the files that a run leaves in its workspace or in its own /tmp. Only regular files count, because a link, a
// pipe or a socket contains no data. Links are not followed, names are bytes.

import { lstatSync, type Stats } from 'node:fs';
import { type LeftBehind, mostLeftFiles, mostLeftNames } from '../../domain/outcome/left-behind.ts';
import { type BytePath, errorOf, toText } from './sandbox-paths.ts';
import { walkWorkspace } from './workspace-walk.ts';

/** The names are neither redacted nor safe to show. */
export async function findLeftFiles(o: {
  readonly dir: string;
  /** A text that is put before each name. */
  readonly shownBelow: string;
  readonly isKept: (path: BytePath) => boolean;
  /** Called for each file that counts. */
  readonly onFound?: (stats: Stats) => void;
}): Promise<LeftBehind> {
  const names: string[] = [];
  let count = 0;
  let bytes = 0;
  let more = false;
  const entries = walkWorkspace({
    workspaceDir: o.dir,
    from: '',
    enters: (folder) => !o.isKept(folder),
    onError: (_, error) => {
      more ||= error === 'too-many';
    },
  });
  for await (const { path, pinnedPath, isLink } of entries) {
    if (isLink || o.isKept(path)) continue;
    const stats = statsOfFile(pinnedPath);
    // flock(1) leaves an empty file.
    if (stats === undefined || (stats.size === 0 && toText(path).endsWith('.lock'))) continue;
    more = count === mostLeftFiles;
    if (more) break;
    count += 1;
    bytes += stats.size;
    o.onFound?.(stats);
    if (names.length < mostLeftNames) names.push(o.shownBelow + toText(path));
  }
  return { count, bytes, names: names.toSorted(), more };
}

function statsOfFile(path: Buffer): Stats | undefined {
  try {
    const stats = lstatSync(path);
    return stats.isFile() ? stats : undefined;
  } catch (error) {
    errorOf(error);
    return undefined;
  }
}

export function joinLeftFiles(found: readonly LeftBehind[]): LeftBehind | null {
  const joined = found.reduce((all, one) => ({
    count: all.count + one.count,
    bytes: all.bytes + one.bytes,
    names: [...all.names, ...one.names].slice(0, mostLeftNames),
    more: all.more || one.more,
  }));
  if (joined.count > mostLeftFiles) return { ...joined, count: mostLeftFiles, more: true };
  return joined.count > 0 || joined.more ? joined : null;
}
