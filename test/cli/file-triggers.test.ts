// Triggers that follow files on a real server, in a real folder.

import { appendFileSync, mkdirSync, renameSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { AnswerOf } from '../../src/contract/operations.ts';
import type { RunAnswer } from '../support/answers.ts';
import { bash } from '../support/jobs.ts';
import { createInstance, type Instance } from './an-instance.ts';
import { createFolder, flwd, start } from './terminal.ts';

type Served = Awaited<ReturnType<Instance['serve']>>;
type Triggers = AnswerOf<'listTriggers'>['triggers'];
type Results = AnswerOf<'listTriggerResults'>['results'];

const script = 'wc -c < "$FLWD_ARG_FILE" | flwd_result "$(cat)"';
const file = { type: 'object', properties: { file: { type: 'string' } }, required: ['file'] };
const args = { file: 'file.path' };

/** An instance that allows its jobs to read the folder if they ask for it. */
async function instanceFor(folder: string, jobs: Parameters<typeof createInstance>[0], sections: object = {}) {
  mkdirSync(folder, { recursive: true });
  const security = { paths: [folder], profiles: { secure: { may_grant: ['read'] } } };
  return createInstance(jobs, { security, ...sections });
}

const follows = (folder: string, trigger: object = {}, config: object = {}, runs = script) =>
  bash(runs, {
    argspec: file,
    permissions: { read: [folder] },
    triggers: [{ files: folder, settle: '0s', args, ...trigger }],
    ...config,
  });

/**
 * Moves a complete file into the folder. Otherwise a trigger could see the file while it is still empty, and count the
 * text as a second version.
 */
function put(folder: string, name: string, text = name): void {
  const path = join(folder, '..', name);
  writeFileSync(path, text);
  renameSync(path, join(folder, name));
}

async function triggerOf(server: Served, job: string): Promise<Triggers[number]> {
  const { triggers } = await server.json<{ triggers: Triggers }>(`/triggers?job_id=${job}`);
  if (!triggers[0]) throw new Error(`${job} has no trigger`);
  return triggers[0];
}
const resultsOf = async (server: Served, job: string): Promise<Results> =>
  (await server.json<{ results: Results }>(`/triggers/${(await triggerOf(server, job)).id}/results`)).results;
const begun = (server: Served, job: string) =>
  expect.poll(async () => (await triggerOf(server, job)).last_look?.problem).toBeNull();
async function runsOf(server: Served, job: string): Promise<RunAnswer[]> {
  const { runs } = await server.json<{ runs: RunAnswer[] }>(`/runs?job_id=${job}&limit=1000`);
  return Promise.all(runs.toReversed().map(({ run_id: id }) => server.json<RunAnswer>(`/runs/${id}`)));
}
const pathsOf = async (server: Served, job: string) =>
  (await runsOf(server, job)).map(({ args: { file: path } }) => path);

test('each file that is added or changed starts one run, and a file that was already there starts no run', async () => {
  const folder = join(createFolder(), 'in');
  const instance = await instanceFor(folder, { load: follows(folder, { match: '*.csv' }) });
  writeFileSync(join(folder, 'before.csv'), 'x');
  const server = await instance.serve();
  await begun(server, 'load');
  writeFileSync(join(folder, 'other.txt'), 'x');
  mkdirSync(join(folder, 'folder.csv'));
  symlinkSync('/etc/passwd', join(folder, 'link.csv'));
  writeFileSync(join(folder, '.hidden.csv'), 'x');
  const path = join(folder, 'a b;$(id).csv');
  put(folder, 'a b;$(id).csv', '12345');
  await expect.poll(() => pathsOf(server, 'load')).toEqual([path]);
  const [run] = await runsOf(server, 'load');
  const { id } = await triggerOf(server, 'load');
  expect(run).toMatchObject({ created_by: `trigger:${id}`, trigger: { type: 'file', trigger_id: id, path } });
  expect(await server.finished(String(run?.run_id))).toMatchObject({ status: 'success', result: { value: 5 } });

  appendFileSync(join(folder, 'before.csv'), 'more');
  await expect.poll(() => pathsOf(server, 'load')).toEqual([path, join(folder, 'before.csv')]);
  expect(await resultsOf(server, 'load')).toMatchObject([
    { result: 'started', path: join(folder, 'before.csv'), after_run: null },
    { result: 'started', path, run_id: run?.run_id },
  ]);
  const { entries } = await server.json<{ entries: object[] }>(`/audit?object=${run?.run_id}`);
  expect(entries).toMatchObject([
    { actor: { kind: 'trigger' }, action: 'run.create', detail: { trigger: 'file', path } },
  ]);
  const list = await flwd(instance.dir, 'triggers');
  expect(list.stdout).toMatch(/\/in\/\*\.csv +load +started/);
  expect((await flwd(instance.dir, 'triggers', 'results', id)).stdout).toContain(path);
  expect((await flwd(instance.dir, 'runs', '--trigger', 'file')).stdout).toMatch(/load +success .* file/);
});

test('a file counts only after it has stayed the same for a while', async () => {
  const folder = join(createFolder(), 'in');
  const instance = await instanceFor(folder, { load: follows(folder, { settle: '4s' }) });
  const server = await instance.serve();
  await begun(server, 'load');
  const path = join(folder, 'slow');
  for (let part = 0; part < 12; part += 1) {
    appendFileSync(path, '0123456789');
    await delay(300);
  }
  await expect.poll(() => runsOf(server, 'load')).toHaveLength(1);
  const [run] = await runsOf(server, 'load');
  expect(await server.finished(String(run?.run_id))).toMatchObject({ result: { value: 120 } });
});

test('a file that is removed and put back unchanged does not count again, even if no server runs meanwhile', async () => {
  const folder = join(createFolder(), 'in');
  const instance = await instanceFor(folder, { load: follows(folder) });
  const first = await instance.serve();
  await begun(first, 'load');
  const [one, two] = [join(folder, 'one'), join(folder, 'two')];
  put(folder, 'one', '1');
  await expect.poll(() => pathsOf(first, 'load')).toEqual([one]);
  renameSync(one, `${folder}.away`);
  const notedGone = async () => (await first.json<{ triggers: Triggers }>('/triggers')).triggers[0]?.last_look?.at;
  const seen = await notedGone();
  await expect.poll(notedGone).not.toBe(seen);
  await first.stop();
  renameSync(`${folder}.away`, one);
  writeFileSync(two, '2');
  const second = await instance.serve();
  await expect.poll(() => pathsOf(second, 'load')).toEqual([one, two]);
  // The same content with a new modification time is a new version.
  utimesSync(one, new Date(), new Date());
  await expect.poll(() => pathsOf(second, 'load')).toEqual([one, two, one]);
});

test('each file counts exactly once, however often the server is killed', async () => {
  const folder = join(createFolder(), 'in');
  const jobs = { load: follows(folder, {}, {}, 'true'), also: follows(folder, { match: '*.log' }, {}, 'true') };
  const instance = await instanceFor(folder, jobs);
  const first = await instance.serve();
  await begun(first, 'load');
  await begun(first, 'also');
  await first.stop();
  const wanted: string[] = [];
  for (let round = 0; round < 4; round += 1) {
    for (let n = 0; n < 12; n += 1) {
      const path = join(folder, `${round}-${n}.log`);
      writeFileSync(path, 'x');
      wanted.push(path);
    }
    const server = start(instance.dir, ['serve']);
    const [, url] = await server.prints(/listening on (\S+)/);
    const total = async () => {
      const answer: { total: number } = JSON.parse(await (await fetch(`${url}/api/v1/runs?job_id=load`)).text());
      return answer.total;
    };
    await expect.poll(total, { interval: 5 }).toBeGreaterThan(round * 12);
    server.child.kill('SIGKILL');
    await server.ended;
  }
  const server = await instance.serve();
  for (const job of ['load', 'also']) {
    await expect.poll(async () => (await pathsOf(server, job)).length, { interval: 200 }).toBe(wanted.length);
    expect(new Set(await pathsOf(server, job))).toEqual(new Set(wanted));
  }
});

test('a folder that cannot be followed is reported with the reason, and is followed as soon as that is possible', async () => {
  const folder = join(createFolder(), 'in');
  const denied = join(createFolder(), 'denied');
  const late = join(folder, 'late');
  const jobs = {
    late: follows(late, {}, { permissions: { read: [folder] } }),
    blind: follows(denied, {}, { permissions: {} }),
    both: follows(folder, {}, { permissions: { read: [denied] } }),
    missing: follows(folder, {}, { permissions: { read: [join(folder, 'nowhere')] } }),
  };
  const instance = await instanceFor(folder, jobs);
  mkdirSync(denied);
  const server = await instance.serve();
  const problemOf = (job: string) => async () => (await triggerOf(server, job)).last_look?.problem;
  await expect.poll(problemOf('late')).toBe(`the folder '${late}' is not there`);
  await expect
    .poll(problemOf('blind'))
    .toBe(`the job cannot read '${denied}': add it to permissions.read of its config.yaml`);
  await expect.poll(problemOf('both')).toContain('is not below any folder in security.paths');
  await expect
    .poll(problemOf('missing'))
    .toBe(
      `the job asks for '${join(folder, 'nowhere')}' under permissions, but this host has no such file or folder: create it first`,
    );
  const list = await flwd(instance.dir, 'triggers', '--job', 'late');
  expect(list.stdout).toMatch(/failing 20\S+ +the folder '.*' is not there/);
  mkdirSync(late);
  await begun(server, 'late');
  put(late, 'one', '1');
  await expect.poll(() => pathsOf(server, 'late')).toEqual([join(late, 'one')]);
});

test('a file whose run is refused is listed with the reason, and `if` leaves files out', async () => {
  const folder = join(createFolder(), 'in');
  const instance = await instanceFor(folder, {
    load: follows(folder, { if: 'file.size_bytes > 1', args: { file: 'file.name == "bad" ? 7 : file.name' } }),
  });
  const server = await instance.serve();
  await begun(server, 'load');
  for (const [name, text] of [
    ['small', '1'],
    ['bad', '12'],
    ['good', '12'],
  ] as const)
    put(folder, name, text);
  await expect.poll(async () => (await resultsOf(server, 'load')).length).toBe(2);
  const results = await resultsOf(server, 'load');
  expect(results.toSorted((a, b) => a.result.localeCompare(b.result))).toMatchObject([
    { result: 'refused', path: join(folder, 'bad'), run_id: null, problem: 'validation-error' },
    { result: 'started', path: join(folder, 'good') },
  ]);
  await server.stop();
  const again = await instance.serve();
  await begun(again, 'load');
  expect(await resultsOf(again, 'load')).toEqual(results);
});

test('while the queue is full, files wait', async () => {
  const folder = join(createFolder(), 'in');
  const scheduler = { global_concurrency: 1, queue: { max_depth: 1 } };
  const jobs = {
    load: follows(folder),
    blocks: bash('while [ ! -e "$FLWD_ARG_FILE" ]; do sleep 0.1; done', {
      argspec: file,
      permissions: { read: [folder] },
    }),
  };
  const instance = await instanceFor(folder, jobs, { scheduler });
  const server = await instance.serve();
  await begun(server, 'load');
  const go = join(folder, '.go');
  await server.start('blocks', { file: go });
  for (const name of ['a', 'b', 'c']) put(folder, name);
  await expect.poll(async () => (await triggerOf(server, 'load')).last_look?.problem).toContain('flwd tries again.');
  writeFileSync(go, '');
  await expect.poll(() => pathsOf(server, 'load')).toEqual(['a', 'b', 'c'].map((name) => join(folder, name)));
  expect(await resultsOf(server, 'load')).toHaveLength(3);
});

test('a trigger reveals no file names from a folder that policy does not let its job read, even through an argument', async () => {
  const folder = join(createFolder(), 'in');
  const secret = createFolder();
  const granted = { argspec: file, permissions: { read: [{ arg: 'file' }] } };
  const jobs = {
    spy: bash(script, { ...granted, triggers: [{ files: secret, args: { file: `"${folder}"` } }] }),
    load: bash(script, { ...granted, triggers: [{ files: folder, settle: '0s', args }] }),
  };
  const instance = await instanceFor(folder, jobs);
  const server = await instance.serve();
  await begun(server, 'load');
  await expect
    .poll(async () => (await triggerOf(server, 'spy')).last_look?.problem)
    .toContain('is not below any folder in security.paths');
  put(folder, 'one');
  await expect.poll(() => pathsOf(server, 'load')).toEqual([join(folder, 'one')]);
});

test('a file name that is not UTF-8, or too long when decoded, does not stop other files from starting runs', async () => {
  const folder = join(createFolder(), 'in');
  const instance = await instanceFor(folder, { load: follows(folder) });
  const server = await instance.serve();
  await begun(server, 'load');
  writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.alloc(120, 0xfc)]), 'x');
  put(folder, 'good', 'x');
  await expect.poll(() => pathsOf(server, 'load')).toEqual([join(folder, 'good')]);
  await expect
    .poll(async () => (await triggerOf(server, 'load')).last_look?.problem)
    .toBe('files ignored because their names are not UTF-8: 1');
});

test('if a folder disappears while its files start runs, no file is lost', async () => {
  const folder = join(createFolder(), 'in');
  // All runs but one stay in the queue, because this test is only about creating them.
  const scheduler = { global_concurrency: 1 };
  const instance = await instanceFor(folder, { load: follows(folder, {}, {}, 'sleep 600') }, { scheduler });
  const server = await instance.serve();
  await begun(server, 'load');
  const wanted = Array.from({ length: 100 }, (_, n) => join(folder, `f${n}`));
  const draft = `${folder}.draft`;
  mkdirSync(draft);
  for (const path of wanted) writeFileSync(path.replace(folder, draft), 'x');
  renameSync(folder, `${folder}.old`);
  renameSync(draft, folder);
  const total = async () => (await server.json<{ total: number }>('/runs?job_id=load')).total;
  await expect.poll(total, { interval: 5 }).toBeGreaterThan(10);
  renameSync(folder, draft);
  await expect
    .poll(async () => (await triggerOf(server, 'load')).last_look?.problem)
    .toMatch(/is not there|has no such file/);
  renameSync(draft, folder);
  await expect.poll(total, { interval: 200 }).toBe(wanted.length);
  expect(new Set(await pathsOf(server, 'load'))).toEqual(new Set(wanted));
});

test('ten thousand files are followed, and a folder with more is refused as a whole', async () => {
  const folder = join(createFolder(), 'in');
  const instance = await instanceFor(folder, { load: follows(folder) });
  for (let n = 0; n < 10_000; n += 1) writeFileSync(join(folder, `f${n}`), '');
  const server = await instance.serve();
  await begun(server, 'load');
  renameSync(join(folder, 'f1'), join(folder, 'new'));
  await expect.poll(() => pathsOf(server, 'load')).toEqual([join(folder, 'new')]);
  writeFileSync(join(folder, 'one-more'), '');
  await expect
    .poll(async () => (await triggerOf(server, 'load')).last_look?.problem)
    .toBe("the folder has more than 10,000 files that match '*'");
});
