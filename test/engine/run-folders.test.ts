import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished } from 'vitest';
import { copyWorkspace } from '../../src/engine/run/copy-workspace.ts';
import { removeRunFolder } from '../../src/engine/run/run-folders.ts';
import { testWith } from '../support/host.ts';
import { dataFolder } from './an-engine.ts';

const test = testWith('bwrap', 'python3');
const log = pino({ level: 'silent' });

/**
 * A workspace in which every folder is a link to `outside` at times, and then a folder again, until the test has ended.
 */
async function swappedWorkspace(root: string): Promise<{ runDir: string; outside: string }> {
  const outside = join(root, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'kept'), 'of the server');
  const runDir = join(root, 'runs', 'run_1');
  const workspace = join(runDir, 'workspace');
  for (let pair = 0; pair < 30; pair += 1) {
    mkdirSync(join(workspace, `folder-${pair}`), { recursive: true });
    writeFileSync(join(workspace, `folder-${pair}`, 'file'), '');
    symlinkSync(outside, join(workspace, `link-${pair}`));
  }
  const swapper = spawn('python3', ['-c', swap, workspace], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void swapper.kill('SIGKILL'));
  await once(swapper.stdout, 'data');
  return { runDir, outside };
}

const swap = `
import ctypes, os, sys
workspace = os.open(sys.argv[1], os.O_RDONLY)
exchange = ctypes.CDLL(None).renameat2
print('ready', flush=True)
while True:
    for pair in range(30):
        exchange(workspace, b'folder-%d' % pair, workspace, b'link-%d' % pair, 2)`;

test('removing a run’s folder follows no folder that is swapped for a link meanwhile', async () => {
  for (let round = 0; round < 2; round += 1) {
    const { runDir, outside } = await swappedWorkspace(dataFolder());
    for (let tries = 0; tries < 20 && !(await removeRunFolder(runDir, log)); tries += 1);
    expect(readdirSync(outside)).toEqual(['kept']);
    expect(existsSync(runDir)).toBe(false);
  }
});

test('copying a workspace follows no folder that is swapped for a link meanwhile', async () => {
  const root = dataFolder();
  const { runDir } = await swappedWorkspace(root);
  for (let round = 0; round < 10; round += 1) {
    const copy = join(root, 'runs', `copy_${round}`);
    // This often fails, because a folder has become a link.
    await copyWorkspace(runDir, copy, { log, owner: null }).catch(() => undefined);
  }
  const find = (name: string) => spawnSync('find', [join(root, 'runs'), '-name', name], { encoding: 'utf8' }).stdout;
  expect(find('file')).toContain('copy_');
  expect(find('kept')).toBe('');
});

test.each([20, 70, 300])('%d nested folders are removed', async (levels) => {
  const dir = join(dataFolder(), 'runs', 'run_1');
  mkdirSync(join(dir, 'workspace'), { recursive: true });
  const nest = `import os, sys
for _ in range(${levels}): os.mkdir('d' * 200); os.chdir('d' * 200)
open('file', 'w')`;
  expect(spawnSync('python3', ['-c', nest], { cwd: join(dir, 'workspace') }).status).toBe(0);
  expect(await removeRunFolder(dir, log)).toBe(true);
  expect(existsSync(dir)).toBe(false);
});

test('a server that does not run as root can remove folders that a job made inaccessible, and leaves the targets of links alone', async () => {
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
    await removeRunFolder(dir, log);
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
  expect(existsSync(dir)).toBe(false);
  expect(spawnSync('stat', ['-c', '%a', outside], { encoding: 'utf8' }).stdout).toBe('555\n');
});
