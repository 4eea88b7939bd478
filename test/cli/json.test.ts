// The JSON of commands that do not use the API.

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
