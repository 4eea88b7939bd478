// Whether what bwrap has mounted in the place of each grant is the very folder or file that the server holds open (ADR 0020). bwrap
// waits for it before it starts the script (`guard` of libexec/shim.bash).

import { closeSync, constants, fstatSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { errorCode } from '../lib/error-code.ts';
import { isShortage, outlast } from '../lib/shortage.ts';
import { type OpenGrant, pathOnly } from './granted-paths.ts';
import { readStatus } from './shim-status.ts';

const pollMs = 2;
/** To mount all, and to give up what it took: until then bwrap may show its root to nobody but root. */
const patienceMs = 30_000;

type Mount = { readonly id: string; readonly place: string; readonly isReadOnly: boolean };

/** `places`: where there must be a mount that the host does not have. Ends with the attempt, too, without a verdict. */
export async function giveVerdict(
  attemptDir: string,
  grants: readonly OpenGrant[],
  places: readonly string[],
  hasEnded: () => boolean,
): Promise<void> {
  const say = (verdict: string) => outlast(() => writeFileSync(join(attemptDir, 'verdict'), `${verdict}\n`));
  let sinceMs: number | undefined;
  for (; !hasEnded(); await delay(pollMs, undefined, { ref: false })) {
    const child = await outlast(() => readStatus(attemptDir)?.sandbox?.initPid);
    if (child === undefined) continue;
    sinceMs ??= performance.now();
    const isLate = performance.now() - sinceMs > patienceMs;
    const isRight = await outlast(() => (isMade(child) ? isAsGranted(child, grants, places) : undefined));
    if (isRight !== undefined || isLate) return await say(isRight ? 'right' : String(child));
  }
}

/** Before bwrap has entered its new root the host's mounts are there, then both. */
function isMade(child: number): boolean {
  const mounts = mountsOf(child);
  return countAt(mounts, '/run/flwd/in') > 0 && countAt(mounts, '/newroot/run/flwd/in') === 0;
}

/** undefined: there is no telling yet. */
function isAsGranted(child: number, grants: readonly OpenGrant[], places: readonly string[]): boolean | undefined {
  const opened: number[] = [];
  const open = (path: string, flags = 0): number => {
    const fd = openSync(path, pathOnly | flags);
    opened.push(fd);
    return fd;
  };
  try {
    const shown = grants.map((grant) => {
      // Links above the place are followed, to wherever. The last step is one name in an open folder, and no link, so that
      // another mount than the folder's begins there.
      const above = open(`/proc/${child}/root${dirname(grant.path)}`, constants.O_DIRECTORY);
      const fd = open(`/proc/self/fd/${above}/${basename(grant.path)}`, constants.O_NOFOLLOW);
      return { grant, mount: mountOf(fd), isRoot: mountOf(fd) !== mountOf(above), isSame: isSame(fd, grant.fd) };
    });
    // Read while they are open: no other mount can have their ids. One that has been led to from elsewhere is not in its place here.
    const mounts = mountsOf(child);
    const onHost = mountsOf('self');
    const isBound = ({ grant: { kind, path }, mount, isRoot, isSame }: (typeof shown)[number]): boolean =>
      isRoot &&
      isSame &&
      mounts.some(({ id, place, isReadOnly }) => id === mount && place === path && (isReadOnly || kind === 'write'));
    return shown.every(isBound) && places.every((place) => countAt(mounts, place) > countAt(onHost, place));
  } catch (error) {
    if (isShortage(error)) throw error;
    return errorCode(error) === 'EACCES' ? undefined : false;
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

function isSame(one: number, other: number): boolean {
  const [a, b] = [fstatSync(one, { bigint: true }), fstatSync(other, { bigint: true })];
  return a.dev === b.dev && a.ino === b.ino;
}

function mountOf(fd: number): string | undefined {
  return /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1];
}

/** proc_pid_mountinfo(5). Of a process that has ended: none. */
function mountsOf(pid: number | 'self'): Mount[] {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/mountinfo`, 'utf8');
  } catch (error) {
    if (isShortage(error)) throw error;
    return [];
  }
  return text.split('\n').map((line) => {
    const [id = '', , , , place = '', options = ''] = line.split(' ');
    return { id, place: unescaped(place), isReadOnly: options.split(',').includes('ro') };
  });
}

function unescaped(place: string): string {
  return place.replaceAll(/\\(\d{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8)));
}

function countAt(mounts: readonly Mount[], place: string): number {
  return mounts.filter((mount) => mount.place === place).length;
}
