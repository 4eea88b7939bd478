import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { ArtifactAnswer } from '../support/answers.ts';
import { bash } from '../support/jobs.ts';
import { createInstance, type Instance } from './an-instance.ts';
import { createFolder, flwd, start } from './terminal.ts';

const jobs = {
  leaves: bash('cd "$FLWD_ARTIFACTS_DIR"; printf hello > a.txt; head -c 3000000 /dev/zero > big.bin; touch empty'),
  alike: bash(
    'mkdir a b; echo 1 > a/report.txt; echo 2 > b/report.txt; echo 3 > "$FLWD_ARTIFACTS_DIR/report.txt"; echo 4 > one.txt',
    { artifacts: { paths: ['a/*', 'b/*', 'one.txt'] } },
  ),
  nothing: bash('true'),
};

async function ran({ dir }: Instance, job: string): Promise<string> {
  const { stdout, code } = await flwd(dir, 'run', job, '--json');
  expect(code).toBe(0);
  const run: { readonly run_id: string } = JSON.parse(stdout);
  return run.run_id;
}

async function artifactsOf({ dir }: Instance, runId: string): Promise<Record<string, ArtifactAnswer>> {
  const { stdout, code } = await flwd(dir, 'artifacts', runId, '--json');
  expect(code).toBe(0);
  const list: { readonly artifacts: readonly ArtifactAnswer[] } = JSON.parse(stdout);
  return Object.fromEntries(list.artifacts.map((artifact) => [artifact.name, artifact]));
}

test.each([false, true])('artifacts are listed and saved under their names (with a server: %s)', async (isServed) => {
  const instance = await createInstance(jobs);
  const server = isServed ? await instance.serve() : undefined;
  const { dir } = instance;
  const id = await ran(instance, 'leaves');
  const listed = await flwd(dir, 'artifacts', id);
  const rows = listed.stdout.split('\n').map((line) => line.trim().split(/ {2,}/));
  expect(rows[0]).toEqual(['NAME', 'SIZE', 'TYPE', 'CREATED', 'ID']);
  expect(rows).toContainEqual(['a.txt', '5 B', 'text/plain', expect.any(String), expect.stringMatching(/^artifact_/)]);

  const { 'a.txt': small, 'big.bin': big, empty } = await artifactsOf(instance, id);
  const there = createFolder();
  const get = (...args: readonly string[]) =>
    start(there, ['artifacts', 'get', ...args, '--config', join(dir, 'flwd.yaml')]).ended;
  expect(await get(small?.id ?? '')).toEqual({ code: 0, stdout: 'a.txt\n', stderr: '' });
  expect(readFileSync(join(there, 'a.txt'), 'utf8')).toBe('hello');
  expect(await get(big?.id ?? '', '--json')).toMatchObject({ code: 0, stderr: '' });
  const sum = createHash('sha256')
    .update(readFileSync(join(there, 'big.bin')))
    .digest('hex');
  expect(sum).toBe(big?.sha256);
  mkdirSync(join(there, 'sub'));
  expect(await get(empty?.id ?? '', '-o', 'sub')).toMatchObject({ code: 0, stdout: 'sub/empty\n' });
  expect(await get(small?.id ?? '', '--output', '-')).toEqual({ code: 0, stdout: 'hello', stderr: '' });

  expect(readdirSync(there).toSorted()).toEqual(['a.txt', 'big.bin', 'sub']);
  await server?.stop();
});

test('artifacts of the same name are listed with their folders', async () => {
  const instance = await createInstance(jobs);
  const listed = await flwd(instance.dir, 'artifacts', await ran(instance, 'alike'), '--quiet');
  const names = listed.stdout.match(/^\S+/gm);
  expect(names?.toSorted()).toEqual(['a/report.txt', 'b/report.txt', 'one.txt', 'report.txt']);
});

test('a run without artifacts lists nothing, and unknown ids are not found', async () => {
  const { dir, serve } = await createInstance(jobs);
  const server = await serve();
  const { run_id: id } = await server.run('nothing');
  expect(await flwd(dir, 'artifacts', id)).toEqual({ code: 0, stdout: '', stderr: 'no artifacts\n' });
  expect(await flwd(dir, 'artifacts', 'run_x')).toMatchObject({ code: 3, stdout: '' });
  expect(await flwd(dir, 'artifacts', 'get', 'artifact_x')).toMatchObject({ code: 3, stdout: '' });
  expect(await flwd(dir, 'artifacts', 'get', 'report.txt')).toMatchObject({
    stderr:
      '`report.txt` is not the id of an artifact: write flwd artifacts get RUN NAME; ' +
      'flwd artifacts RUN lists the artifacts of a run\n',
    code: 2,
  });
});

test('an artifact is saved by its name, from a run or from the last run of a job', async () => {
  const instance = await createInstance(jobs);
  const { dir } = instance;
  const id = await ran(instance, 'leaves');
  await ran(instance, 'alike');
  const get = (...args: readonly string[]) => flwd(dir, 'artifacts', 'get', ...args);
  expect(await get(id, 'a.txt')).toEqual({ code: 0, stdout: 'a.txt\n', stderr: '' });
  expect(readFileSync(join(dir, 'a.txt'), 'utf8')).toBe('hello');
  expect(await get('alike', 'b/report.txt')).toMatchObject({
    code: 0,
    stdout: 'report.txt\n',
    stderr: expect.stringMatching(/^using run_\w+, the last run of alike\n$/),
  });
  expect(await get(id, 'a.tx')).toEqual({
    code: 3,
    stdout: '',
    stderr: `${id} has no artifact \`a.tx\`; did you mean \`a.txt\`?\n`,
  });
  expect(await get(id, 'other')).toMatchObject({
    stderr: `${id} has no artifact \`other\`; flwd artifacts ${id} lists them\n`,
  });
  expect(await get(await ran(instance, 'nothing'), 'other')).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(/ has no artifacts\n$/),
  });
  expect(await get(id, 'a.txt', 'more')).toMatchObject({ code: 2 });
});

test('an artifact replaces an existing file only with --force', async () => {
  const instance = await createInstance(jobs);
  const { dir } = instance;
  const { 'a.txt': small } = await artifactsOf(instance, await ran(instance, 'leaves'));
  const get = (...args: readonly string[]) => flwd(dir, 'artifacts', 'get', small?.id ?? '', ...args);
  writeFileSync(join(dir, 'mine'), 'mine');
  symlinkSync('mine', join(dir, 'a.txt'));
  const refused = await get();
  expect(refused).toEqual({ code: 6, stdout: '', stderr: 'a.txt already exists; --force replaces it\n' });
  expect(await get('--force')).toMatchObject({ code: 0 });
  expect(readFileSync(join(dir, 'a.txt'), 'utf8')).toBe('hello');
  expect(readFileSync(join(dir, 'mine'), 'utf8')).toBe('mine');
  expect(await get('-o', '/dev/null', '--force')).toMatchObject({ code: 2, stdout: '' });
  expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
  expect(await get('-o', 'none/a')).toMatchObject({
    code: 2,
    stderr: 'cannot write none/a: no such file or folder\n',
  });
});

test('a download that is refused ends at once while a server runs', async () => {
  const instance = await createInstance(jobs);
  const server = await instance.serve();
  const { dir } = instance;
  const { 'a.txt': small, 'big.bin': big } = await artifactsOf(instance, await ran(instance, 'leaves'));
  writeFileSync(join(dir, 'mine'), 'mine');
  const startedAtMs = performance.now();
  for (const artifact of [small, big]) {
    const get = (to: string) => flwd(dir, 'artifacts', 'get', artifact?.id ?? '', '-o', to);
    expect(await get('mine')).toMatchObject({ code: 6, stderr: 'mine already exists; --force replaces it\n' });
    expect(await get('absent/a')).toMatchObject({ code: 2, stderr: 'cannot write absent/a: no such file or folder\n' });
  }
  // The server closes an idle connection after 72 s.
  expect(performance.now() - startedAtMs).toBeLessThan(60_000);
  await server.stop();
});

const sha = createHash('sha256').update('hello').digest('hex');

test.each([
  ['that is named into another folder', { name: '../../.x', body: 'hello', code: 0, saved: ['__.._.x'] }],
  ['that came damaged', { name: 'a', body: 'hellO', code: 5, saved: [] }],
  ['that broke off', { name: 'a', body: 'hel', code: 5, saved: [] }],
])(
  'a download of an artifact %s leaves no incomplete or damaged file behind',
  async (_, { name, body, code, saved }) => {
    const server = createServer((request, response) => {
      response.writeHead(200, {
        etag: `"${sha}"`,
        'content-length': 5,
        'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(name)}`,
      });
      response.write(body, () => void (body.length < 5 ? request.socket.destroy() : response.end()));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const dir = createFolder();
    const got = await flwd(dir, 'artifacts', 'get', 'artifact_x', '--remote', `http://127.0.0.1:${port}`);
    expect(got.code).toBe(code);
    expect(readdirSync(dir)).toEqual(saved);
    expect(existsSync(join(dir, '../../.x'))).toBe(false);
  },
);
