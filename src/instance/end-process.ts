// Ends the process, whatever its threads are doing.

import { existsSync } from 'node:fs';
import { flushCompileCache } from 'node:module';

const shell = '/bin/sh';

/**
 * `process.exit` first joins all threads. It waits forever for one that is blocked by a file or a name server that does
 * not answer, and sometimes for one that compiles code (https://github.com/nodejs/node/issues/54918). A program that
 * takes the place of this one has no threads.
 */
export function endProcess(code: number): never {
  flushCompileCache();
  for (const stream of [process.stdout, process.stderr]) makeBlocking(stream);
  if (process.execve && existsSync(shell)) process.execve(shell, ['sh', '-c', `exit ${code}`], {});
  process.exit(code);
}

/**
 * Makes output block. It must not stay non-blocking, because others may share the pipe and would get EAGAIN while it is
 * full. Node does this only under a private name.
 */
function makeBlocking(stream: NodeJS.WriteStream): void {
  const { _handle: handle }: { _handle?: { setBlocking?: (isBlocking: boolean) => void } | null } = Object(stream);
  handle?.setBlocking?.(true);
}
