import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { expect, test } from 'vitest';
import { processesWith } from '../support/processes.ts';
import { createFolder, type Started, start, startNode } from './terminal.ts';

/** The executable of the checkout. */
const bin = join(import.meta.dirname, '../../bin/flwd.js');

const asNode20 = `data:text/javascript,${encodeURIComponent(`
  Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.19.0' } });
`)}`;

/** Runs bin/flwd.js with a Node that reports version 20. */
function startOnNode20(cwd: string, file: string, ...args: readonly string[]): Started {
  return startNode(cwd, ['--import', asNode20, file, ...args]);
}

test('if Node is too old, a checkout uses the Node in its node_modules', async () => {
  const { ended } = startOnNode20(createFolder(), bin, 'config', 'wrong');
  expect(await ended).toEqual({
    code: 2,
    stdout: '',
    stderr: 'unknown command `config wrong`; flwd config takes validate or show\n',
  });
});

test('a server that runs on that other Node receives signals, and its exit code is passed on', async () => {
  const dir = createFolder();
  const args = ['serve', '--bind', '127.0.0.1:0', '--data-dir', join(dir, '.flwd')];
  const { child, ended, prints } = startOnNode20(dir, bin, ...args);
  await prints(/listening on/);
  child.kill('SIGTERM');
  expect((await ended).code).toBe(0);
});

test('a server that runs on that other Node stops when the first process is killed', async () => {
  const dir = createFolder();
  const args = ['serve', '--bind', '127.0.0.1:0', '--data-dir', join(dir, '.flwd')];
  const { child, prints } = startOnNode20(dir, bin, ...args);
  await prints(/listening on/);
  child.kill('SIGKILL');
  await expect.poll(() => processesWith(dir), { timeout: 20_000 }).toEqual([]);
});

test('if Node is too old and there is no other, flwd says which version it needs and how to get it', async () => {
  const dir = createFolder();
  mkdirSync(join(dir, 'bin'));
  copyFileSync(bin, join(dir, 'bin/flwd.mjs'));
  const { code, stdout, stderr } = await startOnNode20(dir, join(dir, 'bin/flwd.mjs'), 'version').ended;
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/^flwd needs Node 24 or newer; this is v[\d.]+ \(.*\)\.\n/);
  expect(stderr).toContain('npm install --global node@24');
});

test('an old Node without modules or newer syntax can parse the executable', () => {
  const source = readFileSync(bin, 'utf8').replace(/^#!.*/, '');
  // `Script` rejects `import`, `await` at the top level, and `import.meta`.
  expect(() => new Script(source)).not.toThrow();
  expect(source).not.toMatch(/\?\.\w|\?\?|\|\|=|&&=|\d_\d/);
});

test('npm start leaves no shell between npm and the server that would swallow signals', () => {
  const { scripts } = JSON.parse(readFileSync(join(bin, '../../package.json'), 'utf8'));
  expect(scripts.start).toBe('exec node bin/flwd.js serve --config examples/flwd.yaml');
});

test('compiled code is not cached in the shared temporary folder, where another user could plant some', async () => {
  const dir = createFolder();
  const temporary = join(dir, 'tmp');
  mkdirSync(temporary);
  expect(await start(dir, ['version'], { TMPDIR: temporary }).ended).toMatchObject({ code: 0 });
  expect(readdirSync(temporary)).toEqual([]);
});

/** Once flwd handles uncaught errors, opens files until no descriptor is free, and then throws an error. */
const withoutRoom = `data:text/javascript,${encodeURIComponent(`
  import { openSync } from 'node:fs';
  process.on('newListener', (name) => {
    if (name === 'uncaughtException') process.nextTick(() => {
      try { for (;;) openSync('/dev/null'); } catch { throw new Error('no file can be opened'); }
    });
  });
`)}`;

test('an error ends the process even if no file can be opened to explain it', () => {
  const script = 'ulimit -n 64; exec "$0" --import "$1" "$2" version';
  const { status, stderr } = spawnSync('sh', ['-c', script, process.execPath, withoutRoom, bin], {
    env: { PATH: process.env.PATH },
    timeout: 120_000,
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({ status: 70, stderr: 'flwd: no file can be opened\n' });
});

test.each([28, 48])('with `ulimit -n %d`, a server does not start, and says what to do', (limit) => {
  const words = [process.execPath, bin, 'serve', '--data-dir', join(createFolder(), 'data')];
  const { status, stdout, stderr } = spawnSync('sh', ['-c', `ulimit -n ${limit}; exec "$@"`, 'sh', ...words], {
    env: { PATH: process.env.PATH },
    timeout: 120_000,
    encoding: 'utf8',
  });
  expect({ status, stdout, stderr }).toEqual({
    status: 2,
    stdout: '',
    stderr: `flwd may open only ${limit} files, and needs at least 64: raise the limit with \`ulimit -n\`, or LimitNOFILE in systemd\n`,
  });
});
