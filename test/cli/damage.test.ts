// Files in the data dir are damaged, truncated or missing: flwd says so and continues with the rest.

import {
  existsSync,
  globSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { processesWith } from '../support/processes.ts';
import { createInstance, type Instance } from './an-instance.ts';
import { createFolder, flwd, type Started, start } from './terminal.ts';

const test = testWith('bwrap');
const jobs = {
  small: bash('echo small; echo content >"$FLWD_ARTIFACTS_DIR/note.txt"'),
  large: bash('echo large; head -c 3000000 /dev/urandom >"$FLWD_ARTIFACTS_DIR/large.bin"'),
  // Two full segments and a part of a third one.
  chatty: bash('seq -f "line %.0f of a log that takes more than a segment of four mebibytes, uncompressed" 120000'),
  slow: bash('for i in {1..30}; do echo "line $i"; sleep 0.1; done'),
  hold: bash('echo started; sleep 8105'),
};

async function created(): Promise<Instance> {
  return createInstance(jobs);
}

type Page = { logs?: { message: string }[]; next_cursor?: string; type?: string; detail?: string };

function overwrite(path: string, at: number, bytes = 64): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, Buffer.alloc(bytes, '!'), 0, bytes, at);
}

function fileOf(dataDir: string, pattern: string): string {
  const [found] = globSync(join(dataDir, pattern));
  if (found === undefined) throw new Error(`${pattern} is not there`);
  return found;
}

describe('an artifact', () => {
  test('that is truncated, or small and changed, cannot be downloaded, and the answer is a problem', async () => {
    const { dataDir, serve } = await created();
    const server = await serve();
    await server.run('small');
    await server.run('large');
    const { artifacts } = await server.json<{ artifacts: { id: string; name: string }[] }>('/artifacts');
    for (const { id, name } of artifacts) {
      const path = fileOf(dataDir, `artifacts/*/${id}`);
      if (name === 'note.txt') overwrite(path, 0, 4);
      else truncateSync(path, 1_000_000);
      const response = await server.fetch(`/artifacts/${id}`);
      expect({ name, status: response.status, etag: response.headers.get('etag') }).toEqual({
        name,
        status: 500,
        etag: null,
      });
      expect(await response.json()).toMatchObject({
        type: 'https://flowd.org/problems/artifact-damaged',
        detail: `The file of the artifact '${id}' is damaged.`,
      });
    }
    await server.stop();
  });

  test('that is large and changed breaks off before the end of its download', async () => {
    const { dataDir, serve } = await created();
    const server = await serve();
    await server.run('large');
    const { artifacts } = await server.json<{ artifacts: { id: string }[] }>('/artifacts');
    const id = artifacts[0]?.id;
    overwrite(fileOf(dataDir, `artifacts/*/${id}`), 1_500_000);
    const response = await server.fetch(`/artifacts/${id}`);
    expect(response.status).toBe(200);
    await expect(response.arrayBuffer()).rejects.toThrow('terminated');
    // A part of a file cannot be checked, because the digest is that of the whole file.
    const part = await server.fetch(`/artifacts/${id}`, { headers: { range: 'bytes=0-99' } });
    expect((await part.arrayBuffer()).byteLength).toBe(100);
    await server.stop();
  });
});

describe('a log', () => {
  test('with a damaged segment shows a line in its place, and all other lines', async () => {
    const { dataDir, serve } = await created();
    const server = await serve();
    const { run_id: runId } = await server.run('chatty');
    const path = fileOf(dataDir, `logs/*/${runId}.1.zst`);
    await server.stop();
    overwrite(path, statSync(path).size / 2);
    const again = await serve();
    const page = await again.json<Page>(`/runs/${runId}/logs?limit=2`);
    const mark = expect.stringMatching(
      new RegExp(`^… lines 1 to \\d+ of this log cannot be read: the file logs/../${runId}.1.zst is damaged …$`),
    );
    expect(page.logs?.map(({ message }) => message)).toEqual([mark, expect.stringMatching(/^line \d+ of a log/)]);
    const text = await (await again.fetch(`/runs/${runId}/logs`, { headers: { accept: 'text/plain' } })).text();
    const lines = text.trim().split('\n');
    expect([lines[0], lines.at(-1)]).toEqual([mark, expect.stringMatching(/^line 120000 of/)]);
    const alone = await again.fetch(`/runs/${runId}/logs?limit=1`);
    expect(alone.status).toBe(500);
    expect(await alone.json()).toMatchObject({
      type: 'https://flowd.org/problems/log-damaged',
      detail: mark,
      next_cursor: expect.stringMatching(/^\d+$/),
    });
    await again.stop();
  });

  test('whose only file is missing is answered with a problem that names the file, and as text with a line that says so', async () => {
    const { dataDir, serve } = await created();
    const server = await serve();
    const { run_id: runId } = await server.run('small');
    rmSync(fileOf(dataDir, `logs/*/${runId}.1.raw`));
    await server.stop();
    const again = await serve();
    const response = await again.fetch(`/runs/${runId}/logs`);
    expect(response.status).toBe(500);
    const detail = expect.stringMatching(
      new RegExp(`^… line 1 of this log cannot be read: .*${runId}.1.raw is missing …$`),
    );
    expect(await response.json()).toMatchObject({ type: 'https://flowd.org/problems/log-damaged', detail });
    const text = await (await again.fetch(`/runs/${runId}/logs`, { headers: { accept: 'text/plain' } })).text();
    expect(text.trim()).toEqual(detail);
    await again.stop();
  });
});

test('backup and doctor list damaged files, and the backup contains the rest', async () => {
  const { dir, dataDir, serve } = await created();
  const server = await serve();
  const [changed, gone, cut] = [await server.run('small'), await server.run('small'), await server.run('small')];
  const { artifacts } = await server.json<{ artifacts: { id: string; run_id: string }[] }>('/artifacts');
  const idOf = (run: { run_id: string }): string => artifacts.find(({ run_id: id }) => id === run.run_id)?.id ?? '';
  await server.stop();
  expect(await flwd(dir, 'doctor')).toMatchObject({ code: 0 });
  const whole = readFileSync(fileOf(dataDir, `artifacts/*/${idOf(changed)}`));
  overwrite(fileOf(dataDir, `artifacts/*/${idOf(changed)}`), 0, 4);
  rmSync(fileOf(dataDir, `artifacts/*/${idOf(gone)}`));
  rmSync(fileOf(dataDir, `logs/*/${gone.run_id}.1.raw`));
  const segment = fileOf(dataDir, `logs/*/${cut.run_id}.1.raw`);
  truncateSync(segment, statSync(segment).size - 1);
  const copy = join(createFolder(), 'copy');
  const { code, stderr } = await flwd(dir, 'backup', copy);
  expect(code).toBe(1);
  expect(stderr).toContain(`the artifact ${idOf(changed)} ("note.txt") has changed since it was stored\n`);
  expect(stderr).toContain(`the artifact ${idOf(gone)} ("note.txt"), is missing\n`);
  expect(stderr).toMatch(new RegExp(`^the log of ${gone.run_id}, logs/../${gone.run_id}.1.raw, is missing$`, 'm'));
  expect(stderr).toMatch(new RegExp(`^the log of ${cut.run_id}, logs/../${cut.run_id}.1.raw, is damaged$`, 'm'));
  expect(stderr).toMatch(
    /^4 files of the instance are damaged or missing\. The backup contains everything that could be read\. An/m,
  );
  expect(existsSync(join(copy, 'manifest.json'))).toBe(true);
  const doctor = await flwd(dir, 'doctor');
  expect(doctor.code).toBe(1);
  expect(doctor.stdout).toMatch(/^fail {2}stored files .*is missing/m);
  expect(doctor.stdout).toMatch(/ has \d+ bytes instead of \d+/);
  expect(doctor.stdout).toMatch(/\n1 check failed: stored files\. The table above says how to fix it\.\n$/);

  const place = join(createFolder(), 'data');
  const restored = await flwd(dir, 'restore', copy, '--data-dir', place);
  expect(restored.code).toBe(1);
  for (const line of stderr.split('\n').slice(0, 4)) expect(restored.stderr).toContain(`${line}\n`);
  expect(restored.stderr).toContain(
    '4 files were already damaged or missing when the backup was taken. Everything else was restored.',
  );
  const after = await flwd(dir, 'doctor', '--data-dir', place);
  expect(after.code).toBe(1);
  expect(after.stdout).toContain(
    `the artifact ${idOf(changed)} ("note.txt") has changed since it was stored (as it was in the backup)`,
  );
  // The artifact gets its original bytes back, although it was damaged in the backup.
  writeFileSync(fileOf(place, `artifacts/*/${idOf(changed)}`), whole);
  expect((await flwd(dir, 'doctor', '--data-dir', place)).stdout).not.toContain('as it was in the backup');
});

test('a damaged database page is reported as a problem, and health is no longer `healthy`', async () => {
  const { dir, dataDir, serve } = await created();
  const server = await serve();
  await server.run('small');
  await server.stop();
  const path = join(dataDir, 'flwd.db');
  const database = new DatabaseSync(path);
  const { rootpage, page_size: pageSize } = {
    ...database.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'artifacts'").get(),
    ...database.prepare('PRAGMA page_size').get(),
  };
  database.close();
  overwrite(path, (Number(rootpage) - 1) * Number(pageSize), Number(pageSize));
  const again = await serve();
  const response = await again.fetch('/artifacts');
  expect(response.status).toBe(500);
  expect(await response.json()).toMatchObject({ type: 'https://flowd.org/problems/database-damaged' });
  const health = await again.fetch('/health');
  expect(health.status).toBe(503);
  const detail = expect.stringMatching(/^the database is damaged \(.*\): stop the server and restore a backup$/);
  expect(await health.json()).toMatchObject({ checks: { database: { status: 'failing', detail } } });
  await again.stop();
  const doctor = await flwd(dir, 'doctor');
  expect(doctor).toMatchObject({ code: 1, stdout: expect.stringMatching(/^fail {2}database .* is damaged: /m) });
});

describe('the folder of a run', () => {
  async function running(instance: Instance, jobId: string): Promise<{ server: Started; url: string; runId: string }> {
    const server = start(instance.dir, ['serve']);
    const [, url = ''] = await server.prints(/listening on (\S+)/);
    const api = `${url}/api/v1`;
    const request = { method: 'POST', headers: { 'content-type': 'application/json' } };
    const post = () => fetch(`${api}/runs`, { ...request, body: JSON.stringify({ job_id: jobId }) });
    await expect.poll(async () => (await fetch(`${api}/jobs/${jobId}`)).status).toBe(200);
    const { run_id: runId }: { run_id: string } = JSON.parse(await (await post()).text());
    await expect.poll(async () => await (await fetch(`${api}/runs/${runId}/logs`)).text()).toMatch(/line 5|started/);
    return { server, url: api, runId };
  }

  test('if it is removed, the run ends as lost and leaves no process', async () => {
    const instance = await created();
    const { url, runId } = await running(instance, 'hold');
    rmSync(join(instance.dataDir, 'runs', runId), { recursive: true, force: true });
    const run = async (): Promise<unknown> => JSON.parse(await (await fetch(`${url}/runs/${runId}`)).text());
    await expect.poll(run).toMatchObject({
      status: 'failed',
      reason: 'lost',
      error: { message: 'its folder in the data dir was removed while it ran' },
    });
    expect(processesWith(runId)).toEqual([]);
  });

  test('if its spool was lost while no server was running, the log says so', async () => {
    const instance = await created();
    const { server, runId } = await running(instance, 'slow');
    server.child.kill('SIGKILL');
    await server.ended;
    rmSync(join(instance.dataDir, 'runs', runId, '1-1', 'spool'));
    const again = await instance.serve();
    expect(await again.finished(runId)).toMatchObject({ status: 'success' });
    const messages = await again.messages(runId);
    expect(messages[0]).toBe('line 1');
    expect(messages.at(-1)).toMatch(
      /^the output after byte \d+ is lost: somebody removed the file to which it was printed$/,
    );
    await again.stop();
  });

  test('if it was removed while no server was running, the run ends as lost and is not repeated', async () => {
    const instance = await created();
    const { server, runId } = await running(instance, 'slow');
    server.child.kill('SIGKILL');
    await server.ended;
    rmSync(join(instance.dataDir, 'runs', runId), { recursive: true, force: true });
    const again = await instance.serve();
    expect(await again.finished(runId)).toMatchObject({ status: 'failed', reason: 'lost' });
    expect((await again.messages(runId)).filter((message) => message === 'line 1')).toHaveLength(1);
    await again.stop();
  });
});
