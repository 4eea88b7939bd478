// API reference, Artifacts › List Artifacts.

import { afterAll, beforeAll, expect } from 'vitest';
import type { ArtifactAnswer, RunAnswer } from '../support/answers.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { startServer } from '../support/server.ts';
import { shows } from './shows.ts';

const test = testWith('bwrap');

type ArtifactList = { artifacts: ArtifactAnswer[]; total: number; next_cursor: string | null };

const server = await startServer({
  jobs: {
    'backup/daily': bash('printf hello > backup.tar.gz', {
      artifacts: { paths: [{ path: 'backup.tar.gz', name: 'backup-archive' }] },
    }),
    ways: bash(
      `mkdir -p report/deep
       echo 1 > "$FLWD_ARTIFACTS_DIR/in-folder.txt"
       echo 2 > report/one.md
       echo 3 > report/deep/two.csv
       echo 4 > chosen.bin
       echo 5 > matched.log
       echo 6 > ignored.tmp
       flwd_artifact chosen.bin --name "The chosen one" --type application/x-chosen
       flwd_artifact matched.log`,
      { artifacts: { paths: ['*.log', 'report/'] } },
    ),
    traps: bash(
      `ln -s /etc/passwd "$FLWD_ARTIFACTS_DIR/passwd"
       ln -s ../.. "$FLWD_ARTIFACTS_DIR/up"
       mkfifo "$FLWD_ARTIFACTS_DIR/pipe"
       echo kept > "$FLWD_ARTIFACTS_DIR/kept.txt"`,
    ),
    many: bash('for i in 1 2 3 4 5; do echo "$i" > "$FLWD_ARTIFACTS_DIR/$i.txt"; done'),
    none: bash('true'),
    failing: bash('echo partial > "$FLWD_ARTIFACTS_DIR/partial.txt"; exit 1'),
  },
});
afterAll(() => server.close());

const list = (query: string) => server.json<ArtifactList>(`/artifacts${query}`);

let daily: RunAnswer;
let many: RunAnswer;

beforeAll(async () => {
  daily = await server.run('backup/daily', undefined, { tenant: 'acme' });
  many = await server.run('many');
});

test('an artifact has the fields of the reference, and those of this implementation', async () => {
  shows(
    'artifacts.list.run_id',
    'artifacts.list.artifacts',
    'artifacts.list.artifacts.id',
    'artifacts.list.artifacts.run_id',
    'artifacts.list.artifacts.name',
    'artifacts.list.artifacts.path',
    'artifacts.list.artifacts.media_type',
    'artifacts.list.artifacts.size_bytes',
    'artifacts.list.artifacts.created_at',
  );
  expect(await list(`?run_id=${daily.run_id}`)).toEqual({
    artifacts: [
      {
        id: expect.stringMatching(/^artifact_[0-9A-HJKMNP-TV-Z]{26}$/),
        run_id: daily.run_id,
        name: 'backup-archive',
        path: '/workspace/backup.tar.gz',
        media_type: 'application/gzip',
        size_bytes: 5,
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        sha256: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
        step_id: 'step_01',
        job_id: 'backup/daily',
        tenant: 'acme',
        expires_at: null,
      },
    ],
    total: 1,
    next_cursor: null,
  });
});

test('without a filter the artifacts of all runs are listed', async () => {
  shows('artifacts.list');
  const { artifacts, total } = await list('');
  const runs = new Set(artifacts.map(({ run_id: runId }) => runId));
  expect(runs).toContain(daily.run_id);
  expect(runs).toContain(many.run_id);
  expect(artifacts).toHaveLength(total);
});

test('files come from the artifacts folder, from patterns and from flwd_artifact, each once', async () => {
  const { run_id } = await server.run('ways');
  const { artifacts } = await list(`?run_id=${run_id}`);
  const found = artifacts.map(({ path, name }) => `${path} ${name}`).toSorted();
  expect(found).toEqual([
    '/workspace/artifacts/in-folder.txt in-folder.txt',
    '/workspace/chosen.bin The chosen one',
    '/workspace/matched.log matched.log',
    '/workspace/report/deep/two.csv two.csv',
    '/workspace/report/one.md one.md',
  ]);
  expect(artifacts.find(({ name }) => name === 'The chosen one')).toMatchObject({ media_type: 'application/x-chosen' });
});

test('links out of the workspace and special files are ignored, with a warning in the log', async () => {
  const run = await server.run('traps');
  expect(run).toMatchObject({ status: 'success' });
  expect((await list(`?run_id=${run.run_id}`)).artifacts.map(({ name }) => name)).toEqual(['kept.txt']);
  const { logs } = await server.json<{ logs: { level: string; message: string }[] }>(
    `/runs/${run.run_id}/logs?level=warn`,
  );
  expect(logs.map(({ message }) => message).join('\n')).toMatch(/pipe/);
});

test('the artifacts of a failed run are kept', async () => {
  const { run_id } = await server.run('failing');
  expect((await list(`?run_id=${run_id}`)).artifacts.map(({ name }) => name)).toEqual(['partial.txt']);
});

test('the list can be filtered by run, job and name', async () => {
  expect(await list(`?run_id=${many.run_id}`)).toMatchObject({ total: 5 });
  expect(await list('?job_id=many')).toMatchObject({ total: 5 });
  expect((await list('?name=3.txt')).artifacts).toMatchObject([{ name: '3.txt', run_id: many.run_id }]);
  expect(await list('?run_id=run_01HX0000000000000000000000')).toEqual({ artifacts: [], total: 0, next_cursor: null });
});

test('the list shows the newest first, in pages by limit and offset or by cursor', async () => {
  shows('artifacts.list.limit');
  const all = (await list(`?run_id=${many.run_id}`)).artifacts.map(({ id }) => id);
  expect(all).toEqual(all.toSorted().toReversed());
  const middle = await list(`?run_id=${many.run_id}&limit=2&offset=1`);
  expect(middle.artifacts.map(({ id }) => id)).toEqual(all.slice(1, 3));
  expect(middle.total).toBe(5);
  const first = await list(`?run_id=${many.run_id}&limit=3`);
  const rest = await list(`?run_id=${many.run_id}&limit=3&cursor=${encodeURIComponent(first.next_cursor ?? '')}`);
  expect([...first.artifacts, ...rest.artifacts].map(({ id }) => id)).toEqual(all);
  expect(rest.next_cursor).toBeNull();
});

test.each([
  ['?limit=0', '?limit'],
  ['?limit=1001', '?limit'],
  ['?offset=-1', '?offset'],
  ['?cursor=x', '?cursor'],
  ['?run=1', '?run'],
])('%s is a validation-error that names the parameter', async (query, pointer) => {
  const response = await server.fetch(`/artifacts${query}`);
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ errors: [{ pointer }] });
});

test('no answer names a path of the host', async () => {
  expect(JSON.stringify(await list(''))).not.toContain(server.root);
});
