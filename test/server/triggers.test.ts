// Jobs that start when runs of other jobs end: what their expressions see, what is refused, and who sees it.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import type { RunAnswer } from '../support/answers.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { type Serving, startServing } from './serving.ts';

const test = testWith('bwrap');

const rows = { type: 'object', properties: { rows: { type: 'integer' } } };
const text = (...names: readonly string[]) => ({
  type: 'object',
  properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
});
const key = { type: 'object', properties: { key: { type: 'string', format: 'secret' } } };
const warnings: string[] = [];
const server = await startServing({
  executes: true,
  onLog({ level, msg, first_run: firstRun }) {
    if (level === 40) warnings.push(`${String(firstRun)} ${String(msg)}`);
  },
  jobs: {
    'etl/load': bash('if [[ $FLWD_ARG_ROWS -lt 0 ]]; then exit 3; fi\nflwd_result "{\\"rows\\": $FLWD_ARG_ROWS}"', {
      argspec: rows,
    }),
    report: bash('echo "$FLWD_ARG_ROWS rows"', {
      argspec: rows,
      triggers: [{ job: 'etl/load', if: 'run.result.value.rows > 0', args: { rows: 'run.result.value.rows' } }],
    }),
    alarm: bash('true', {
      argspec: text('status', 'by'),
      triggers: [{ job: 'etl/load', on: ['failed'], args: { status: 'run.reason', by: 'run.created_by' } }],
    }),
    wrong: bash('true', {
      argspec: text('x'),
      triggers: [{ job: 'source', args: { x: 'run.result.value.no_such_member' } }],
    }),
    takesKey: bash('true', {
      argspec: key,
      triggers: [{ job: 'source', args: { key: 'run.result.value' } }],
    }),
    off: bash('true', { enabled: false, triggers: [{ job: 'source' }] }),
    lost: bash('true', { triggers: [{ job: 'no/such' }] }),
    source: bash('flwd_result \'{"secret": "other"}\''),
    ping: bash('true', { triggers: [{ job: 'pong' }] }),
    pong: bash('true', { triggers: [{ job: 'ping' }] }),
    parent: {
      'config.yaml': JSON.stringify({ steps: [{ id: 'one', job: 'child' }], triggers: [{ job: 'child' }] }),
    },
    child: bash('true'),
    crowd: bash('true'),
    ...Object.fromEntries(
      ['one', 'two', 'three'].map((name) => [name, bash('true', { triggers: [{ job: 'crowd' }] })]),
    ),
    last: bash('true', { triggers: [{ job: 'one' }] }),
  },
});
afterAll(() => server.close());

type Result = {
  readonly result: string;
  readonly after_run: string;
  readonly run_id: string | null;
  readonly problem: string | null;
  readonly detail: string | null;
};
type Trigger = { readonly id: string; readonly job_id: string; readonly last_result: Result | null };

async function read<T>(path: string, on: Serving = server, headers: Readonly<Record<string, string>> = {}): Promise<T> {
  const answer: T = JSON.parse(await (await on.fetch(path, { headers })).text());
  return answer;
}
async function run(jobId: string, body: object = {}): Promise<string> {
  const answer: RunAnswer = JSON.parse(
    await (await server.post('/runs', { job_id: jobId, async: false, ...body })).text(),
  );
  return answer.run_id;
}
const runsOf = async (jobId: string) =>
  (await read<{ runs: RunAnswer[] }>(`/runs?job_id=${jobId}&limit=100`)).runs.toReversed();
const triggerOf = async (jobId: string) => {
  const { triggers } = await read<{ triggers: Trigger[] }>(`/triggers?job_id=${jobId}`);
  if (!triggers[0]) throw new Error(`${jobId} has no trigger`);
  return triggers[0];
};
const resultsOf = async (jobId: string, headers = {}) =>
  (await read<{ results: Result[] }>(`/triggers/${(await triggerOf(jobId)).id}/results`, server, headers)).results;

test('when a run ends, the next job starts in its tenant, with arguments from its result', async () => {
  const after = await run('etl/load', { args: { rows: 7 }, tenant: 'acme' });
  await expect.poll(() => runsOf('report')).toHaveLength(1);
  const [started] = await runsOf('report');
  const { id } = await triggerOf('report');
  await expect.poll(async () => (await read<RunAnswer>(`/runs/${started?.run_id}`)).status).toBe('success');
  expect(await read(`/runs/${started?.run_id}`)).toMatchObject({
    tenant: 'acme',
    args: { rows: 7 },
    created_by: `trigger:${id}`,
    trigger: { type: 'job_ended', trigger_id: id, run_id: after, chain: 1 },
  });
  expect(await resultsOf('report')).toEqual([
    {
      at: expect.any(String),
      result: 'started',
      after_run: after,
      path: null,
      run_id: started?.run_id,
      problem: null,
      detail: null,
    },
  ]);
  expect(await triggerOf('report')).toMatchObject({
    job: 'etl/load',
    job_exists: true,
    on: ['success'],
    if: 'run.result.value.rows > 0',
    denied: null,
    last_result: { result: 'started' },
  });
  const { entries } = await read<{ entries: object[] }>(`/audit?object=${started?.run_id}`);
  expect(entries).toMatchObject([
    {
      actor: { kind: 'trigger' },
      action: 'run.create',
      tenant: 'acme',
      detail: { trigger: 'job_ended', after_run: after },
    },
  ]);

  const acme = await server.token({ tenant: 'acme', scopes: ['runs:read'] });
  const other = await server.token({ tenant: 'other', scopes: ['runs:read'] });
  expect(await resultsOf('report', acme.headers)).toHaveLength(1);
  expect(await resultsOf('report', other.headers)).toEqual([]);
  const blind = await server.token({ tenant: 'acme', scopes: ['jobs:read'] });
  const { triggers } = await read<{ triggers: Trigger[] }>('/triggers?job_id=report', server, blind.headers);
  expect(triggers).toMatchObject([{ last_result: null }]);
});

test('`if` and `on` decide which ends of runs count', async () => {
  const before = (await runsOf('report')).length;
  const failed = await run('etl/load', { args: { rows: -1 } });
  await run('etl/load', { args: { rows: 0 } });
  await run('etl/load', { args: { rows: 1 } });
  await expect.poll(() => runsOf('report')).toHaveLength(before + 1);
  const alarms = await runsOf('alarm');
  expect(alarms).toHaveLength(1);
  expect(await read(`/runs/${alarms[0]?.run_id}`)).toMatchObject({
    args: { status: 'exit', by: 'local' },
    trigger: { run_id: failed },
  });
});

test('a start that is refused is recorded with the reason', async () => {
  const after = await run('source');
  for (const jobId of ['wrong', 'takesKey', 'off']) await expect.poll(() => resultsOf(jobId)).toHaveLength(1);
  expect(await resultsOf('wrong')).toMatchObject([
    { result: 'refused', after_run: after, run_id: null, problem: 'validation-error' },
  ]);
  expect((await resultsOf('wrong'))[0]?.detail).toContain('no_such_member');
  expect((await resultsOf('takesKey'))[0]?.detail).toContain('cannot name a stored secret');
  expect(await resultsOf('off')).toMatchObject([{ result: 'refused', problem: 'job-invalid' }]);
  for (const jobId of ['wrong', 'takesKey', 'off']) expect(await runsOf(jobId)).toEqual([]);
  expect(await triggerOf('lost')).toMatchObject({ job: 'no/such', job_exists: false, last_result: null });
  const missing = await server.fetch('/triggers/trigger_x/results');
  expect([missing.status, await missing.json()]).toMatchObject([
    404,
    { type: expect.stringMatching(/trigger-not-found$/) },
  ]);
});

test('a circular chain of triggers ends after eight triggers, and the reason names its jobs', async () => {
  await run('ping');
  const ends = async () =>
    [...(await resultsOf('ping')), ...(await resultsOf('pong'))].filter((one) => one.run_id === null);
  await expect.poll(ends).toHaveLength(1);
  expect((await runsOf('ping')).length + (await runsOf('pong')).length).toBe(9);
  const [end] = await ends();
  expect(end).toMatchObject({ result: 'refused', problem: 'trigger-chain-too-long' });
  expect(end?.detail).toContain('ping → pong → ping → pong → ping → pong → ping → pong → ping → pong');
});

test('a circular chain through a sub-run ends as well', async () => {
  const first = await run('parent');
  await expect.poll(async () => (await resultsOf('parent'))[0]?.problem).toBe('trigger-chain-too-long');
  const runs = await runsOf('parent');
  expect(runs).toHaveLength(9);
  expect(await read(`/runs/${runs[8]?.run_id}`)).toMatchObject({ trigger: { chain: 8, first_run_id: first } });
});

test('at most 10,000 runs follow from one run, and the log has one line about those that were refused', async () => {
  const first = await server.addRun({ jobId: 'crowd' }, 'claim');
  const others = { run_id: first.id, runs: 9_998, refusals: 0 };
  await server.store.db.transact((tx) => tx.db.insertInto('trigger_chains').values(others).execute());
  await first.finish();

  const results = async () => (await Promise.all(['one', 'two', 'three', 'last'].map((job) => resultsOf(job)))).flat();
  await expect.poll(async () => (await server.store.triggers.chain(first.id)).refusals).toBe(2);
  expect(await server.store.triggers.chain(first.id)).toEqual({ runs: 10_000, refusals: 2 });
  const started = (await results()).filter(({ result }) => result === 'started');
  expect(started.map(({ after_run: after }) => after)).toEqual([first.id, first.id]);
  expect(await read(`/runs/${started[0]?.run_id}`)).toMatchObject({ trigger: { chain: 1, first_run_id: first.id } });
  const detail = `10,000 runs have followed from ${first.id} of crowd through triggers, and no more may follow: give one of these triggers an \`if\`, or remove it.`;
  const refused = (await results()).filter(({ result }) => result === 'refused');
  expect(refused).toMatchObject([1, 2].map(() => ({ problem: 'trigger-chain-too-long', detail })));
  expect(warnings.filter((line) => line.startsWith(first.id))).toEqual([
    `${first.id} a trigger could not start its run: ${detail}`,
  ]);
});

test('triggers by files or checks start nothing for an untrusted source that may not have schedules', async () => {
  const triggers = [{ files: '/usr' }, { check: './run.sh' }];
  const source = { name: 'team', mountPath: 'team', trusted: false, jobs: { sees: bash('exit 75', { triggers }) } };
  const mayUse = {
    secrets: [],
    schedules: true,
    webhooks: false,
    notify: false,
    calls: 'own',
    triggers: 'own',
    kv: [],
  } as const;
  await using untrusted = await startServing({ executes: true, sources: [source] });
  const list = async (on: Serving) =>
    (await read<{ triggers: { type: string }[] }>('/triggers', on)).triggers.toSorted((a, b) =>
      a.type > b.type ? -1 : 1,
    );
  const why = /^The job 'team\/sees' has a trigger .* not trusted: set `schedules: true` for the source/;
  const denied = { type: expect.stringMatching(/source-untrusted$/), detail: expect.stringMatching(why) };
  const neither = ['files', 'check'].map((type) => ({ type, denied, last_look: null }));
  expect(await list(untrusted)).toMatchObject(neither);
  // The refusal is shown even while triggers are paused, because ending the pause would not help.
  await using paused = await startServing({ sources: [source], triggersPaused: true });
  expect(await list(paused)).toMatchObject(neither);
  await using allowed = await startServing({ executes: true, sources: [{ ...source, mayUse }] });
  await expect
    .poll(() => list(allowed))
    .toMatchObject([
      { denied: null, last_look: { problem: null } },
      { denied: null, last_look: { problem: null } },
    ]);
});

test('only callers of the default tenant see what a check has printed', async () => {
  const fails = bash('true', { triggers: [{ check: './check.sh', every: '5s' }] });
  const jobs = { fails: { ...fails, 'check.sh': 'echo "customer 4711" >&2; exit 3' } };
  await using own = await startServing({ executes: true, jobs });
  const looks = async (headers = {}) =>
    (await read<{ triggers: { last_look: object | null }[] }>('/triggers', own, headers)).triggers.map(
      ({ last_look: look }) => look,
    );
  await expect.poll(looks).toMatchObject([{ problem: expect.stringContaining('customer 4711') }]);
  for (const [tenant, sees] of [
    ['default', true],
    ['*', true],
    ['other', false],
  ] as const) {
    const { headers } = await own.token({ tenant, scopes: ['jobs:read', 'runs:read'] });
    expect((await looks(headers)).map((look) => look !== null)).toEqual([sees]);
  }
});

test('a run that ends while its job is invalid still fires triggers', async () => {
  const follows = bash('true', { triggers: [{ job: 'first' }] });
  const first = bash('until [[ -e go ]]; do sleep 0.1; done');
  const late = await startServing({ executes: true, jobs: { first, next: follows } });
  const started: RunAnswer = JSON.parse(await (await late.post('/runs', { job_id: 'first' })).text());
  const status = async () => (await read<RunAnswer>(`/runs/${started.run_id}`, late)).status;
  await expect.poll(status).toBe('running');
  await writeFile(join(late.root, 'jobs/first/config.yaml'), 'command: [');
  await expect.poll(async () => (await late.fetch('/jobs/first')).status).toBe(422);
  expect(await status()).toBe('running');
  await writeFile(join(late.root, 'data/runs', started.run_id, 'workspace/go'), '');
  await expect.poll(async () => (await read<{ total: number }>('/runs?job_id=next', late)).total).toBe(1);
  await late.close();
});

test('a trigger fires only for runs that end after it was first read', async () => {
  const late = await startServing({ executes: true, jobs: { first: bash('true'), next: bash('true') } });
  const start = () => late.post('/runs', { job_id: 'first', async: false });
  await start();
  const sequences = () =>
    late.store.db.read.selectFrom('sequences').selectAll().where('name', '=', 'triggers').execute();
  expect(await sequences()).toEqual([]);
  const write = (triggers: readonly object[]) =>
    writeFile(join(late.root, 'jobs/next/config.yaml'), JSON.stringify({ command: './run.sh', triggers }));
  const count = async () => (await read<{ total: number }>('/runs?job_id=next', late)).total;
  await write([{ job: 'first' }]);
  await expect.poll(sequences).toHaveLength(1);
  await start();
  await expect.poll(count).toBe(1);
  await write([]);
  await expect.poll(sequences).toEqual([]);
  await start();
  await write([{ job: 'first' }]);
  await expect.poll(sequences).toHaveLength(1);
  await start();
  await expect.poll(count).toBe(2);
  await late.close();
});
