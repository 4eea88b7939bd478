import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { flwd, start } from './terminal.ts';

test.each([false, true])('sources are listed with their jobs (with a server: %s)', async (isServed) => {
  const broken = { 'config.yaml': 'command: 3\n' };
  const sources = [
    { name: 'ours', path: './jobs/ours', mountPath: 'ours' },
    { name: 'theirs', path: './jobs/theirs', mountPath: 'theirs' },
  ];
  const jobs = { 'ours/a': bash('true'), 'ours/b': bash('true'), 'theirs/c': bash('true'), 'theirs/d': broken };
  const { dir, dataDir } = await createInstance(jobs, { sources });
  if (isServed) await start(dir, ['serve']).prints(/listening on/);
  await expect.poll(async () => (await flwd(dir, 'jobs', '--json')).stdout).toContain('theirs/d');

  const { stdout, stderr, code } = await flwd(dir, 'sources');
  expect({ code, stderr }).toEqual({ code: 0, stderr: 'flwd jobs says what is wrong with them\n' });
  expect(stdout.split('\n').map((line) => line.trim().split(/ {2,}/))).toEqual([
    ['SOURCE', 'TYPE', 'WHERE', 'JOBS', 'BROKEN'],
    ['ours', 'fs', './jobs/ours', '2', '0'],
    ['theirs', 'fs', './jobs/theirs', '1', '1'],
    [''],
  ]);
  const asJson = await flwd(dir, 'sources', '--json');
  expect(JSON.parse(asJson.stdout)).toEqual({
    sources: [
      { name: 'ours', type: 'fs', path: './jobs/ours', jobs: 2, invalid: 0 },
      { name: 'theirs', type: 'fs', path: './jobs/theirs', jobs: 1, invalid: 1 },
    ],
  });
  expect(existsSync(dataDir)).toBe(isServed);
});
