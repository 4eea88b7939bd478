// Commands with --json print JSON and exit with 0.

import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { createFolder, flwd } from './terminal.ts';

test('version, config show, audit verify, backup and restore print JSON with --json', async () => {
  const { dir } = await createInstance({ quick: bash('true') });
  const other = await createInstance({});
  await flwd(dir, 'quick');
  const dest = join(createFolder(), 'backup');
  const json = async (folder: string, ...args: string[]): Promise<unknown> => {
    const { stdout, code } = await flwd(folder, ...args, '--json');
    expect(code).toBe(0);
    return JSON.parse(stdout);
  };
  expect(await json(dir, 'version')).toEqual({ version: expect.stringMatching(/^\d+\.\d+\.\d+/) });
  expect(await json(dir, 'config', 'validate')).toEqual({ file: 'flwd.yaml', warnings: [] });
  expect(await json(dir, 'config', 'show')).toMatchObject({
    file: 'flwd.yaml',
    settings: expect.arrayContaining([{ key: 'server.bind', value: '127.0.0.1:0', from: expect.any(String) }]),
  });
  expect(await json(dir, 'audit', 'verify')).toMatchObject({
    rows: expect.any(Number),
    removed_through: null,
    broken: null,
  });
  expect(await json(dir, 'backup', dest)).toMatchObject({ folder: dest, missing: 0, includes_key: false });
  expect(await json(other.dir, 'restore', dest)).toMatchObject({ running: 0, pending: 0, tokens: 0 });
});

test('the commands whose whole answer is JSON exit with 0', async () => {
  const { dir } = await createInstance({ quick: bash('true') });
  await flwd(dir, 'quick');
  for (const words of [
    ['jobs'],
    ['runs'],
    ['sources'],
    ['secrets', 'list'],
    ['tokens', 'create', '--name', 'one', '--scopes', 'runs:read'],
    ['tokens', 'list'],
    ['kv', 'list'],
    ['schedules'],
    ['backfills'],
    ['triggers'],
    ['webhooks'],
    ['approvals'],
    ['failures'],
    ['late'],
    ['stats'],
    ['notify'],
    ['gc', '--dry-run'],
    ['doctor'],
  ]) {
    const { stdout, stderr, code } = await flwd(dir, ...words, '--json');
    expect({ words, code, stderr }).toEqual({ words, code: 0, stderr: expect.not.stringContaining('at ') });
    expect(() => JSON.parse(stdout)).not.toThrow();
  }
});
