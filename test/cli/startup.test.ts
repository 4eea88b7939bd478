// How long short commands take compared with Node itself. The tests compare CPU time, which a busy machine hardly
// changes.

import { execFile, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { settledIndex, tab, values } from './a-tab.ts';
import { bin, createFolder, start } from './terminal.ts';

const rounds = 11;

/**
 * Returns how many times as long as `node -e 0` the command takes. Both run alternately, and their medians are
 * compared.
 */
async function timesNode(dir: string, ...words: readonly string[]): Promise<number> {
  const own: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < rounds; round++) {
    bare.push(await cpuMs(dir, ['-e', '0']));
    own.push(await cpuMs(dir, [bin, ...words]));
  }
  return median(own) / median(bare);
}

async function cpuMs(dir: string, words: readonly string[]): Promise<number> {
  const measured = 'TIMEFORMAT="%U %S"; time "$@" >/dev/null 2>&1';
  const child = spawn('bash', ['-c', measured, 'bash', process.execPath, ...words], {
    cwd: dir,
    env: { PATH: process.env.PATH, HOME: dir },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  child.stderr.on('data', (chunk) => {
    text += String(chunk);
  });
  await new Promise((resolve) => child.on('close', resolve));
  const [user = NaN, system = NaN] = text.trim().split(' ').map(Number);
  return (user + system) * 1_000;
}

function median(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)] ?? NaN;
}

test('flwd version takes at most three times as long as Node', { retry: 1 }, async () => {
  expect(await timesNode(createFolder(), 'version')).toBeLessThan(3);
});

test('starting a server does not load Node’s fetch, which no request needs', async () => {
  const main = new URL('../../src/main.ts', import.meta.url).href;
  const script = `await import('${main}'); console.log(process.moduleLoadList.join('\\n'))`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  expect(stdout).toContain('NativeModule http');
  expect(stdout).not.toContain('NativeModule internal/deps/undici/undici');
});

test('a start does not load libraries that only some jobs or some spellings of flwd.yaml need', async () => {
  const dir = createFolder();
  const loadedWith = async (settings: string): Promise<string> => {
    writeFileSync(join(dir, 'flwd.yaml'), settings);
    const [main, load] = ['main', 'config/load'].map((name) => new URL(`../../src/${name}.ts`, import.meta.url).href);
    const script = `await import('${main}');
      (await import('${load}')).loadConfig({}, { HOME: '${dir}' }, '${dir}');
      console.log(Object.keys(process.getBuiltinModule('module').createRequire('${main}').cache).join('\\n'));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    return stdout;
  };
  const plain = await loadedWith('server: { bind: "127.0.0.1:0" }\n');
  expect(plain).toContain('/fastify/');
  expect(plain).not.toMatch(/node_modules\/(?:yaml|re2js|@marcbachmann)\//);
  expect(await loadedWith('server: &it { bind: "127.0.0.1:0" }\n')).toContain('/node_modules/yaml/');
});

test('flwd jobs takes at most ten times as long as Node, and six times with a server', {
  retry: 1,
}, async () => {
  const dir = createFolder();
  for (let at = 0; at < 50; at++) {
    const folder = join(dir, `jobs/team${at % 5}/job${at}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'config.yaml'), 'command: ./run.sh\n');
    writeFileSync(join(folder, 'run.sh'), '#!/bin/sh\n', { mode: 0o755 });
  }
  writeFileSync(join(dir, 'flwd.yaml'), 'instance: { data_dir: data }\nserver: { bind: "127.0.0.1:0" }\n');
  expect(await timesNode(dir, 'jobs', '--json')).toBeLessThan(10);

  const { child, ended, prints } = start(dir, ['serve']);
  await prints(/listening on/);
  expect(await timesNode(dir, 'jobs', '--json')).toBeLessThan(6);
  child.kill('SIGTERM');
  await ended;
});

test('with 5,000 jobs a Tab takes at most 3.5 times as long as Node', { retry: 1, timeout: 240_000 }, async () => {
  const dir = createFolder();
  for (let at = 0; at < 5_000; at++) {
    const folder = join(dir, `jobs/team${at % 25}/group${at % 20}/job${at}`);
    mkdirSync(folder, { recursive: true });
    const properties = { target: { type: 'string', description: 'Where it goes' }, level: { enum: ['low', 'high'] } };
    const config = { name: `Job ${at}`, command: './run.sh', argspec: { type: 'object', properties } };
    writeFileSync(join(folder, 'config.yaml'), JSON.stringify(config));
    writeFileSync(join(folder, 'run.sh'), '#!/bin/sh\n', { mode: 0o755 });
  }
  writeFileSync(join(dir, 'flwd.yaml'), '{}');
  await tab(dir, '');
  await expect.poll(() => values(dir, 'team7', 'group7', 'job7'), { timeout: 120_000 }).toContain('job7');
  await settledIndex(dir);

  expect(await values(dir, 'run', 'team7/group7/job7', '--l')).toEqual(['--level', '--label']);
  expect(await timesNode(dir, '__complete', '1', 'run', 'team7/')).toBeLessThan(3.5);
  expect(await timesNode(dir, '__complete', '2', 'run', 'team7/group7/job7', '--')).toBeLessThan(3.5);
  await settledIndex(dir);
});
