// Tells from a run's folder whether anything of the run is alive.

import { appendFileSync, copyFileSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { isRunAlive, runsAlive } from '../../src/exec/proc/live-attempts.ts';
import { readStatus } from '../../src/exec/proc/shim-status.ts';
import { nap, run, sample, start } from './sample.ts';

test('a run is alive as long as a process of any of its attempts is', async () => {
  const spec = sample(nap);
  const runDir = dirname(spec.attemptDir);
  expect(isRunAlive(runDir)).toBe(false);
  const attempt = start(spec);
  await expect.poll(() => readStatus(spec.attemptDir)?.sandbox).toBeDefined();
  expect(isRunAlive(runDir)).toBe(true);
  expect(runsAlive(dirname(runDir))).toEqual(['run_01']);
  await attempt.terminate({ signal: 'KILL', graceMs: 0 });
  expect(isRunAlive(runDir)).toBe(false);
});

test('a file in the workspace cannot make a run look alive', async () => {
  const alive = sample(nap);
  const attempt = start(alive);
  await expect.poll(() => readStatus(alive.attemptDir)?.sandbox).toBeDefined();
  const { spec, end } = await run('true');
  expect(end).toEqual({ kind: 'exited', code: 0 });
  copyFileSync(join(alive.attemptDir, 'status'), join(spec.workspaceDir, 'status'));
  expect(readFileSync(join(spec.workspaceDir, 'status'), 'utf8')).toContain('start_ticks');
  expect(isRunAlive(dirname(spec.attemptDir))).toBe(false);
  expect(runsAlive(dirname(dirname(spec.attemptDir)))).toEqual([]);
  await attempt.terminate({ signal: 'KILL', graceMs: 0 });
});

test('a process that reuses a pid and a namespace does not belong to the run', async () => {
  const alive = sample(nap);
  const attempt = start(alive);
  await expect.poll(() => readStatus(alive.attemptDir)?.sandbox).toBeDefined();
  const { spec } = await run('true');
  const path = join(spec.attemptDir, 'status');
  const { sandbox } = readStatus(alive.attemptDir) ?? {};
  const reused = JSON.stringify({ 'child-pid': sandbox?.initPid, 'pid-namespace': sandbox?.inode });
  appendFileSync(path, `${reused}\n`);
  expect(readStatus(spec.attemptDir)?.sandbox).toEqual(sandbox);
  expect(isRunAlive(dirname(spec.attemptDir))).toBe(false);
  await attempt.terminate({ signal: 'KILL', graceMs: 0 });
});
