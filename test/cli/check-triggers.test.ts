// Triggers with a check on a real server.

import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { AnswerOf } from '../../src/contract/operations.ts';
import type { RunAnswer } from '../support/answers.ts';
import { bash, type JobConfig, writeJob } from '../support/jobs.ts';
import { processesWith } from '../support/processes.ts';
import { createInstance, type Instance } from './an-instance.ts';
import { createFolder, flwd, flwdReading, start } from './terminal.ts';

type Served = Awaited<ReturnType<Instance['serve']>>;
type Trigger = AnswerOf<'listTriggers'>['triggers'][number];

/** The check can read the folder where the test puts what the check is meant to find. */
function withCheck(folder: string, check: string, config: JobConfig = {}, script = 'true') {
  const { triggers: [trigger = {}] = [], ...more } = config as { triggers?: readonly object[] };
  return {
    ...bash(script, {
      argspec: { type: 'object', properties: { n: { type: 'integer' }, text: { type: 'string' } } },
      permissions: { read: [folder] },
      triggers: [{ check: './check.sh', every: '5s', ...trigger }],
      ...more,
    }),
    'check.sh': `cd ${folder}\n${check}\n`,
  };
}

/** If the server runs as root, its jobs run as another user, who must be able to read this folder. */
function createOpenFolder(): string {
  const folder = createFolder();
  chmodSync(folder, 0o755);
  return folder;
}

async function instanceWith(folder: string, jobs: Parameters<typeof createInstance>[0]) {
  const secure = { may_grant: ['read', 'network'] };
  return createInstance(jobs, { security: { paths: [folder], profiles: { secure } } });
}

/** A check runs every 5 s, and each poll costs the server time, so this polls only every 100 ms. */
const poll: typeof expect.poll = (read, o) => expect.poll(read, { interval: 100, ...o });

async function triggerOf(server: Served, job: string): Promise<Trigger> {
  const { triggers } = await server.json<{ triggers: Trigger[] }>(`/triggers?job_id=${job}`);
  if (!triggers[0]) throw new Error(`${job} has no trigger`);
  return triggers[0];
}
const lookOf = async (server: Served, job: string) => (await triggerOf(server, job)).last_look;
const totalOf = async (server: Served, job: string) =>
  (await server.json<{ total: number }>(`/runs?job_id=${job}`)).total;
async function lastRunOf(server: Served, job: string): Promise<RunAnswer | undefined> {
  const { runs } = await server.json<{ runs: RunAnswer[] }>(`/runs?job_id=${job}&limit=1`);
  return runs[0] && server.json<RunAnswer>(`/runs/${runs[0].run_id}`);
}

test('a check that finds nothing leaves no run, and one that finds something starts one with its result', async () => {
  const folder = createOpenFolder();
  const check = `
    echo "this is output, and no argument"
    seen=$(flwd_kv_get seen 0 || echo 0)
    [ -e found ] || exit 75
    flwd_kv_set seen $((seen + 1))
    flwd_result "{\\"n\\": $((seen + 1)), \\"job\\": \\"$FLWD_JOB_ID\\"}"`;
  const trigger = { args: { n: 'check.result.n', text: 'check.result.job' } };
  const works = `while [ -e ${folder}/found ]; do sleep 0.1; done`;
  const instance = await instanceWith(folder, { poll: withCheck(folder, check, { triggers: [trigger] }, works) });
  const server = await instance.serve();
  await poll(() => lookOf(server, 'poll')).toMatchObject({ problem: null });
  const first = await lookOf(server, 'poll');
  await poll(() => lookOf(server, 'poll')).not.toEqual(first);
  expect(await totalOf(server, 'poll')).toBe(0);
  expect(readdirSync(join(instance.dataDir, 'runs'))).toEqual([]);

  writeFileSync(join(folder, 'found'), '');
  await poll(() => totalOf(server, 'poll')).toBe(1);
  const { id } = await triggerOf(server, 'poll');
  await poll(() => lastRunOf(server, 'poll')).toMatchObject({
    args: { n: 1, text: 'poll' },
    created_by: `trigger:${id}`,
    trigger: { type: 'check', trigger_id: id },
    status: 'running',
  });
  const run = await lastRunOf(server, 'poll');
  const list = await flwd(instance.dir, 'triggers');
  expect(list.stdout).toMatch(/\.\/check\.sh, every 5s +poll +started/);
  // There are no checks while the run works, because a check would find the same thing again.
  const lookAt = async (): Promise<string> => String((await lookOf(server, 'poll'))?.at);
  await poll(async () => (await lookAt()) >= String(run?.created_at)).toBe(true);
  const during = await lookOf(server, 'poll');
  await poll(() => Date.now() - Date.parse(String(during?.at))).toBeGreaterThan(6_500);
  expect(await lookOf(server, 'poll')).toEqual(during);
  rmSync(join(folder, 'found'));
  await server.finished(String(run?.run_id));
  await poll(() => lookOf(server, 'poll')).not.toEqual(during);
  expect(await totalOf(server, 'poll')).toBe(1);
});

test('a failing check is reported once, in its own words and without secrets, and its recovery is reported too', async () => {
  const folder = createOpenFolder();
  const check = '[ -e good ] && exit 75\necho "no answer from $KEY" >&2\nexit 3';
  const jobs = { poll: withCheck(folder, check, { env: { KEY: { secret: 'key' } } }) };
  const instance = await instanceWith(folder, jobs);
  expect((await flwdReading(instance.dir, 'hush-hush', 'secrets', 'set', 'key')).code).toBe(0);
  const server = start(instance.dir, ['serve']);
  await server.prints(/a trigger has a problem: the check failed: exited with code 3: no answer from \[redacted\]/);
  const list = await flwd(instance.dir, 'triggers');
  expect(list.stdout).toMatch(/failing 20\S+ +the check failed: exited with code 3: no answer from \[redacted\]/);
  expect((await flwd(instance.dir, 'doctor')).stdout).toMatch(
    /warn +triggers +the check failed: exited with code 3: no/,
  );
  const [, id = ''] = /^(trigger_\w+)/m.exec(list.stdout) ?? [];
  writeFileSync(join(folder, 'good'), '');
  await server.prints(/a trigger works again/);
  expect(await flwd(instance.dir, 'triggers', 'results', id)).toMatchObject({ code: 0, stdout: '' });
  server.child.kill('SIGTERM');
  const seen = await server.ended;
  expect(seen.stdout + seen.stderr).not.toContain('hush-hush');
  expect((seen.stdout + seen.stderr).match(/a trigger has a problem/g)).toHaveLength(1);
});

test('a check that hangs is ended, even if the server stops or is killed meanwhile', async () => {
  const folder = createOpenFolder();
  const mark = `flwd-check-${process.pid}`;
  const check = `exec -a ${mark} sleep 1000`;
  const instance = await instanceWith(folder, { poll: withCheck(folder, check) });
  const first = start(instance.dir, ['serve']);
  await first.prints(/listening/);
  await poll(() => processesWith(mark).length).toBeGreaterThan(0);
  first.child.kill('SIGKILL');
  await first.ended;
  expect(processesWith(mark).length).toBeGreaterThan(0);
  const left = new Set(processesWith(mark).map(({ pid }) => pid));

  const server = await instance.serve();
  await poll(() => processesWith(mark).filter(({ pid }) => left.has(pid))).toEqual([]);
  await poll(() => lookOf(server, 'poll')).toMatchObject({
    problem: 'the check failed: it took longer than 10 s',
  });
  await poll(() => processesWith(mark).length).toBeGreaterThan(0);
  await server.stop();
  expect(processesWith(mark)).toEqual([]);
  expect(readdirSync(join(instance.dataDir, 'runs'))).toEqual([]);
});

test('a check may do what its job may do, and never acts as the operator', async () => {
  const folder = createOpenFolder();
  const ask = `python3 - <<'PY'
import http.client, os, sys
connection = http.client.HTTPConnection('127.0.0.1', int(open('port').read()))
connection.request('POST', '/api/v1/tokens', '{"name":"evil","scopes":["admin"],"tenant":"*"}', {'Content-Type': 'application/json'})
print(connection.getresponse().status)
PY`;
  const check = `[ -e port ] || exit 75\nstatus=$(${ask})\nflwd_result "$status"`;
  const trigger = { args: { n: 'check.result' } };
  const permissions = { read: [folder], network: 'all' };
  const open = withCheck(folder, check, { triggers: [trigger], permissions });
  const closed = withCheck(folder, check, { triggers: [trigger] });
  const instance = await instanceWith(folder, { open, closed });
  const server = await instance.serve();
  writeFileSync(join(folder, 'port'), new URL(server.url).port);
  await poll(() => totalOf(server, 'open')).toBe(1);
  expect((await lastRunOf(server, 'open'))?.args).toEqual({ n: 401 });
  await poll(() => lookOf(server, 'closed')).toMatchObject({
    problem: expect.stringContaining('ConnectionRefusedError'),
  });
});

test('a check that waits for its turn delays neither a change of its job nor the stop of the server', async () => {
  const folder = createOpenFolder();
  const hangs = withCheck(folder, 'sleep 1000', { triggers: [{ every: '1h' }] });
  const instance = await instanceWith(folder, { a: hangs, b: hangs, c: hangs, d: hangs, e: hangs });
  const server = await instance.serve();
  const checks = () => readdirSync(join(instance.dataDir, 'runs')).length;
  await poll(checks).toBe(4);
  const later = withCheck(folder, 'exit 75');
  for (const job of ['a', 'b', 'c', 'd', 'e']) await writeJob(join(instance.dir, 'jobs', job), later);
  for (const job of ['a', 'b', 'c', 'd', 'e']) await poll(() => lookOf(server, job)).toMatchObject({ problem: null });
  await server.stop();
});

test('a run that is refused each time a check finds something is one result and a problem of the trigger', async () => {
  const folder = createOpenFolder();
  const jobs = { poll: withCheck(folder, 'true', { triggers: [{ args: { n: '"seven"' } }] }) };
  const instance = await instanceWith(folder, jobs);
  const server = await instance.serve();
  const found = { problem: expect.stringContaining('the check found something, but no run starts: /args/n') };
  await poll(() => lookOf(server, 'poll')).toMatchObject(found);
  const first = await lookOf(server, 'poll');
  await poll(() => lookOf(server, 'poll')).not.toEqual(first);
  const { id } = await triggerOf(server, 'poll');
  const { results } = await server.json<{ results: object[] }>(`/triggers/${id}/results`);
  expect(results).toMatchObject([{ problem: 'trigger-failing' }]);
  expect((await flwd(instance.dir, 'triggers', 'results', id)).stdout).toMatch(/^refused \S+ +- +- /m);
});

test('the server starts even if it cannot clean up an old check, and it drops the problems of deleted triggers', async () => {
  const folder = createOpenFolder();
  const fails = withCheck(folder, 'exit 3');
  const instance = await instanceWith(folder, { gone: fails, poll: withCheck(folder, 'exit 75') });
  const first = await instance.serve();
  await poll(() => lookOf(first, 'gone')).toMatchObject({ problem: expect.stringContaining('code 3') });
  await first.stop();
  expect((await flwd(instance.dir, 'doctor')).stdout).toMatch(/warn +triggers/);
  rmSync(join(instance.dir, 'jobs/gone'), { recursive: true });
  mkdirSync(join(instance.dataDir, 'runs/check_01'), { recursive: true });
  writeFileSync(join(instance.dataDir, 'runs/check_01/1-1'), 'no folder');
  writeFileSync(join(instance.dataDir, 'runs/check_02'), 'no folder either');
  const server = start(instance.dir, ['serve']);
  await server.prints(/listening/);
  await poll(async () => (await flwd(instance.dir, 'doctor')).stdout).not.toMatch(/warn +triggers/);
  server.child.kill('SIGTERM');
  expect((await server.ended).code).toBe(0);
});

test('the check of a job that cannot run is not started, and the trigger says why', async () => {
  const folder = createOpenFolder();
  const jobs = { poll: withCheck(folder, 'exit 75', { env: { KEY: { secret: 'missing' } } }) };
  const instance = await instanceWith(folder, jobs);
  const server = await instance.serve();
  await poll(() => lookOf(server, 'poll')).toMatchObject({ problem: expect.stringContaining('missing') });
  expect(await totalOf(server, 'poll')).toBe(0);
});
