// Ends the process, whatever its threads are doing.

import { existsSync } from 'node:fs';
import { flushCompileCache } from 'node:module';

const shell = '/bin/sh';

/**
 * `process.exit` first waits for all threads. It waits forever for a thread that is blocked by a file or by a name
 * server that does not answer, and sometimes for a thread that compiles code
 * (https://github.com/nodejs/node/issues/54918). So another program takes the place of this one. It has no such
 * threads.
 */
export function endProcess(code: number): never {
  flushCompileCache();
  for (const stream of [process.stdout, process.stderr]) makeBlocking(stream);
  if (process.execve && existsSync(shell)) process.execve(shell, ['sh', '-c', `exit ${code}`], {});
  process.exit(code);
}

/**
 * Makes output block again. Others may share the pipe, and would get EAGAIN from a non-blocking pipe that is full. Node
 * offers this only under a private name.
 */
function makeBlocking(stream: NodeJS.WriteStream): void {
  const { _handle: handle }: { _handle?: { setBlocking?: (isBlocking: boolean) => void } | null } = Object(stream);
  handle?.setBlocking?.(true);
}
