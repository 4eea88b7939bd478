import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  acquireOwnership,
  askToStartRun,
  askToYield,
  findOwner,
  isStillOwner,
  lastSignAtMs,
} from '../../src/instance/owner-lock.ts';
import { stateOf } from '../support/processes.ts';

const program = join(import.meta.dirname, 'programs/own.ts');
const url = 'http://127.0.0.1:8080';
const isRoot = process.geteuid?.() === 0;

let root: string;
let dataDir: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'flwd-owner-'));
  dataDir = join(root, 'data');
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(root, { recursive: true, force: true });
});

/** Starts another process that wants the data dir; `said` is its answer. */
function contend(dir = dataDir, says = url): { child: ChildProcess; said: Promise<string> } {
  const child = spawn(process.execPath, [program, dir, says], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  const said = once(createInterface(child.stdout), 'line').then(([line]) => String(line));
  return { child, said };
}

describe('the process that owns a data dir', () => {
  test('keeps out a second process, which learns who the owner is', async () => {
    const owner = contend();
    expect(await owner.said).toBe('owned');
    expect(await contend().said).toBe(`refused {"pid":${owner.child.pid},"url":"${url}"}`);
  });

  test('is known only by its pid while it is starting', async () => {
    const owner = contend(dataDir, '');
    await owner.said;
    expect(await contend().said).toBe(`refused {"pid":${owner.child.pid},"url":null}`);
  });

  test('writes a sign of life every minute if it is a server, but not if it is a command', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      for (const isEphemeral of [false, true]) {
        const ownership = await acquireOwnership(dataDir, { isEphemeral, warn: console.error });
        const long = new Date('2026-01-01T00:00:00Z');
        await utimes(join(dataDir, 'flwd.lock'), long, long);
        vi.advanceTimersByTime(59_000);
        expect(lastSignAtMs(dataDir)).toBe(long.getTime());
        vi.advanceTimersByTime(1_000);
        if (isEphemeral) expect(lastSignAtMs(dataDir)).toBe(long.getTime());
        else await expect.poll(() => lastSignAtMs(dataDir)).toBeGreaterThan(Date.now() - 60_000);
        await ownership.release();
      }
      expect(await contend().said).toBe('owned');
    } finally {
      vi.useRealTimers();
    }
  });

  test('accepts no new work when it is about to end, except to wait for runs of others', async () => {
    const asked: string[] = [];
    const onStartRun = (runId: string): void => void asked.push(runId);
    const ownership = await acquireOwnership(dataDir, { isEphemeral: true, warn: console.error, onStartRun });
    ownership.announce({ url });
    const there = { pid: process.pid, url, isEphemeral: true };
    expect(await findOwner(dataDir)).toEqual(there);
    expect(await isStillOwner(dataDir, there)).toBe(true);
    await askToStartRun(dataDir, 'run_1');
    expect(asked).toEqual(['run_1']);
    await askToYield(dataDir);
    expect(await findOwner(dataDir)).toEqual({ ...there, makesWay: true });
    ownership.announce(null);
    expect(await findOwner(dataDir)).toEqual({ ...there, url: null, makesWay: true });
    expect(await isStillOwner(dataDir, there)).toBe(false);
    await ownership.release();
  });

  test('still owns it while it is stopped and cannot answer', async () => {
    const owner = contend();
    await owner.said;
    owner.child.kill('SIGSTOP');
    await expect.poll(() => stateOf(owner.child.pid ?? 0)).toBe('T');
    expect(await contend().said).toBe('refused null');
  });

  test('is known even to a process that stood still while it asked', async () => {
    const owner = contend();
    await owner.said;
    const asked = findOwner(dataDir);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3_000);
    expect(await asked).toEqual({ pid: owner.child.pid, url });
  });

  test('is replaced by the next process after a SIGKILL, although its socket still exists', async () => {
    const owner = contend();
    await owner.said;
    owner.child.kill('SIGKILL');
    await once(owner.child, 'exit');
    expect(await readdir(dataDir)).toContain('flwd.sock');

    const next = contend();
    expect(await next.said).toBe('owned');
    expect(await contend().said).toBe(`refused {"pid":${next.child.pid},"url":"${url}"}`);
  });

  test('leaves no socket when it releases the data dir, and the next process gets it', async () => {
    const owner = contend();
    await owner.said;
    owner.child.stdin?.end();
    await once(owner.child, 'exit');
    expect(await readdir(dataDir)).toEqual(['flwd.lock']);
    expect(await contend().said).toBe('owned');
  });

  test('can end even if another process never stops sending to it', async () => {
    const owner = contend();
    await owner.said;
    const asker = connect({ path: join(dataDir, 'flwd.sock'), allowHalfOpen: true });
    asker.on('error', () => undefined);
    const talking = setInterval(() => asker.write('.'), 100);
    onTestFinished(() => {
      clearInterval(talking);
      asker.destroy();
    });
    await once(asker, 'data');
    owner.child.stdin?.end();
    await once(owner.child, 'exit');
  });

  test('is exactly one of several that start at once over a stale socket', async () => {
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all(Array.from({ length: 4 }, () => contend().said));
      expect(answers.filter((answer) => answer === 'owned')).toHaveLength(1);
      for (const child of children.splice(0)) {
        child.kill('SIGKILL');
        if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      }
    }
  });

  test('keeps it when somebody removes its lock file, and creates the lock file again', async () => {
    const owner = contend();
    await owner.said;
    await rm(join(dataDir, 'flwd.lock'));
    expect(await contend().said).toBe(`refused {"pid":${owner.child.pid},"url":"${url}"}`);
    await expect.poll(() => readdir(dataDir)).toEqual(['flwd.lock', 'flwd.sock']);
    await rm(join(dataDir, 'flwd.lock'));
    await expect.poll(() => readdir(dataDir)).toEqual(['flwd.lock', 'flwd.sock']);
    owner.child.stdin?.end();
    await once(owner.child, 'exit');
    expect(await contend().said).toBe('owned');
  });

  test('keeps it without its lock file even while it is stopped, because its socket exists', async () => {
    const owner = contend();
    await owner.said;
    owner.child.kill('SIGSTOP');
    await expect.poll(() => stateOf(owner.child.pid ?? 0)).toBe('T');
    await rm(join(dataDir, 'flwd.lock'));
    expect(await contend().said).toBe('refused null');
  });

  test('answers again when somebody removes its socket, or both files', async () => {
    const owner = contend();
    await owner.said;
    for (const names of [['flwd.sock'], ['flwd.sock', 'flwd.lock']]) {
      for (const name of names) await rm(join(dataDir, name));
      await expect.poll(() => findOwner(dataDir)).toMatchObject({ pid: owner.child.pid, url });
      expect(await contend().said).toBe(`refused {"pid":${owner.child.pid},"url":"${url}"}`);
    }
    owner.child.stdin?.end();
    await once(owner.child, 'exit');
    expect(await readdir(dataDir)).toEqual(['flwd.lock']);
  });

  test('owns both the new and the old folder when the data dir is replaced', async () => {
    const owner = contend();
    await owner.said;
    const moved = join(root, 'moved');
    await rename(dataDir, moved);
    expect(await contend(moved).said).toBe(`refused {"pid":${owner.child.pid},"url":"${url}"}`);
    await mkdir(dataDir, { mode: 0o700 });
    await expect.poll(() => findOwner(dataDir)).toMatchObject({ pid: owner.child.pid });
    expect(await contend(moved).said).toMatch(/^refused/);
    await rm(dataDir, { recursive: true });
    await rename(moved, dataDir);
    await expect.poll(() => findOwner(dataDir)).toMatchObject({ pid: owner.child.pid });
  });

  test('learns that another process took it while the lock files could not be restored', async () => {
    const owner = contend();
    await owner.said;
    const told = once(createInterface(owner.child.stdout ?? process.stdin), 'line');
    owner.child.kill('SIGSTOP');
    await expect.poll(() => stateOf(owner.child.pid ?? 0)).toBe('T');
    for (const name of ['flwd.sock', 'flwd.lock']) await rm(join(dataDir, name));
    const next = contend();
    expect(await next.said).toBe('owned');
    owner.child.kill('SIGCONT');
    expect(await told).toEqual([`lost to ${next.child.pid}`]);
    owner.child.stdin?.end();
    await once(owner.child, 'exit');
    // When the first process ends, it removes the socket.
    await expect.poll(() => findOwner(dataDir)).toMatchObject({ pid: next.child.pid });
  });

  test('works as usual if the path of the data dir is too long for a socket', async () => {
    const long = join(root, 'a'.repeat(120), 'b'.repeat(120));
    const owner = contend(long);
    expect(await owner.said).toBe('owned');
    expect(await readdir(long)).toEqual(['flwd.lock', 'flwd.sock']);
    expect(await contend(long).said).toBe(`refused {"pid":${owner.child.pid},"url":"${url}"}`);
    owner.child.stdin?.end();
    await once(owner.child, 'exit');
    expect(await readdir(long)).toEqual(['flwd.lock']);
  });
});

describe('the folder of the data dir', () => {
  test('is created so that only its owner can enter it', async () => {
    expect(await own(dataDir)).toEqual([]);
    expect(await modeOf(dataDir)).toBe('700');
  });

  test('is closed to others, with a warning, if it was open', async () => {
    await mkdir(dataDir);
    await chmod(dataDir, 0o755);
    expect(await own(dataDir)).toEqual([
      `the data dir ${dataDir} was open to other users (mode 755); its mode is 700 now`,
    ]);
    expect(await modeOf(dataDir)).toBe('700');
  });

  test('is left alone if it is open and contains other files, like /tmp', async () => {
    await mkdir(dataDir);
    await chmod(dataDir, 0o755);
    await writeFile(join(dataDir, 'letter.txt'), '');
    await expect(own(dataDir)).rejects.toThrow('open to other users and holds files that are not flwd’s');
    expect(await modeOf(dataDir)).toBe('755');
    expect(await readdir(dataDir)).toEqual(['letter.txt']);
  });

  test('is refused if other users could have written to it, except those in the owner’s own group', async () => {
    await own(dataDir);
    for (const [mode, gid] of [[0o777], [0o772], ...(isRoot ? [[0o770, 65_534]] : [])] as const) {
      if (gid !== undefined) await chown(dataDir, 0, gid);
      await chmod(dataDir, mode);
      await expect(own(dataDir)).rejects.toThrow(
        `the data dir ${dataDir} cannot be used: other users can write to it (mode ${mode.toString(8)}), so what is there may not be flwd’s (look through it, then chmod 700 it); fix that, or choose another (--data-dir)`,
      );
      expect(await modeOf(dataDir)).toBe(mode.toString(8));
    }
    const { uid } = await stat(dataDir);
    if (isRoot || process.getgid?.() === uid) {
      await chown(dataDir, uid, uid);
      await chmod(dataDir, 0o770);
      expect(await own(dataDir)).toHaveLength(1);
    }
    await rm(join(dataDir, 'flwd.lock'));
    await chmod(dataDir, 0o777);
    expect(await own(dataDir)).toHaveLength(1);
  });

  test.runIf(isRoot)(
    'is not used by root if it belongs to another user, but root may use that user’s server',
    async () => {
      await own(dataDir);
      await chown(dataDir, 65_534, 65_534);
      await expect(own(dataDir)).rejects.toThrow(
        `the data dir ${dataDir} cannot be used: it belongs to another user, uid 65534 (run flwd as that user, or chown -R the folder); fix that, or choose another (--data-dir)`,
      );
      await chown(dataDir, 0, 0);
      const owner = contend(dataDir);
      expect(await owner.said).toBe('owned');
      await chown(dataDir, 65_534, 65_534);
      expect(await contend(dataDir).said).toBe(`refused {"pid":${owner.child.pid},"url":"${url}"}`);
      owner.child.stdin?.end();
      await once(owner.child, 'exit');
    },
  );

  test('is only asked for its owner if no other user could answer', async () => {
    const owner = contend(dataDir);
    await owner.said;
    expect(await findOwner(dataDir)).toMatchObject({ url });
    await chmod(dataDir, 0o707);
    await expect(findOwner(dataDir)).rejects.toThrow(
      `other users can write to it (mode 707), so what is there may not`,
    );
    await chmod(dataDir, 0o755);
    expect(await findOwner(dataDir)).toMatchObject({ url });
  });

  test('must not be a file, nor be below a file', async () => {
    await writeFile(dataDir, '');
    await expect(own(dataDir)).rejects.toThrow('it is not a folder');
    await expect(own(join(dataDir, 'below'))).rejects.toThrow('a part of the path is not a folder');
  });

  test('is reported with an error if its lock file is damaged', async () => {
    await own(dataDir);
    await writeFile(join(dataDir, 'flwd.lock'), 'x'.repeat(200));
    await expect(own(dataDir)).rejects.toThrow('flwd.lock: file is not a database');
  });
});

/** Takes the folder, releases it, and returns the warnings. */
async function own(dir: string): Promise<string[]> {
  const warnings: string[] = [];
  const ownership = await acquireOwnership(dir, { warn: (text) => warnings.push(text) });
  await ownership.release();
  return warnings;
}

async function modeOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8);
}
