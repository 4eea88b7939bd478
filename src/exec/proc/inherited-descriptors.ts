// Descriptors that the server was started with and knows nothing of. Whatever it starts would have them, jobs too.

import { readdirSync, readFileSync } from 'node:fs';
import { errorCode } from '../../lib/error-code.ts';
import { isThere } from '../../lib/files/is-there.ts';

/** O_CLOEXEC in /proc/PID/fdinfo (open(2)); Node sets it on all that it opens itself. */
const closeOnExec = 0o2_000_000;

let found: readonly number[] | undefined;

/** Those beyond stdin, stdout and stderr. They do not change, so they are looked for once. */
export function inheritedDescriptors(): readonly number[] {
  found ??= listed()
    .map(Number)
    .filter((fd) => fd > 2 && isInherited(fd));
  return found;
}

/** Without /proc no shim starts a job that could get them (libexec/shim.bash). */
function listed(): string[] {
  return isThere('/proc/self/fdinfo') ? readdirSync('/proc/self/fdinfo') : [];
}

function isInherited(fd: number): boolean {
  try {
    const [, flags = ''] = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1')) ?? [];
    return (Number.parseInt(flags, 8) & closeOnExec) === 0;
  } catch (error) {
    // The descriptor of the listing itself.
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}
