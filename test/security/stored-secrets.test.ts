// Stored secrets over HTTP: they can be written and used, but never read, and each tenant has its own.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect } from 'vitest';
import { steps } from '../engine/step-jobs.ts';
import { startServing, type TestToken } from '../server/serving.ts';
import type { RunAnswer } from '../support/answers.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';

const test = testWith('bwrap');

const token = 'tok-Zq7!9 "x"\\é/Rw3=';
const secretText = { type: 'string', format: 'secret' };
const argspec = { type: 'object', properties: { token: secretText, to: { type: 'string' } } };
/** Prints its arguments in an encoding that redaction does not know. */
const rot13 = 'tr a-zA-Z n-za-mN-ZA-M';
const turned = (text: string) =>
  text.replaceAll(/[a-z]/gi, (c) => String.fromCharCode(c.charCodeAt(0) + (c.toLowerCase() < 'n' ? 13 : -13)));
const shows = `${rot13} < "$FLWD_SECRETS_DIR/token"`;

const server = await startServing({
  executes: true,
  jobs: {
    shows: bash(shows, { argspec }),
    strict: bash(shows, {
      argspec: { type: 'object', properties: { token: { ...secretText, pattern: '^tok-', maxLength: 30 } } },
    }),
    chosen: bash(shows, {
      argspec: { type: 'object', properties: { token: { ...secretText, enum: ['tok-one', 'tok-two'] } } },
    }),
    byDefault: bash(shows, {
      argspec: { type: 'object', properties: { token: { ...secretText, default: { secret: 'usual' } } } },
    }),
    environment: bash(`${rot13} <<< "$TOKEN"; ls "$FLWD_SECRETS_DIR"`, { env: { TOKEN: { secret: 'usual' } } }),
    scheduled: bash('true', { argspec, schedules: [{ cron: '0 3 * * *', args: { token: { secret: 'by-night' } } }] }),
    keyed: bash('true', { argspec, concurrency: { limit: 1, key: 'args["to" + "ken"]' } }),
    spills: bash(`cat "$FLWD_SECRETS_DIR"/*; echo "FLWD $FLWD_STEP_MAKE_HEADER"`, { argspec }),
    parent: steps(
      {
        argspec,
        steps: [
          { id: 'make', script: './make.sh' },
          { id: 'named', job: 'shows', args: { token: { secret: 'usual' } } },
          { id: 'passed', job: 'shows', args: { token: { from: 'args.token' } } },
          { id: 'output', job: 'shows', args: { token: { from: 'steps.make.outputs.header' } }, needs: ['make'] },
        ],
      },
      { make: 'echo "header=Bearer $(< "$FLWD_SECRETS_DIR/token")" >> "$FLWD_OUTPUT_FILE"' },
    ),
    leaksBelow: steps(
      {
        argspec,
        steps: [
          { id: 'make', script: './make.sh' },
          { id: 'sub', job: 'inner', args: { token: { from: '"Bearer " + args.token' } }, needs: ['make'] },
        ],
      },
      { make: 'true' },
    ),
    inner: bash('echo "inner $(cut -d" " -f2 "$FLWD_SECRETS_DIR/token")"', { argspec }),
    betrays: steps({ argspec, steps: [{ id: 'sub', job: 'shows', args: { to: { from: 'args.token' } } }] }),
    betraysAll: steps({ argspec, steps: [{ id: 'sub', job: 'shows', args: { to: { from: 'string(args)' } } }] }),
    betraysOne: steps({ argspec, steps: [{ id: 'sub', job: 'shows', args: { to: { from: 'args["to" + "ken"]' } } }] }),
  },
});
afterAll(() => server.close());

const put = (name: string, value: unknown, query = '', by?: TestToken) =>
  server.fetch(`/secrets/${name}${query}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json', ...by?.headers },
    body: JSON.stringify(typeof value === 'object' ? value : { value }),
  });
const remove = async (name: string, query = '', by?: TestToken) =>
  (await server.fetch(`/secrets/${name}${query}`, { method: 'DELETE', headers: by?.headers ?? {} })).status;
const list = async (query = '', by?: TestToken) =>
  JSON.parse(await (await server.fetch(`/secrets${query}`, { headers: by?.headers ?? {} })).text());
const names = async (query = '', by?: TestToken): Promise<string[]> =>
  (await list(query, by)).secrets.map(({ name }: { name: string }) => name);

async function run(jobId: string, args: unknown, more: object = {}): Promise<RunAnswer> {
  const response = await server.post('/runs', { job_id: jobId, args, async: false, ...more });
  const text = await response.text();
  expect(response.status, text).toBe(201);
  const answer: RunAnswer = JSON.parse(text);
  return answer;
}
const refusal = async (jobId: string, args: unknown, more: object = {}) => {
  const response = await server.post('/runs', { job_id: jobId, args, ...more });
  return JSON.parse(await response.text());
};
async function log(runId: string): Promise<string> {
  const answer = await server.fetch(`/runs/${runId}/logs`, { headers: { accept: 'text/plain' } });
  return (await answer.text()).replace(/\n$/, '');
}
/** Returns the sub-runs of a run by the step that started them. */
async function childrenOf({ run_id: parentId }: RunAnswer): Promise<Map<string, RunAnswer>> {
  const { runs }: { runs: RunAnswer[] } = JSON.parse(await (await server.fetch('/runs')).text());
  const children = new Map<string, RunAnswer>();
  for (const { run_id: runId } of runs) {
    const one: RunAnswer & { parent: { run_id: string; step_id: string } | null } = JSON.parse(
      await (await server.fetch(`/runs/${runId}`)).text(),
    );
    if (one.parent?.run_id === parentId) children.set(one.parent.step_id, one);
  }
  return children;
}

describe('a stored secret', () => {
  test('is listed with its name, author and time, and never with its value', async () => {
    const made = await put('registry', token);
    expect([made.status, await made.json()]).toEqual([
      201,
      {
        name: 'registry',
        tenant: 'default',
        created_at: expect.any(String),
        created_by: 'local',
        updated_at: expect.any(String),
        updated_by: 'local',
      },
    ]);
    const other = await server.token({ name: 'ci', scopes: ['secrets:write'] });
    const changed = await put('registry', 'another value', '', other);
    expect([changed.status, await changed.json()]).toMatchObject([200, { created_by: 'local', updated_by: 'ci' }]);
    const text = JSON.stringify(await list());
    expect(text).toContain('"registry"');
    expect(text).not.toMatch(/tok-|another|sealed|v2\./);
    expect((await server.fetch('/secrets/registry')).status).toBe(405);
    expect([await remove('registry'), await remove('registry')]).toEqual([204, 404]);
  });

  test('is listed in pages, by name', async () => {
    for (const name of ['c', 'a', 'b']) await put(name, 'some value', '?tenant=paged');
    expect(await names('?tenant=paged')).toEqual(['a', 'b', 'c']);
    const first = await list('?tenant=paged&limit=2');
    expect(first).toMatchObject({ secrets: [{ name: 'a' }, { name: 'b' }], total: 3 });
    expect(await names(`?tenant=paged&limit=2&cursor=${first.next_cursor}`)).toEqual(['c']);
    expect(await names('?tenant=paged&limit=1&offset=1')).toEqual(['b']);
    expect((await list('?cursor=%00')).errors).toMatchObject([{ pointer: '?cursor' }]);
  });

  test.each([
    ['short', 'abc', '/value', 'must have at least 4 bytes'],
    ['long', 'x'.repeat(65_537), '/value', 'must have at most 65536 bytes'],
    ['nul', 'nul\0within', '/value', 'must not contain a NUL character'],
    ['lone', 'lone\ud800', '/value', 'must be well-formed Unicode'],
    ['-x', 'some value', '', 'the name of a secret is up to 128 letters'],
    ['x'.repeat(129), 'some value', '', 'the name of a secret is up to 128 letters'],
    ['a%2Fb', 'some value', '', 'the name of a secret is up to 128 letters'],
    ['..%2Fescape', 'some value', '', 'the name of a secret is up to 128 letters'],
    ['number', { value: 12345678 }, '/value', 'must be a string'],
    ['more', { value: 'some value', also: 1 }, '/also', 'is not known'],
  ])('named %s is refused without its value in the answer', async (name, value, pointer, message) => {
    const response = await put(name, value, '?tenant=refused');
    const text = await response.text();
    expect([response.status, JSON.parse(text)]).toMatchObject([
      name === 'long' ? 413 : 400,
      name === 'long' ? {} : { errors: [{ pointer, message: expect.stringContaining(message) }] },
    ]);
    expect(text).not.toMatch(/within|lone\ud800|some value|12345678/);
    expect(await names('?tenant=refused')).toEqual([]);
  });

  test('can be listed and changed only with the scope, and rotation needs more rights', async () => {
    const reader = await server.token({ scopes: ['runs:write', 'jobs:read'] });
    const writer = await server.token({ scopes: ['secrets:write'] });
    const admin = await server.token({ scopes: ['admin'], tenant: 'acme' });
    const rotate = async (by: TestToken) => (await server.post('/secrets/rotate', {}, by.headers)).status;
    expect((await put('x', 'some value', '', reader)).status).toBe(403);
    expect((await list('', reader)).status).toBe(403);
    expect([await rotate(writer), await rotate(admin)]).toEqual([403, 403]);
  });

  test('of another tenant seems not to exist', async () => {
    const scopes = ['secrets:write', 'runs:write', 'jobs:read'] as const;
    const acme = await server.token({ scopes, tenant: 'acme' });
    const other = await server.token({ scopes, tenant: 'other' });
    await put('theirs', token, '', acme);
    expect(await names('', acme)).toEqual(['theirs']);
    expect(await list('?tenant=acme', other)).toMatchObject({ status: 403 });
    expect(await names('', other)).toEqual([]);
    expect((await put('theirs', 'some value', '?tenant=acme', other)).status).toBe(403);
    expect([await remove('theirs', '', other), await remove('theirs', '?tenant=acme', other)]).toEqual([404, 404]);
    expect(await names('?tenant=acme')).toEqual(['theirs']);
    expect(await refusal('shows', { token: { secret: 'theirs' } })).toMatchObject({ status: 422 });
    const planned = async (by: TestToken) => {
      const body = { job_id: 'shows', args: { token: { secret: 'theirs' } } };
      return (await server.post('/plans', body, by.headers)).json();
    };
    expect(await planned(acme)).toMatchObject({ denied: null });
    // A caller with only the scope jobs:read cannot use a plan to find out which secrets exist.
    expect(await planned(await server.token({ scopes: ['jobs:read'], tenant: 'acme' }))).toMatchObject({ status: 403 });
    expect(await planned(other)).toMatchObject({ denied: { type: expect.stringContaining('secret-unavailable') } });
    const ran = await run('shows', { token: { secret: 'theirs' } }, { tenant: 'acme' });
    expect(await log(ran.run_id)).toBe(turned(token));
  });

  test('is listed with the jobs that name it, wherever they do, and so are names that the tenant lacks', async () => {
    await put('usual', token);
    const { secrets, missing } = await list('?limit=1000');
    const usual = secrets.find(({ name }: { name: string }) => name === 'usual');
    expect(usual.used_by).toEqual(['byDefault', 'environment', 'parent']);
    expect(missing).toEqual([{ name: 'by-night', used_by: ['scheduled'] }]);
    const empty = await list('?tenant=without');
    expect(empty.missing.map(({ name }: { name: string }) => name)).toEqual(['by-night', 'usual']);
    const writer = await server.token({ scopes: ['secrets:write'] });
    const { secrets: seen, missing: unseen } = await list('', writer);
    expect([seen[0].used_by, unseen]).toEqual([null, null]);
    expect(await remove('usual')).toBe(204);
  });

  test('is in no file of the data dir in plain text', async () => {
    await put('resting', 'at-rest-9d1fe0c2');
    const dir = join(server.root, 'data');
    const files = readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isFile());
    expect(files.map(({ name }) => name)).toContain('flwd.db-wal');
    for (const { name } of files) {
      expect(readFileSync(join(dir, name)).includes('at-rest-9d1fe0c2'), name).toBe(false);
    }
  });
});

describe('{secret: name} as an argument', () => {
  test('gives the run the secret of the run’s tenant, and is shown redacted', async () => {
    await put('mine', token);
    const { run_id: runId, args } = await run('shows', { token: { secret: 'mine' } });
    expect(args).toEqual({ token: '[redacted]' });
    expect(await log(runId)).toBe(turned(token));
  });

  test('that does not exist is refused with its name, also in a plan', async () => {
    const refused = await refusal('shows', { token: { secret: 'nowhere' } });
    expect(refused).toMatchObject({
      type: 'https://flowd.org/problems/secret-unavailable',
      status: 422,
      detail: "There is no stored secret 'nowhere': store it with `flwd secrets set nowhere`.",
    });
    const plan = await (
      await server.post('/plans', { job_id: 'shows', args: { token: { secret: 'nowhere' } } })
    ).json();
    expect(plan).toMatchObject({
      denied: { type: 'https://flowd.org/problems/secret-unavailable', detail: expect.stringContaining("'nowhere'") },
      args: { token: '[redacted]' },
      secrets: ['token'],
      stored_secrets: ['nowhere'],
    });
  });

  test('is validated by the argspec, whose errors never repeat it', async () => {
    await put('right', 'tok-fits');
    await put('wrong', 'unfit-value-of-more-than-thirty-characters');
    expect(await run('strict', { token: { secret: 'right' } })).toMatchObject({ status: 'success' });
    const refused = await refusal('strict', { token: { secret: 'wrong' } });
    expect(refused).toMatchObject({
      status: 400,
      errors: [
        { pointer: '/args/token', message: 'must have at most 30 characters' },
        { pointer: '/args/token', message: 'must match the pattern "^tok-"' },
      ],
    });
    expect(JSON.stringify([refused, await refusal('chosen', { token: { secret: 'wrong' } })])).not.toContain('unfit');
  });

  test.each([
    ['a short value', { token: 'abc' }],
    ['a number', { token: 12_345_678 }],
    ['other members beside the name', { token: { secret: 'mine', also: 'x' } }],
    ['an invalid name', { token: { secret: '../x' } }],
  ])('with %s is an error of the argument', async (_, args) => {
    const refused = await refusal('shows', args);
    expect(refused).toMatchObject({ status: 400, errors: [{ pointer: '/args/token' }] });
    expect(JSON.stringify(refused)).not.toMatch(/12345678|abc/);
  });

  test('can be a default of the job, and the schema shows it as the author wrote it', async () => {
    await put('usual', 'usual-secret-value');
    const { run_id: runId, args } = await run('byDefault', {});
    expect([args, await log(runId)]).toEqual([{ token: '[redacted]' }, turned('usual-secret-value')]);
    const job = await (await server.fetch('/jobs/byDefault')).json();
    expect(job).toMatchObject({ args: { properties: { token: { default: { secret: 'usual' } } } } });
  });

  test('in a schedule is resolved when the schedule fires, and shown as it was written', async () => {
    const body = { job_id: 'shows', cron: '0 3 * * *', args: { token: { secret: 'later' } } };
    const made = await server.post('/schedules', body);
    expect([made.status, await made.json()]).toMatchObject([201, { args: { token: { secret: 'later' } } }]);
    const open = await server.post('/schedules', { ...body, args: { token: 'an-open-value' } });
    const text = await open.text();
    expect([open.status, text]).toEqual([400, expect.stringContaining('must be a stored secret')]);
    expect(text).not.toContain('an-open-value');
  });

  test('can also be in the environment of a job', async () => {
    const { run_id: runId, args } = await run('environment', {});
    expect([args, await log(runId)]).toEqual([{}, `${turned('usual-secret-value')}\nusual`]);
    const again = await server.post(`/runs/${runId}/rerun`, {});
    expect(again.status).toBe(201);
  });

  test('never becomes the name of a concurrency group, whatever the expression', async () => {
    expect(await run('keyed', { token })).toMatchObject({ status: 'success' });
  });
});

describe('a run keeps its own copy of a secret', () => {
  test('so a rerun works after the secret was removed, unless the rerun names the secret again', async () => {
    await put('brief', 'first-of-its-name');
    const { run_id: runId } = await run('shows', { token: { secret: 'brief' } });
    await put('brief', 'second-of-its-name');
    const rerun = async (body: unknown): Promise<string> => {
      const response = await server.post(`/runs/${runId}/rerun`, body);
      const { run_id: id }: { run_id: string } = JSON.parse(await response.text());
      await expect
        .poll(async () => JSON.parse(await (await server.fetch(`/runs/${id}`)).text()).status)
        .toBe('success');
      return log(id);
    };
    expect(await rerun({ args: { token: { secret: 'brief' } } })).toBe(turned('second-of-its-name'));
    await remove('brief');
    expect(await rerun({})).toBe(turned('first-of-its-name'));
    const anew = await server.post(`/runs/${runId}/rerun`, { args: { token: { secret: 'brief' } } });
    expect(anew.status).toBe(422);
  });
});

describe('a sub-run', () => {
  test('gets stored secrets, secret arguments and secret outputs, and reveals none of them', async () => {
    await put('usual', 'usual-secret-value');
    const parent = await run('parent', { token: 'the-parents-own-token' });
    expect(parent).toMatchObject({ status: 'success' });
    const logs: Record<string, string> = {};
    for (const [stepId, child] of await childrenOf(parent)) {
      expect(child.args).toEqual({ token: '[redacted]' });
      logs[stepId] = await log(child.run_id);
    }
    expect(logs).toEqual({
      named: turned('usual-secret-value'),
      passed: turned('the-parents-own-token'),
      output: turned('Bearer the-parents-own-token'),
    });
  });

  test('that gets a string made from a secret does not show the secret', async () => {
    const parent = await run('leaksBelow', { token: 'the-parents-own-token' });
    expect(parent).toMatchObject({ status: 'success' });
    const child = (await childrenOf(parent)).get('sub');
    expect(await log(child?.run_id ?? '')).toBe('inner [redacted]');
  });

  test('is not started with a secret in an argument that is not secret', async () => {
    const refused = await refusal('betrays', { token });
    expect(refused).toMatchObject({
      status: 422,
      detail: expect.stringContaining(
        "passes the secret argument 'token' to 'to' of 'shows', which is not a secret argument",
      ),
    });
  });

  test.each(['betraysAll', 'betraysOne'])('cannot get it through any expression either (%s)', async (jobId) => {
    const ended = await run(jobId, { token });
    const { runs } = JSON.parse(await (await server.fetch('/runs')).text());
    const text = JSON.stringify([ended, runs]);
    expect(text).not.toContain('tok-Zq7');
  });
});
