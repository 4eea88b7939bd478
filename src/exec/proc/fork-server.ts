// Talks to the fork server, a small process that starts the shims (libexec/fork-server.bash, ADR 0008).

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { errorCode } from '../../lib/error-code.ts';
import { isThere } from '../../lib/files/is-there.ts';
import { findProgram } from '../host/host-programs.ts';
import { seccompFilter } from '../sandbox/seccomp-filter.ts';
import { libexecDir } from '../script-places.ts';
import type { Order } from './shim.ts';

export type ForkServer = ReturnType<typeof openForkServer>;

/**
 * `ended`: the shim has reported that it ends, which is the last thing it does. `none`: no report will come, because
 * the shim never began, or it continues without the fork server.
 */
export type ShimNews = 'ended' | 'none';

/** `dir` is only for the fork server. This call empties it and makes it private to the server's user. */
export function openForkServer(dir: string) {
  const filterPath = join(dir, 'seccomp-filter');
  const filter = seccompFilter(process.arch);
  let current: Child | undefined;

  function prepare(): void {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    // If there is no seccomp filter for this machine, no secure job can start. The probe of the host has reported this.
    if (filter) writeFileSync(filterPath, filter);
  }

  function running(): Child {
    if (current && !current.hasPipes()) {
      // Somebody has removed the folder. The shims that this fork server has started continue.
      void current.close();
      current = undefined;
      prepare();
    }
    if (!current || current.isOver()) current = startChild(dir, filterPath);
    return current;
  }

  rmSync(dir, { recursive: true, force: true });
  prepare();
  return {
    /** Starts the fork server, so that the first order need not wait for it. */
    start: () => void running(),
    /** Starts a shim in its own process group. Rejects if there is no bash. */
    run: (order: Order): Promise<ShimNews> => running().run(order),
    /** Resolves when the fork server has ended. The shims that it has started continue. */
    close: async (): Promise<void> => current?.close(),
  };
}

/** How long the fork server may take to end once its input has ended. */
const leavingMs = 2_000;

type Child = ReturnType<typeof startChild>;

/**
 * Starts the process without the variables of the server. Before the process starts the first shim, it closes the
 * inherited descriptors, so that jobs get only the variables and descriptors that the orders name.
 */
function startChild(dir: string, filterPath: string) {
  const pipesDir = mkdtempSync(join(dir, 'pipes-'));
  const words = [join(libexecDir, 'fork-server.bash'), pipesDir, filterPath, ...inheritedDescriptors()];
  const child = spawn(findProgram('bash') ?? 'bash', words, {
    cwd: '/',
    env: {},
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
  });
  const waiting = new Map<string, PromiseWithResolvers<ShimNews>>();
  let started = 0;
  let isOver = false;

  child.on('error', (error) => {
    isOver = true;
    for (const { reject } of waiting.values()) reject(error);
  });
  child.on('exit', () => {
    isOver = true;
    for (const { resolve } of waiting.values()) resolve('none');
  });
  const { orders, news } = endsOf(child);
  // An error here means that the child has died, which the `exit` event reports.
  orders.on('error', () => undefined);
  createInterface({ input: news }).on('line', (line) => {
    const [what, number = ''] = line.split(' ');
    waiting.get(number)?.resolve(what === 'ended' ? 'ended' : 'none');
    waiting.delete(number);
  });
  return {
    isOver: (): boolean => isOver,
    hasPipes: (): boolean => isThere(pipesDir),
    run({ open, hidden }: Order): Promise<ShimNews> {
      started += 1;
      const shim = Promise.withResolvers<ShimNews>();
      waiting.set(String(started), shim);
      orders.write([open, hidden].map(lengthOf).join('') + open + hidden);
      return shim.promise;
    },
    async close(): Promise<void> {
      if (isOver) return;
      child.ref();
      orders.end();
      await Promise.race([once(child, 'exit'), delay(leavingMs, undefined, { ref: false })]);
      child.unref();
    },
  };
}

function lengthOf(text: string): string {
  return String(Buffer.byteLength(text)).padStart(8, '0');
}

/** Opens the pipes to and from the process. A server can exit while they are open. */
function endsOf(child: ChildProcess): { orders: Writable; news: Readable } {
  const [orders, , , news] = child.stdio;
  if (!(orders instanceof Writable) || !(news instanceof Readable)) throw new Error('a process without its pipes');
  child.unref();
  for (const end of [orders, news]) if ('unref' in end && typeof end.unref === 'function') end.unref();
  return { orders, news };
}

/** O_CLOEXEC in /proc/PID/fdinfo (open(2)). Node sets it on everything that it opens itself. */
const closeOnExec = 0o2_000_000;

let found: readonly string[] | undefined;

/**
 * Descriptors that the server inherited without knowing, beyond those that the fork server replaces. Everything it
 * starts would inherit them, including jobs. They do not change, so they are searched for only once.
 */
function inheritedDescriptors(): readonly string[] {
  found ??= listed().filter((fd) => Number(fd) > 3 && isInherited(fd));
  return found;
}

/**
 * Lists the descriptors. Without /proc the list is empty, but then no shim can start a job either (libexec/shim.bash).
 */
function listed(): string[] {
  return isThere('/proc/self/fdinfo') ? readdirSync('/proc/self/fdinfo') : [];
}

function isInherited(fd: string): boolean {
  try {
    const [, flags = ''] = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1')) ?? [];
    return (Number.parseInt(flags, 8) & closeOnExec) === 0;
  } catch (error) {
    // The descriptor with which this folder was listed has been closed already.
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}
