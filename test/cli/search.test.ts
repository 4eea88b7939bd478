// The output of `flwd search`, with and without a server.

import { expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { flwd } from './terminal.ts';

test('flwd search prints each line that contains the text, with its run, job and time', async () => {
  const { dir } = await createInstance({
    load: bash('echo opening; echo "Disk full on /srv" >&2; exit 1'),
    report: bash('echo "the disk is fine"'),
  });
  await flwd(dir, 'load');
  await flwd(dir, 'report');
  const found = await flwd(dir, 'search', 'DISK');
  expect(found).toMatchObject({ code: 0, stderr: '' });
  expect(found.stdout.split('\n')).toEqual([
    expect.stringMatching(/^run_\w{26} {2}report {2}20\S+Z {2}the disk is fine$/),
    expect.stringMatching(/^run_\w{26} {2}load {2}20\S+Z {2}Disk full on \/srv$/),
    '',
  ]);
  const json = await flwd(dir, 'search', 'disk', '--job', 'load', '--since', '1h', '--status', 'failed', '--json');
  expect(JSON.parse(json.stdout)).toEqual({
    run_id: expect.stringMatching(/^run_/),
    job_id: 'load',
    seq: 2,
    timestamp: expect.any(String),
    level: 'error',
    message: 'Disk full on /srv',
  });
  const one = await flwd(dir, 'search', 'disk', '--limit', '1');
  expect(one.stdout.trimEnd().split('\n')).toHaveLength(1);
  expect(one.stderr).toMatch(/^1 line, from runs that ended since 20\S+Z; --limit shows more\n$/);
  expect(await flwd(dir, 'search', 'nothing like it')).toEqual({
    code: 0,
    stdout: '',
    stderr: 'no line contains `nothing like it`\n',
  });
  expect(await flwd(dir, 'search', 'not', 'a', 'disk')).toEqual({
    code: 2,
    stdout: '',
    stderr: "put a text of several words in quotes: flwd search 'not a disk'\n",
  });
  expect(await flwd(dir, 'search')).toMatchObject({ code: 2, stderr: expect.stringContaining('flwd search TEXT') });
});

test('if there are no logs yet, a search says so', async () => {
  const { dir } = await createInstance({ greet: bash('true') });
  await flwd(dir, 'tokens', 'create', '--name', 'ci', '--scopes', 'runs:read');
  expect(await flwd(dir, 'search', 'x')).toEqual({ code: 0, stdout: '', stderr: 'there are no logs to search\n' });
  expect(await flwd(dir, 'search', 'x', '--job', 'nosuch')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('there is no job `nosuch`'),
  });
});

test('without --limit, flwd search prints as many lines as its help says', async () => {
  const { dir } = await createInstance({ count: bash('for n in {1..101}; do echo "row $n"; done') });
  await flwd(dir, 'count');
  const found = await flwd(dir, 'search', 'row');
  expect(found.stdout.trimEnd().split('\n')).toHaveLength(100);
  expect(found.stderr).toMatch(/^100 lines, .*; --limit shows more\n$/);
  expect((await flwd(dir, 'search', '--help')).stdout).toMatch(/--limit N +how many lines to print; default: 100\n/);
});
