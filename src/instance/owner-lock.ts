// Makes sure that a data dir has one owner: the process that holds the kernel's lock on `flwd.lock`. The lock ends with
// the process, however the process ends. Other processes learn who the owner is through the socket `flwd.sock` beside
// the lock.

import { chmodSync, closeSync, existsSync, openSync, readdirSync, rmSync, statSync } from 'node:fs';
import { utimes } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../lib/clock.ts';
import { assertAskable, isForeign, openDataDir, unusable } from './data-dir.ts';
import { assertRestored } from './unfinished-restore.ts';

export type OwnerInfo = {
  readonly pid: number;
  /** null while the owner starts, and when it is about to end. Then no process may send it a request. */
  readonly url: string | null;
  /** SHA-256 of the owner's certificate, if the owner speaks HTTPS. */
  readonly certificate?: string | null;
  /** True for a command without a server, which owns the data dir until the command ends. */
  readonly isEphemeral?: boolean;
  /** True if a server has asked this command for the data dir, and the command is handing it over. */
  readonly makesWay?: boolean;
};

/** Where an owner listens. */
type Address = {
  readonly url: string;
  /** SHA-256 of the current certificate; null: plain HTTP. */
  readonly certificate?: () => string | null;
};

export type Ownership = Awaited<ReturnType<typeof acquireOwnership>>;

/**
 * Another live process owns the data dir. `owner` is null if that process does not answer, for example while it starts.
 */
export class DataDirOwned extends Error {
  override readonly name = 'DataDirOwned';
  readonly owner: OwnerInfo | null;

  constructor(dataDir: string, owner: OwnerInfo | null) {
    const where = owner?.isEphemeral ? ' (a flwd command, until it ends)' : owner?.url ? ` (${owner.url})` : '';
    const who = owner ? `process ${owner.pid}${where}` : 'another process';
    super(`the data dir ${dataDir} is in use by ${who}; stop it, or choose another (--data-dir)`);
    this.owner = owner;
  }
}

export const lockFile = 'flwd.lock';
const socketFile = 'flwd.sock';
/** sun_path holds 108 bytes including its NUL on Linux, 104 on macOS (unix(7), unix(4)). */
const maxSocketPathBytes = 103;
/** How long to wait for an answer: this many steps of this many milliseconds. */
const answerSteps = 20;
const answerStepMs = 100;
/**
 * How long to try to take the lock. Two processes that start at once can refuse each other for a moment, so each tries
 * again.
 */
const lockWaitMs = 200;
const sqliteBusy = 5;
/** How often an owner checks that its lock and its socket are still in place. */
const lookMs = 1_000;
/** How often a server changes the time of the lock file, as a sign of life. It also does so when it stops. */
const signMs = 60_000;

export type OwnerEvents = {
  readonly warn: (message: string) => void;
  /** Called when a server asks this owner to hand over the data dir. */
  readonly onYield?: () => void;
  /** Called when another command waits for this run, which this owner must start if it is pending. */
  readonly onStartRun?: (runId: string) => void;
  /** Called when another process has taken the data dir. */
  readonly onLost?: (owner: OwnerInfo) => void;
};

/**
 * Creates the data dir and takes it for this process. Until the data dir is released, the process restores the lock and
 * the socket if somebody removes them.
 * @throws DataDirOwned, or StartError when the folder cannot be used
 */
export async function acquireOwnership(
  dataDir: string,
  {
    isEphemeral,
    isRestore = false,
    ...events
  }: OwnerEvents &
    Pick<OwnerInfo, 'isEphemeral'> & { /** May find an unfinished restore. */ readonly isRestore?: boolean },
) {
  // Root may talk to another user's server, but must not take its place.
  const other = (await isForeign(dataDir)) ? await findOwner(dataDir).catch(() => null) : null;
  if (other) throw new DataDirOwned(dataDir, other);
  await openDataDir(dataDir, lockFile, events.warn);
  // Somebody may have removed the lock. A live owner restores it within this time.
  if (isWithoutLock(dataDir)) await delay(1.5 * lookMs);
  const lock = takeLock(dataDir);
  if (!lock) throw new DataDirOwned(dataDir, await findOwner(dataDir));
  try {
    await assertUnanswered(dataDir);
    if (!isRestore) assertRestored(dataDir);
    let address: Address | null = null;
    let makesWay = false;
    const answering = {
      ...events,
      onYield() {
        makesWay = isEphemeral === true;
        events.onYield?.();
      },
      info: (): OwnerInfo => ({
        pid: process.pid,
        url: address?.url ?? null,
        ...(address?.certificate && { certificate: address.certificate() }),
        ...(isEphemeral && { isEphemeral }),
        ...(makesWay && { makesWay }),
      }),
    };
    const kept = keepOwnership(dataDir, { answering, lock, socket: await answerAskers(dataDir, answering) });
    const signing = isEphemeral ? undefined : setInterval(() => void leaveSign(dataDir), signMs).unref();
    return {
      /** Sets what other processes are told from now on; null means that the owner is about to end. */
      announce(next: Address | null): void {
        address = next;
      },
      async release(): Promise<void> {
        clearInterval(signing);
        if (signing) await leaveSign(dataDir);
        await kept.release();
      },
    };
  } catch (error) {
    lock.close();
    throw error;
  }
}

/**
 * Leaves a sign of life: sets the time of the lock file. The file is not opened, because closing it would drop the
 * lock.
 */
async function leaveSign(dataDir: string): Promise<void> {
  const now = systemClock.now() / 1_000;
  // An error is ignored here. The check that runs each second reports a folder that is gone or cannot be written.
  await utimes(join(dataDir, lockFile), now, now).catch(() => undefined);
}

/**
 * When a server last left a sign of life: at its stop, or up to a minute before it was killed. Returns undefined if no
 * server has left one since the lock file was created.
 */
export function lastSignAtMs(dataDir: string): number | undefined {
  const stats = statSync(join(dataDir, lockFile), { throwIfNoEntry: false });
  // If the two times are equal, a command or a restore may have created the file.
  return stats && stats.mtimeMs !== stats.birthtimeMs ? stats.mtimeMs : undefined;
}

function isWithoutLock(dataDir: string): boolean {
  const names = readdirSync(dataDir);
  return names.length > 0 && !names.includes(lockFile);
}

/**
 * Makes sure that no other owner answers at the socket. Only the holder of the lock calls this. The previous owner may
 * be alive, but too busy to restore a removed lock.
 */
async function assertUnanswered(dataDir: string): Promise<void> {
  // A process that is being killed loses its lock a moment before its socket.
  for (let triesLeft = 3; ; triesLeft--) {
    const { isThere, owner } = await askOwner(dataDir, '');
    if (!isThere) return;
    if (owner || triesLeft === 1) throw new DataDirOwned(dataDir, owner);
    await delay(lockWaitMs);
  }
}

type Answering = OwnerEvents & { readonly info: () => OwnerInfo };

/** Each check is two calls of stat(2), unless something is wrong. */
function keepOwnership(
  dataDir: string,
  o: { readonly answering: Answering; readonly lock: DatabaseSync; readonly socket: Server },
) {
  const { warn, onLost } = o.answering;
  // A lock is kept even after its file was removed, because the folder may only have been moved. Then its database is
  // still in use.
  const locks = new Map([[fileId(dataDir, lockFile), o.lock]]);
  let { socket } = o;
  let socketId = fileId(dataDir, socketFile);
  let looking: Promise<void> | undefined;
  let trouble: string | undefined;

  async function look(): Promise<void> {
    const hasLock = locks.has(fileId(dataDir, lockFile)) || takeAgain();
    if (!hasLock) {
      const owner = await findOwner(dataDir);
      if (owner && owner.pid !== process.pid) {
        clearInterval(timer);
        onLost?.(owner);
      }
      return;
    }
    if (socketId !== undefined && fileId(dataDir, socketFile) === socketId) return;
    await closeServer(socket);
    socket = await answerAskers(dataDir, o.answering);
    socketId = fileId(dataDir, socketFile);
    warn(`somebody removed ${socketFile} from the data dir ${dataDir}; it is there again`);
  }

  function takeAgain(): boolean {
    const lock = takeLock(dataDir);
    if (!lock) return false;
    locks.set(fileId(dataDir, lockFile), lock);
    warn(`somebody removed ${lockFile} from the data dir ${dataDir}; it is there again`);
    return true;
  }

  const timer = setInterval(() => {
    looking ??= look()
      .then(() => {
        trouble = undefined;
      })
      .catch((error: unknown) => {
        const found = error instanceof Error ? error.message : String(error);
        if (found !== trouble) warn(`the data dir ${dataDir} has changed: ${found}`);
        trouble = found;
      })
      .finally(() => {
        looking = undefined;
      });
  }, lookMs).unref();

  return {
    async release(): Promise<void> {
      clearInterval(timer);
      await looking;
      // The listener also keeps references to the locks. Otherwise the locks would be garbage collected, and SQLite
      // would release them.
      await closeServer(socket);
      for (const lock of locks.values()) lock.close();
    },
  };
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/** Identifies the file at a path, to notice when another file takes its place; undefined if there is no file. */
function fileId(dataDir: string, name: string): string | undefined {
  const stats = statSync(join(dataDir, name), { throwIfNoEntry: false });
  return stats && `${stats.dev}:${stats.ino}`;
}

/**
 * Takes the lock. Node has no flock(2), but SQLite takes a lock of this kind. A socket alone cannot decide who is the
 * owner: if two processes both find a stale socket, each can remove the socket of the other. Trap: POSIX drops the lock
 * when this process closes any other descriptor of the file, so nothing may open the file a second time.
 */
function takeLock(dataDir: string): DatabaseSync | undefined {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(join(dataDir, lockFile), { timeout: lockWaitMs });
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock?.close();
    if (!(error instanceof Error)) throw error;
    if ('errcode' in error && error.errcode === sqliteBusy) return undefined;
    throw unusable(dataDir, `${lockFile}: ${error.message}`);
  }
}

/**
 * Listens at the socket, and answers other processes. Only the holder of the lock calls this, so an existing socket
 * belongs to nobody.
 */
async function answerAskers(dataDir: string, { info, onYield, onStartRun }: Answering): Promise<Server> {
  rmSync(join(dataDir, socketFile), { force: true });
  const address = socketAddress(dataDir);
  const server = createServer((asker) => {
    asker.on('error', () => asker.destroy());
    // The connection ends even if the other side still sends, so that it cannot keep the owner from ending.
    const timer = afterSteps(() => asker.destroy());
    asker.on('close', () => clearInterval(timer));
    asker.once('data', (chunk) => {
      const [word = '', runId = ''] = String(chunk).trimEnd().split(' ');
      if (word === yieldWord) onYield?.();
      if (word === startWord) onStartRun?.(runId);
    });
    asker.end(`${JSON.stringify(info())}\n`);
  });
  await new Promise<void>((resolve, reject) => {
    // The listener stays attached, because a failing accept(2) (EMFILE) is an error event, too.
    server.on('error', reject);
    server.listen(address.path, resolve);
  });
  // close() removes the path that the socket was given. That path goes through the descriptor of the address, so the
  // descriptor is closed later.
  server.once('close', address.close);
  chmodSync(join(dataDir, socketFile), 0o600);
  return server.unref();
}

// The other side may be another version of flwd, for example during an upgrade. So these words must never change.
const yieldWord = 'yield';
const startWord = 'start';

/** Returns null when no owner answers. @throws StartError when another user could answer in its place */
export async function findOwner(dataDir: string): Promise<OwnerInfo | null> {
  return (await askOwner(dataDir, '')).owner;
}

/** Whether a server has the data dir, and not just a command. A busy owner that does not answer counts as a server. */
export async function isServed(dataDir: string): Promise<boolean> {
  const { isThere, owner } = await askOwner(dataDir, '');
  return isThere && owner?.isEphemeral !== true;
}

/**
 * Whether this process is still the owner. If it has ended, its address may belong to someone else by now. A busy owner
 * that does not answer is still the owner.
 */
export async function isStillOwner(dataDir: string, { pid, url }: OwnerInfo): Promise<boolean> {
  const { isThere, owner } = await askOwner(dataDir, '');
  return isThere && (owner === null || (owner.pid === pid && owner.url === url));
}

/**
 * Asks an owner that runs a single command to hand the data dir over to a server, and to go on as a client of that
 * server.
 */
export async function askToYield(dataDir: string): Promise<void> {
  await askOwner(dataDir, `${yieldWord}\n`);
}

/** Asks an owner that runs a single command to start this run as well, if the run is pending. */
export async function askToStartRun(dataDir: string, runId: string): Promise<void> {
  await askOwner(dataDir, `${startWord} ${runId}\n`);
}

type Reply = { readonly isThere: boolean; readonly owner: OwnerInfo | null };

async function askOwner(dataDir: string, word: string): Promise<Reply> {
  if (!existsSync(dataDir)) return { isThere: false, owner: null };
  assertAskable(dataDir);
  const address = socketAddress(dataDir);
  let isThere = true;
  const answer = await new Promise<string>((resolve) => {
    let text = '';
    const socket = connect(address.path);
    const timer = afterSteps(() => socket.destroy());
    socket.setEncoding('utf8');
    if (word !== '') socket.write(word);
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', () => {
      isThere = false;
      socket.destroy();
    });
    socket.on('close', () => {
      clearInterval(timer);
      resolve(text);
    });
  });
  address.close();
  if (!answer.endsWith('\n')) return { isThere, owner: null };
  const owner: OwnerInfo = JSON.parse(answer);
  return { isThere, owner };
}

/**
 * Calls `end` after a number of steps rather than when a period has passed. While this process is suspended, at most
 * one step passes, so the process can still read what arrived meanwhile.
 */
function afterSteps(end: () => void): NodeJS.Timeout {
  let stepsLeft = answerSteps;
  const timer = setInterval(() => {
    stepsLeft -= 1;
    if (stepsLeft === 0) end();
  }, answerStepMs);
  return timer;
}

/**
 * The path of the socket, if it fits into sun_path. A longer path is reached through an open descriptor of the folder.
 */
function socketAddress(dataDir: string): { path: string; close: () => void } {
  const path = join(dataDir, socketFile);
  if (Buffer.byteLength(path) <= maxSocketPathBytes) return { path, close: () => {} };
  const fd = openSync(dataDir, 'r');
  return { path: `/proc/self/fd/${fd}/${socketFile}`, close: () => closeSync(fd) };
}
