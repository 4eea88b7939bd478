// When a server dies, its jobs continue, and the next server resumes them.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { LimitedSpec } from '../../src/exec/proc/attempt-groups.ts';
import { resumeAttempt } from '../../src/exec/proc/resume-attempt.ts';
import { untilShimEnds } from '../../src/exec/proc/shim-end.ts';
import { libexecDir } from '../../src/exec/script-places.ts';
import { processesOf, processesWith } from '../support/processes.ts';
import { bwrapWithChild, nap, printed, run, sample, shimOf, succeeded } from './sample.ts';
import { serialized } from './serialized.ts';

/** Launches the attempt in another process, and kills that process with SIGKILL once the script has printed `ready`. */
async function orphan(script: string): Promise<LimitedSpec> {
  const spec = sample(script);
  const server = startServer(spec);
  await expect.poll(() => printed(spec).lines).toContain('ready');
  server.kill('SIGKILL');
  await once(server, 'exit');
  return spec;
}

function startServer(spec: LimitedSpec): ChildProcess {
  return spawn(process.execPath, [join(import.meta.dirname, 'programs', 'launcher.ts')], {
    env: { ...process.env, SPEC: serialized(spec) },
    stdio: 'ignore',
  });
}

const untilTold = 'until [[ -e go ]]; do sleep 0.02; done';

function tell(spec: LimitedSpec): void {
  writeFileSync(join(spec.workspaceDir, 'go'), '');
}

describe('after the server was killed', () => {
  test('the script continues, and the next server gets its end and every line', async () => {
    const spec = await orphan(`echo ready; echo one >&2; ${untilTold}; echo two; echo three >&2; exit 7`);
    const attempt = resumeAttempt(spec.attemptDir);
    expect(attempt?.spoolPath).toBe(join(spec.attemptDir, 'spool'));
    let isOver = false;
    void attempt?.ended.then(() => {
      isOver = true;
    });
    await expect.poll(() => printed(spec).lines).toContain('^Eone');
    expect(isOver).toBe(false);
    tell(spec);
    expect(await attempt?.ended).toEqual({ kind: 'exited', code: 7 });
    expect(printed(spec).lines.toSorted()).toEqual(['^Eone', '^Ethree', 'ready', 'two']);
    expect(processesOf(spec.attemptDir)).toEqual([]);
  });

  test('a script that ended before the next server started is resumed with its end', async () => {
    const spec = await orphan(`echo ready; ${untilTold}; exit 5`);
    tell(spec);
    await expect.poll(() => processesOf(spec.attemptDir)).toEqual([]);
    expect(await resumeAttempt(spec.attemptDir)?.ended).toEqual({ kind: 'exited', code: 5 });
    expect(await resumeAttempt(spec.attemptDir)?.ended).toEqual({ kind: 'exited', code: 5 });
  });

  test('the next server can end the script', async () => {
    const spec = await orphan(`trap 'echo cleaned; exit 0' TERM; (${nap}; true) & echo ready; wait`);
    const attempt = resumeAttempt(spec.attemptDir);
    const proof = await attempt?.terminate({ signal: 'TERM', graceMs: 20_000 });
    expect(proof).toMatchObject({ signals: [{ signal: 'TERM', processes: expect.any(Number) }], remaining: 0 });
    expect(await attempt?.ended).toEqual(succeeded);
    expect(printed(spec).lines).toContain('cleaned');
  });

  test('a server that lacks descriptors for a while does not lose the script, and does not report it as ended', async () => {
    const spec = await orphan(`trap 'echo cleaned; exit 3' TERM; echo ready; while :; do sleep 0.1; done`);
    const program = join(import.meta.dirname, 'programs', 'short-of-descriptors.ts');
    const { stdout } = spawnSync('bash', ['-c', 'ulimit -n 128; exec "$@"', 'bash', process.execPath, program], {
      env: { ...process.env, ATTEMPT_DIR: spec.attemptDir },
      encoding: 'utf8',
    });
    expect(JSON.parse(stdout)).toEqual({
      taken: true,
      end: { kind: 'exited', code: 3 },
      proof: {
        signals: [{ signal: 'TERM', at: expect.any(String), processes: expect.any(Number) }],
        remaining: 0,
        proven: true,
        finished_at: expect.any(String),
      },
    });
    expect(processesOf(spec.attemptDir)).toEqual([]);
  });

  test('a script that is killed together with its shim is lost', async () => {
    const spec = await orphan(`echo ready; ${nap}`);
    const attempt = resumeAttempt(spec.attemptDir);
    process.kill(-shimOf(spec), 'SIGKILL');
    expect(await attempt?.ended).toEqual({ kind: 'lost' });
    expect(processesWith(nap)).toEqual([]);
  });
});

test('when shim and server are killed while a sandbox starts, the next server ends the sandbox', async () => {
  for (let round = 0; round < 3; round++) {
    const spec = sample(nap);
    const server = startServer(spec);
    await bwrapWithChild(spec);
    process.kill(shimOf(spec), 'SIGKILL');
    server.kill('SIGKILL');
    await once(server, 'exit');
    expect(await resumeAttempt(spec.attemptDir)?.ended).toEqual({ kind: 'lost' });
    expect(processesOf(spec.attemptDir)).toEqual([]);
  }
  expect(processesWith(nap)).toEqual([]);
});

const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

describe('an attempt that a former server left', () => {
  test('is waited for until its shim ends', async () => {
    const { spec } = await run('true');
    const shim = spawn('sleep', ['3600']);
    const pid = shim.pid ?? 0;
    writeStatus(spec, [{ pid, start_ticks: startTicksOf(pid), boot_id: bootId }]);
    const ended = resumeAttempt(spec.attemptDir)?.ended;
    expect(await Promise.race([ended, delay(100, 'still waiting')])).toBe('still waiting');
    shim.kill('SIGKILL');
    expect(await ended).toEqual({ kind: 'lost' });
  });

  test.each([
    ['before a restart of the machine', { start_ticks: startTicksOf(process.pid), boot_id: 'another' }],
    ['as a process whose pid another has now', { start_ticks: 1, boot_id: bootId }],
  ])('%s is lost, and nothing is waited for or killed', async (_what, shim) => {
    const { spec } = await run('true');
    writeStatus(spec, [{ pid: process.pid, ...shim }]);
    const attempt = resumeAttempt(spec.attemptDir);
    expect(await attempt?.ended).toEqual({ kind: 'lost' });
    expect(await attempt?.terminate({ signal: 'TERM', graceMs: 10 })).toMatchObject({ signals: [], remaining: 0 });
  });
});

test('a process that reuses the pid of a shim that held /tmp open is not inspected, and its files do not change', async () => {
  const { spec } = await run('true');
  const foreign = join(spec.workspaceDir, 'foreign');
  mkdirSync(foreign);
  writeFileSync(join(foreign, 'file'), 'untouched');
  const folder = openSync(foreign, 'r');
  const file = openSync(join(foreign, 'file'), 'r+');
  const none = Array.from({ length: 8 }, () => 'ignore' as const);
  const other = spawn('sleep', ['3600'], { stdio: [...none, folder, file] });
  for (const fd of [folder, file]) closeSync(fd);
  await once(other, 'spawn');
  const shim = { pid: other.pid, start_ticks: 1, boot_id: bootId };
  writeStatus(spec, [shim, { 'exit-code': 0 }, { exit: 0 }, { tmp_fd: 8 }]);
  expect(await resumeAttempt(spec.attemptDir)?.ended).toEqual(succeeded);
  other.kill('SIGKILL');
  expect(readFileSync(join(foreign, 'file'), 'utf8')).toBe('untouched');
  expect(existsSync(join(spec.attemptDir, 'tmp-left'))).toBe(false);
});

describe('a shim that has created its status file but not yet written its pid to it', () => {
  test('is waited for until it ends', async () => {
    const spec = sample('true');
    mkdirSync(spec.attemptDir, { recursive: true });
    writeStatus(spec, []);
    const status = openSync(join(spec.attemptDir, 'status'), 'a');
    const shim = spawn('sleep', ['3600'], { stdio: ['ignore', 'ignore', 'ignore', status] });
    closeSync(status);
    await once(shim, 'spawn');
    const over = untilShimEnds(spec.attemptDir, Promise.resolve('none')).then(() => 'over');
    expect(await Promise.race([over, delay(1_000, 'still waiting')])).toBe('still waiting');
    shim.kill('SIGKILL');
    expect(await over).toBe('over');
  });
});

test('when the end of an attempt cannot be read, every caller gets the error, however late it asks', async () => {
  const { spec } = await run('true');
  writeStatus(spec, [{ pid: process.pid, start_ticks: 1, boot_id: 'another' }, { 'exit-code': 127 }, { exit: 127 }]);
  rmSync(join(spec.attemptDir, 'spool'));
  const attempt = resumeAttempt(spec.attemptDir);
  await delay(100);
  await expect(attempt?.ended).rejects.toThrow(/ENOENT/);
});

describe('an attempt that has not begun when it is resumed', () => {
  test('can be launched', () => {
    const spec = sample('true');
    expect(resumeAttempt(spec.attemptDir)).toBeUndefined();
    mkdirSync(spec.attemptDir, { recursive: true });
    expect(resumeAttempt(spec.attemptDir)).toBeUndefined();
    expect(resumeAttempt(spec.attemptDir)).toBeUndefined();
  });

  test('cannot begin afterwards: a late shim starts nothing', () => {
    const spec = sample('true');
    mkdirSync(spec.attemptDir, { recursive: true });
    expect(resumeAttempt(spec.attemptDir)).toBeUndefined();
    const witness = join(spec.attemptDir, 'started');
    const late = spawnSync('bash', ['-c', 'source "$1/shim.bash"; run_attempt', 'bash', libexecDir], {
      env: { number: '1', order: `attempt_dir=${spec.attemptDir} is_guarded=0 bwrap=/bin/touch command=(${witness})` },
      stdio: Array.from({ length: 5 }, () => 'ignore' as const),
    });
    expect(late.status).not.toBe(0);
    expect(existsSync(witness)).toBe(false);
  });
});

function writeStatus(spec: LimitedSpec, lines: readonly object[]): void {
  writeFileSync(join(spec.attemptDir, 'status'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
}

function startTicksOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
}
