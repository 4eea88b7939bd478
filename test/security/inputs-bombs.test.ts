// Inputs that are small when they are written and large when they are stored: sparse files, endless lines, deep
// folders, links.

import { existsSync, readdirSync, statSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { heapBytes, withInspector } from '../support/heap.ts';
import { bash, python } from '../support/jobs.ts';
import { startServer } from '../support/server.ts';

const mib = 1024 * 1024;
const server = await startServer({
  env: { NODE_OPTIONS: `${withInspector.NODE_OPTIONS} --max-old-space-size=160` },
  jobs: {
    quick: bash('true'),
    sparse: bash('truncate -s 1T "$FLWD_ARTIFACTS_DIR/sparse"; echo x > "$FLWD_ARTIFACTS_DIR/small"'),
    line: python('import sys\nfor _ in range(64): sys.stdout.write("x" * 1048576)', { logs: { max_size: '4MiB' } }),
    folders: python(
      'import os\nos.chdir(os.environ["FLWD_ARTIFACTS_DIR"])\nfor n in range(1500):\n  os.mkdir("d" * 100)\n  os.chdir("d" * 100)\nopen("deep", "w").write("x")',
    ),
    pipes: bash(
      'cd "$FLWD_ARTIFACTS_DIR"; mkfifo pipe; ln -s /etc/passwd link; ln -s . loop; ln -s /dev/zero zero; ln -s /proc/self/environ e; echo x > kept',
    ),
    result: python('import os\nopen(os.environ["FLWD_RESULT_FILE"], "w").write("[" * 900000)'),
    output: python('import os\nopen(os.environ["FLWD_OUTPUT_FILE"], "w").write("a=" + "x" * 64 * 1048576 + "\\n")'),
    objects: python('import os\nopen(os.environ["FLWD_RESULT_FILE"], "w").write("[" + "{}," * 300000 + "{}]")'),
  },
  config: { persistence: { artifacts: { max_size: '8MiB' } }, logging: { level: 'error' } },
});
afterAll(() => server.close());
await server.run('quick');
const before = await heapBytes(server.stderr);

afterEach(async () => {
  // A machine that was only busy for a moment recovers, so wait for it.
  const health = () => server.json('/health');
  await expect.poll(health).toMatchObject({ checks: { database: { status: 'ok' }, load: { status: 'ok' } } });
  expect(await server.run('quick')).toMatchObject({ status: 'success' });
  await expect.poll(async () => (await heapBytes(server.stderr)) - before).toBeLessThan(24 * mib);
});

function bytesBelow(dir: string): number {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
}

test('a sparse artifact of 1 TiB is refused because of its size, and no artifact of the run is kept', async () => {
  const run = await server.run('sparse');
  expect(run).toMatchObject({ status: 'failed', reason: 'artifact_too_large' });
  expect(await server.artifacts(run.run_id)).toEqual([]);
});

test('64 MiB in one line use no more space than the limit of the log', async () => {
  const run = await server.run('line');
  expect(run).toMatchObject({ status: 'success' });
  const text = await (await server.fetch(`/runs/${run.run_id}/logs`, { headers: { accept: 'text/plain' } })).text();
  expect(text.length).toBeLessThan(8 * mib);
  expect(bytesBelow(join(server.dataDir, 'logs'))).toBeLessThan(8 * mib);
});

test('folders nested too deeply for any path do no harm', async () => {
  const run = await server.run('folders');
  expect(run).toMatchObject({ status: 'success' });
  expect(await server.artifacts(run.run_id)).toEqual([]);
  await expect.poll(() => existsSync(join(server.dataDir, 'runs', run.run_id))).toBe(false);
});

test('pipes, devices and links out of the workspace are ignored', async () => {
  const run = await server.run('pipes');
  expect(run).toMatchObject({ status: 'success' });
  expect((await server.artifacts(run.run_id)).map(({ name }) => name)).toEqual(['kept']);
});

test.each(['result', 'output', 'objects'])(
  'a %s that grows when it is decoded can at most fail its run',
  async (job) => {
    const run = await server.run(job);
    expect(['success', 'failed']).toContain(run.status);
    expect((await server.fetch(`/runs/${run.run_id}`)).status).toBe(200);
  },
);

test('links in a source are not followed, whether to a file of the host, in a loop, or out of the tree', async () => {
  for (const name of ['passwd', 'loop', 'outside', 'script'])
    await mkdir(join(server.jobsDir, 'links', name), { recursive: true });
  await symlink('/etc/passwd', join(server.jobsDir, 'links/passwd/config.yaml'));
  await symlink('.', join(server.jobsDir, 'links/loop/again'));
  await writeFile(join(server.jobsDir, 'links/loop/config.yaml'), 'command: ["true"]\nulc_profile: ulc.exec\n');
  await symlink('/etc', join(server.jobsDir, 'links/outside/etc'));
  await symlink('/etc/hostname', join(server.jobsDir, 'links/script/run.sh'));
  await writeFile(join(server.jobsDir, 'links/script/config.yaml'), 'command: ./run.sh\nulc_profile: ulc.exec\n');

  type Listed = { jobs: { id: string }[]; invalid: { id: string }[] };
  const listed = async () => server.json<Listed>('/jobs');
  await expect.poll(async () => (await listed()).jobs.map(({ id }) => id)).toContain('links/loop');
  const answer = await listed();
  expect(answer.jobs.filter(({ id }) => id.startsWith('links/')).map(({ id }) => id)).toEqual(['links/loop']);
  expect(JSON.stringify(answer)).not.toContain('root:');
  expect(await (await server.fetch('/jobs/links/passwd')).text()).not.toContain('root:');
});
