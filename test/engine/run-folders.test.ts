import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { removeRunFolder } from '../../src/engine/run-folders.ts';
import { dataFolder } from './an-engine.ts';

test('folders that a job has closed are removed by a server that is not root, and what links lead to is not', async () => {
  const root = dataFolder();
  chmodSync(root, 0o755);
  const dir = join(root, 'runs', 'run_1');
  const closed = join(dir, 'workspace', 'closed', Buffer.from('caf\xe9').toString('latin1'));
  mkdirSync(closed, { recursive: true });
  writeFileSync(join(closed, 'file'), '');
  const outside = join(root, 'runs', 'outside');
  mkdirSync(outside);
  chmodSync(outside, 0o555);
  symlinkSync(outside, join(dir, 'workspace', 'link'));
  for (const folder of [closed, join(dir, 'workspace', 'closed')]) chmodSync(folder, 0o555);

  const isRoot = process.geteuid?.() === 0;
  if (isRoot) {
    spawnSync('chown', ['-R', '-h', '65534', join(root, 'runs')]);
    process.seteuid?.(65534);
  }
  try {
    await removeRunFolder(dir, pino());
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
  expect(existsSync(dir)).toBe(false);
  expect(spawnSync('stat', ['-c', '%a', outside], { encoding: 'utf8' }).stdout).toBe('555\n');
});
