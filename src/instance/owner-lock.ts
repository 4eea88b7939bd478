// One owner of a data dir. The kernel's lock on `flwd.lock` decides who that is and ends with the process, however it
// ends; the socket `flwd.sock` beside it tells everyone else who the owner is.

import { chmodSync, closeSync, existsSync, openSync, readdirSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { assertAskable, isForeign, openDataDir, unusable } from './data-dir.ts';

export type OwnerInfo = {
  readonly pid: number;
  /** null while it starts, and from the moment that it is about to end: nobody may send it anything more. */
  readonly url: string | null;
  /** SHA-256 of the certificate that it shows, where it speaks HTTPS. */
  readonly certificate?: string | null;
  /** A command that has no server, and has the data dir until it ends. */
  readonly isEphemeral?: boolean;
  /** A server has asked such a command for the data dir: it is the server's turn. */
  readonly makesWay?: boolean;
};

/** Where an owner listens. */
type Address = {
  readonly url: string;
  /** SHA-256 of the certificate that it shows by now; null: it speaks plain HTTP. */
  readonly certificate?: () => string | null;
};

export type Ownership = {
  /** What askers are told from now on; null: it is about to end. */
  announce(address: Address | null): void;
  release(): Promise<void>;
};

/** Another live process has the data dir. `owner` is null when it does not say who it is, e.g. while it starts. */
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

const lockFile = 'flwd.lock';
const socketFile = 'flwd.sock';
/** sun_path holds 108 bytes with its NUL on Linux, 104 on macOS (unix(7), unix(4)). */
const maxSocketPathBytes = 103;
const answerWithinMs = 1_000;
/** Two starters at once can turn each other away for a moment; the one that tries again wins. */
const lockWaitMs = 200;
const sqliteBusy = 5;
/** How often an owner looks whether its two files are where it put them. */
const lookMs = 1_000;

export type OwnerEvents = {
  readonly warn: (message: string) => void;
  /** Somebody asks this owner to make way. */
  readonly onYield?: () => void;
  /** Another command waits for this run, which this owner may not have been asked for. */
  readonly onAttend?: (runId: string) => void;
  /** Another process has taken the data dir from this one. */
  readonly onLost?: (owner: OwnerInfo) => void;
};

/**
 * Creates the data dir and takes it for this process. Until it is released, the owner puts back what somebody removes of the lock and the socket.
 * @throws DataDirOwned, or StartError when the folder cannot be used
 */
export async function acquireOwnership(
  dataDir: string,
  { isEphemeral, ...events }: OwnerEvents & Pick<OwnerInfo, 'isEphemeral'>,
): Promise<Ownership> {
  // Root may ask the server of another user, and must not take the place of it.
  const other = (await isForeign(dataDir)) ? await findOwner(dataDir).catch(() => null) : null;
  if (other) throw new DataDirOwned(dataDir, other);
  await openDataDir(dataDir, lockFile, events.warn);
  // Somebody has removed the lock: an owner that is alive puts it back within this time.
  if (isWithoutLock(dataDir)) await delay(1.5 * lookMs);
  const lock = takeLock(dataDir);
  if (!lock) throw new DataDirOwned(dataDir, await findOwner(dataDir));
  try {
    await assertUnanswered(dataDir);
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
    return {
      announce(next) {
        address = next;
      },
      ...kept,
    };
  } catch (error) {
    lock.close();
    throw error;
  }
}

function isWithoutLock(dataDir: string): boolean {
  const names = readdirSync(dataDir);
  return names.length > 0 && !names.includes(lockFile);
}

/** For the holder of the lock: the lock of an owner that is too busy to put it back may have been removed. */
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

/** Each look is two calls of stat(2), unless something is amiss. */
function keepOwnership(
  dataDir: string,
  o: { readonly answering: Answering; readonly lock: DatabaseSync; readonly socket: Server },
): Pick<Ownership, 'release'> {
  const { warn, onLost } = o.answering;
  // A lock that was removed is kept: the folder may only have been moved, and its database is still in use.
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
        if (found !== trouble) warn(`the data dir ${dataDir} is not as it was: ${found}`);
        trouble = found;
      })
      .finally(() => {
        looking = undefined;
      });
  }, lookMs).unref();

  return {
    async release() {
      clearInterval(timer);
      await looking;
      // The listener also holds on to the locks, which SQLite would release when they are collected.
      await closeServer(socket);
      for (const lock of locks.values()) lock.close();
    },
  };
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/** Tells a file from another one at its path. undefined: it is not there. */
function fileId(dataDir: string, name: string): string | undefined {
  const stats = statSync(join(dataDir, name), { throwIfNoEntry: false });
  return stats && `${stats.dev}:${stats.ino}`;
}

/**
 * Node has no flock(2), but SQLite takes such a lock. A socket alone cannot decide: of two starters that both find a
 * stale one, each can remove the other's. Trap: POSIX drops the lock when this process closes any other descriptor of
 * the file, so nothing may open it a second time.
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

/** For the holder of the lock only: a socket that is already there has nobody behind it. */
async function answerAskers(dataDir: string, { info, onYield, onAttend }: Answering): Promise<Server> {
  rmSync(join(dataDir, socketFile), { force: true });
  const address = socketAddress(dataDir);
  const server = createServer((asker) => {
    asker.on('error', () => asker.destroy());
    asker.setTimeout(answerWithinMs, () => asker.destroy());
    asker.once('data', (chunk) => {
      const [word = '', runId = ''] = String(chunk).trimEnd().split(' ');
      if (word === yieldWord) onYield?.();
      if (word === attendWord) onAttend?.(runId);
    });
    asker.end(`${JSON.stringify(info())}\n`);
  });
  await new Promise<void>((resolve, reject) => {
    // Stays for good: a failing accept(2) (EMFILE) is an error event too.
    server.on('error', reject);
    server.listen(address.path, resolve);
  });
  // close() unlinks the path it was given, which goes through the address's descriptor.
  server.once('close', address.close);
  chmodSync(join(dataDir, socketFile), 0o600);
  return server.unref();
}

const yieldWord = 'yield';
const attendWord = 'attend';

/** null: there is none, or it does not answer. @throws StartError where another user could answer in its place */
export async function findOwner(dataDir: string): Promise<OwnerInfo | null> {
  return (await askOwner(dataDir, '')).owner;
}

/** False: it has ended, and what it listened on may be somebody else's by now. One that is too busy to answer is still there. */
export async function isStillOwner(dataDir: string, { pid, url }: OwnerInfo): Promise<boolean> {
  const { isThere, owner } = await askOwner(dataDir, '');
  return isThere && (owner === null || (owner.pid === pid && owner.url === url));
}

/** Of an owner that has it for a command alone: it leaves the data dir to a server, and goes on as a client of it. */
export async function askToYield(dataDir: string): Promise<void> {
  await askOwner(dataDir, `${yieldWord}\n`);
}

/** Of an owner that has it for a command alone: it starts this run too, if it waits. */
export async function askToAttend(dataDir: string, runId: string): Promise<void> {
  await askOwner(dataDir, `${attendWord} ${runId}\n`);
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
    socket.setEncoding('utf8').setTimeout(answerWithinMs, () => socket.destroy());
    if (word !== '') socket.write(word);
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', () => {
      isThere = false;
      socket.destroy();
    });
    socket.on('close', () => resolve(text));
  });
  address.close();
  if (!answer.endsWith('\n')) return { isThere, owner: null };
  const owner: OwnerInfo = JSON.parse(answer);
  return { isThere, owner };
}

/** A path to the socket that fits into sun_path; a longer one goes by way of an open descriptor of the folder. */
function socketAddress(dataDir: string): { path: string; close: () => void } {
  const path = join(dataDir, socketFile);
  if (Buffer.byteLength(path) <= maxSocketPathBytes) return { path, close: () => {} };
  const fd = openSync(dataDir, 'r');
  return { path: `/proc/self/fd/${fd}/${socketFile}`, close: () => closeSync(fd) };
}
