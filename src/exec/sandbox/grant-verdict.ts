// Checks that bwrap has mounted, for each grant, the very folder or file that the server has open (ADR 0020). bwrap
// waits for this verdict before it starts the script (`guard` of libexec/shim.bash).

import { closeSync, constants, fstatSync, openSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { errorCode } from '../../lib/error-code.ts';
import { type Mounts, mountIdOf, mountsOf, pathOnly } from '../../lib/files/mount-table.ts';
import { isShortage, retryShortage } from '../../lib/shortage.ts';
import { readStatus } from '../proc/shim-status.ts';
import type { OpenGrant } from './granted-paths.ts';
import type { GuardedPlace } from './host-mounts.ts';

const pollMs = 2;
/**
 * How long bwrap may take to mount everything and drop its privileges. Until then, only root may be able to read its
 * mounts.
 */
const timeoutMs = 30_000;

/**
 * Waits until the sandbox can be checked, and writes the verdict. `places` are the paths at which bwrap must have made
 * a mount. If the attempt ends first, no verdict is written.
 */
export async function giveVerdict(
  attemptDir: string,
  grants: readonly OpenGrant[],
  places: readonly GuardedPlace[],
  hasEnded: () => boolean,
): Promise<void> {
  const say = (verdict: string) => retryShortage(() => writeFileSync(join(attemptDir, 'verdict'), `${verdict}\n`));
  let sinceMs: number | undefined;
  for (; !hasEnded(); await delay(pollMs, undefined, { ref: false })) {
    const child = await retryShortage(() => readStatus(attemptDir)?.sandbox?.initPid);
    if (child === undefined) continue;
    sinceMs ??= performance.now();
    const isLate = performance.now() - sinceMs > timeoutMs;
    const isRight = await retryShortage(() => (isMade(child) ? isAsGranted(child, grants, places) : undefined));
    if (isRight !== undefined || isLate) return await say(isRight ? 'right' : String(child));
  }
}

/** Whether bwrap has made the sandbox. Until bwrap enters its new root, it still shows the host's mounts. */
function isMade(child: number): boolean {
  const places = [...mountsOf(child).values()].map(({ place }) => place);
  return places.includes('/run/flwd/in') && !places.includes('/newroot/run/flwd/in');
}

/** Whether every mount is as granted; undefined if it is too early to tell. */
function isAsGranted(
  child: number,
  grants: readonly OpenGrant[],
  places: readonly GuardedPlace[],
): boolean | undefined {
  const opened: number[] = [];
  const open = (path: string, flags = 0): number => {
    const fd = openSync(path, pathOnly | flags);
    opened.push(fd);
    return fd;
  };
  try {
    const shown = places.map(({ path, covered }) => {
      // Links in the folders above are followed, wherever they lead. The last name is opened in an open folder and
      // without following a link, so only a mount at this very place can be found.
      const above = open(`/proc/${child}/root${dirname(path)}`, constants.O_DIRECTORY);
      const fd = open(`/proc/self/fd/${above}/${basename(path)}`, constants.O_NOFOLLOW);
      const grant = grants.find((one) => one.path === path);
      const onHost = grant?.fd ?? open(path);
      return {
        path,
        covered,
        fd,
        grant,
        onHost: mountIdOf(onHost),
        mount: mountIdOf(fd),
        isRoot: mountIdOf(fd) !== mountIdOf(above),
      };
    });
    // The mounts are read while the files are open, so no other mount can get their ids. A mount that was reached
    // through a link has another place, so it does not count.
    const mounts = mountsOf(child);
    const ofHost = mountsOf('self');
    return shown.every(({ path, covered, fd, grant, onHost, mount, isRoot }) => {
      const inherited = { no: 0, 'in-place': 1, 'from-above': stackAt(ofHost, onHost, path) }[covered];
      if (!isRoot || stackAt(mounts, mount, path) <= inherited) return false;
      return !grant || (isSame(fd, grant.fd) && (mounts.get(mount)?.isReadOnly === true || grant.kind === 'write'));
    });
  } catch (error) {
    if (isShortage(error)) throw error;
    return errorCode(error) === 'EACCES' ? undefined : false;
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

/**
 * Returns how many mounts are stacked at `place`: `top` and the mounts below it. Returns 0 if `top` is mounted
 * elsewhere.
 */
function stackAt(mounts: Mounts, top: string, place: string): number {
  let count = 0;
  for (let at = mounts.get(top); at?.place === place; at = mounts.get(at.parent)) count += 1;
  return count;
}

function isSame(one: number, other: number): boolean {
  const [a, b] = [fstatSync(one, { bigint: true }), fstatSync(other, { bigint: true })];
  return a.dev === b.dev && a.ino === b.ino;
}
