import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bash, writeJob } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { createFolder, flwd, start } from './terminal.ts';

test.each([false, true])('sources are listed with their jobs (with a server: %s)', async (isServed) => {
  const broken = { 'config.yaml': 'command: 3\n' };
  const sources = [
    { name: 'ours', path: './jobs/ours', mountPath: 'ours' },
    { name: 'theirs', path: './jobs/theirs', mountPath: 'theirs', trusted: false, secrets: ['token'], schedules: true },
  ];
  const jobs = { 'ours/a': bash('true'), 'ours/b': bash('true'), 'theirs/c': bash('true'), 'theirs/d': broken };
  const { dir, dataDir } = await createInstance(jobs, { sources });
  if (isServed) await start(dir, ['serve']).prints(/listening on/);
  await expect.poll(async () => (await flwd(dir, 'jobs', '--json')).stdout).toContain('theirs/d');

  const { stdout, stderr, code } = await flwd(dir, 'sources');
  expect({ code, stderr }).toEqual({ code: 0, stderr: 'flwd jobs shows what is wrong with them\n' });
  expect(stdout.split('\n').map((line) => line.trim().split(/ {2,}/))).toEqual([
    ['SOURCE', 'TYPE', 'WHERE', 'JOBS', 'BROKEN', 'TRUSTED'],
    ['ours', 'fs', join(dir, 'jobs/ours'), '2', '0', 'yes'],
    ['theirs', 'fs', join(dir, 'jobs/theirs'), '1', '1', 'no; may use the secrets token; schedules'],
    [''],
  ]);
  expect((await flwd(dir, 'sources', 'get', 'theirs')).stdout).toContain(
    'trusted  no; may use the secrets token; schedules\n',
  );
  const use = { webhooks: false, notify: false, calls: 'own', triggers: 'own', kv: [] };
  const asJson = await flwd(dir, 'sources', '--json');
  expect(JSON.parse(asJson.stdout)).toEqual({
    sources: [
      {
        name: 'ours',
        type: 'fs',
        path: join(dir, 'jobs/ours'),
        trusted: true,
        may_use: null,
        is_missing: false,
        jobs: 2,
        invalid: 0,
      },
      {
        name: 'theirs',
        type: 'fs',
        path: join(dir, 'jobs/theirs'),
        trusted: false,
        may_use: { secrets: ['token'], schedules: true, ...use },
        is_missing: false,
        jobs: 1,
        invalid: 1,
      },
    ],
  });
  expect(existsSync(dataDir)).toBe(isServed);
});

test('with a server, flwd says that --jobs has no effect, and that the server does not know the job', async () => {
  const { dir } = await createInstance({ a: bash('true') });
  const { prints } = start(dir, ['serve']);
  const [, url] = await prints(/listening on (\S+)/);
  const other = createFolder();
  const among = `on the server at ${url} (flwd sources lists where its jobs come from)`;

  const run = await flwd(dir, 'nowhere', '--jobs', other);
  expect(run.code).toBe(2);
  expect(run.stderr).toBe(
    `flwd: --jobs has no effect: the server at ${url} has its own sources (see flwd sources); --data-dir selects another instance\nthere is no command or job \`nowhere\` ${among}; see flwd --help for commands and flwd jobs for jobs\n`,
  );
  const { code, stderr } = await flwd(dir, 'jobs', 'nowhere', '--remote', String(url));
  expect({ code, stderr }).toMatchObject({ code: 3 });
  expect(stderr).toContain(
    `there is no job \`nowhere\` on the server at ${url} (flwd sources --remote ${url} lists where its jobs come from)`,
  );
});

test('without a server, --jobs replaces all sources', async () => {
  const { dir } = await createInstance({ a: bash('true') });
  const { stdout, stderr } = await flwd(dir, 'sources', '--jobs', createFolder());
  expect({ isOurs: stdout.includes(dir), stderr }).toEqual({ isOurs: false, stderr: '' });
});

test('a single source can be shown, and a mistyped name is answered with the nearest one', async () => {
  const { dir } = await createInstance({ a: bash('true') }, { sources: [{ name: 'ours', path: './jobs' }] });
  expect(await flwd(dir, 'sources', 'get', 'ours')).toMatchObject({
    code: 0,
    stdout: `name     ours\ntype     fs\npath     ${join(dir, 'jobs')}\njobs     1\nbroken   0\ntrusted  yes\n`,
  });
  expect(await flwd(dir, 'sources', 'get', 'our')).toMatchObject({
    code: 3,
    stderr: 'there is no source `our`; did you mean `ours`?\n',
  });
  const [listed, again] = [await flwd(dir, 'sources', 'list', '--json'), await flwd(dir, 'sources', '--json')];
  expect(listed).toEqual(again);
});

test('a reload reads a source that is not watched, and names what needs a restart', async () => {
  const sources = [{ name: 'ours', path: './jobs', watch: false }];
  const { dir } = await createInstance({ a: bash('true') }, { sources });
  const without = await flwd(dir, 'sources', 'reload');
  expect(without).toMatchObject({
    code: 0,
    stderr: 'no server is running, so every command reads the sources itself\n',
  });
  const { prints } = start(dir, ['serve']);
  await prints(/listening on/);
  await expect.poll(async () => (await flwd(dir, 'jobs', 'a')).code).toBe(0);
  await writeJob(join(dir, 'jobs', 'b'), bash('true'));
  expect((await flwd(dir, 'jobs', 'b')).code).toBe(3);

  const reloaded = await flwd(dir, 'sources', 'reload', '--json');
  expect(JSON.parse(reloaded.stdout)).toMatchObject({ sources: [{ name: 'ours', jobs: 2, invalid: 0, watch: false }] });
  expect((await flwd(dir, 'jobs', 'b')).code).toBe(0);
  expect(await flwd(dir, 'sources', 'reload', 'theirs')).toMatchObject({ code: 3 });

  mkdirSync(join(dir, 'more'));
  const config = JSON.parse(readFileSync(join(dir, 'flwd.yaml'), 'utf8'));
  writeFileSync(
    join(dir, 'flwd.yaml'),
    JSON.stringify({ ...config, sources: [...sources, { name: 'more', path: './more' }] }),
  );
  expect((await flwd(dir, 'sources', 'reload')).stderr).toContain(
    'restart the server to add the new sources of flwd.yaml: more',
  );
});

test.each([
  ['add', 'name the folder under `sources` in flwd.yaml, and restart the server'],
  ['remove', 'take it out of `sources` in flwd.yaml, and restart the server'],
  ['pull', 'update the folder, as with git pull; the server notices the changes'],
  ['discover', 'flwd jobs --source NAME lists the jobs of a source'],
])('flwd sources %s does not exist, and says what to do', async (word, instead) => {
  expect(await flwd(createFolder(), ':sources', word, '--type', 'oci')).toMatchObject({
    code: 2,
    stderr: `there is no command \`sources ${word}\`: ${instead}\n`,
  });
});
