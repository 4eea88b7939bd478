import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { expect, test } from 'vitest';
import { createFolder, type Started, start, startNode } from './terminal.ts';

/** The executable of the checkout. */
const bin = join(import.meta.dirname, '../../bin/flwd.js');

const asNode20 = `data:text/javascript,${encodeURIComponent(`
  Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.19.0' } });
`)}`;

/** Runs bin/flwd.js as an old Node would. */
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

test('signals reach the server that way too, and its exit code comes back', async () => {
  const dir = createFolder();
  const args = ['serve', '--bind', '127.0.0.1:0', '--data-dir', join(dir, '.flwd')];
  const { child, ended, prints } = startOnNode20(dir, bin, ...args);
  await prints(/listening on/);
  child.kill('SIGTERM');
  expect((await ended).code).toBe(0);
});

test('if Node is too old and there is no other, it says which version it needs and how to get it', async () => {
  const dir = createFolder();
  mkdirSync(join(dir, 'bin'));
  copyFileSync(bin, join(dir, 'bin/flwd.mjs'));
  const { code, stdout, stderr } = await startOnNode20(dir, join(dir, 'bin/flwd.mjs'), 'version').ended;
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/^flwd needs Node 24 or newer; this is v[\d.]+ \(.*\)\.\n/);
  expect(stderr).toContain('npm install --global node@24');
});

test('Nodes that know no modules and no newer syntax can read the executable', () => {
  const source = readFileSync(bin, 'utf8').replace(/^#!.*/, '');
  // A script knows neither `import` nor `await` at the top, nor `import.meta`.
  expect(() => new Script(source)).not.toThrow();
  expect(source).not.toMatch(/\?\.\w|\?\?|\|\|=|&&=|\d_\d/);
});

test('npm start leaves no shell between npm and the server, which would keep a signal to itself', () => {
  const { scripts } = JSON.parse(readFileSync(join(bin, '../../package.json'), 'utf8'));
  expect(scripts.start).toBe('exec node bin/flwd.js serve --config examples/flwd.yaml');
});

test('no compiled code is kept below the shared folder for temporary files, where another user could have put some', async () => {
  const dir = createFolder();
  const temporary = join(dir, 'tmp');
  mkdirSync(temporary);
  expect(await start(dir, ['version'], { TMPDIR: temporary }).ended).toMatchObject({ code: 0 });
  expect(readdirSync(temporary)).toEqual([]);
});

/** Opens files until no descriptor is free, as soon as flwd handles uncaught errors, and then throws one. */
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
