// How many files and sockets this process may have open.

import { readFileSync } from 'node:fs';
import { StartError } from '../start-error.ts';
import { isThere } from './is-there.ts';

/** The limit that is assumed if /proc does not say it. It is the default of macOS. */
const usual = 256;
/** With fewer, a server cannot open its own files, or cannot run a job. */
const fewest = 64;

/** proc_pid_limits(5). */
export function descriptorLimit(): number {
  const limits = isThere('/proc/self/limits') ? readFileSync('/proc/self/limits', 'latin1') : '';
  const [, soft] = /^Max open files +(\d+)/m.exec(limits) ?? [];
  return soft === undefined ? usual : Number(soft);
}

/** @throws StartError */
export function assertDescriptors(): void {
  const limit = descriptorLimit();
  if (limit >= fewest) return;
  throw new StartError(
    `flwd may open only ${limit} files, and needs at least ${fewest}: raise the limit with \`ulimit -n\`, or LimitNOFILE in systemd`,
  );
}
