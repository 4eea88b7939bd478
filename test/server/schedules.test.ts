// Schedules over HTTP: those of a config.yaml, those made by the API, errors in a body, and the preview.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { startServing, type TestTokenOptions } from './serving.ts';

type Fire = { readonly nominal_at: string; readonly local: string };
type Schedule = {
  readonly id: string;
  readonly job_id: string;
  readonly source: string;
  readonly next_fires: readonly Fire[];
  readonly updated_at: string;
};
type List = {
  readonly schedules: readonly Schedule[];
  readonly total: number;
  readonly next_cursor: string | null;
  readonly pauses: readonly unknown[];
  readonly may_pause: boolean;
};

const args = [
  { name: 'target', required: true },
  { name: 'keep', type: 'integer' },
  { name: 'token', format: 'secret' },
];
const server = await startServing({
  jobs: {
    backup: bash('true', {
      args,
      schedules: [{ cron: '30 2 * * *', timezone: 'Europe/Berlin', args: { target: '/a' } }],
    }),
    plain: bash('true'),
    keyed: bash('true', { env: { KEY: { secret: 'key' } } }),
    edited: bash('true', { schedules: [{ cron: '0 4 * * *' }] }),
    held: bash('true', { schedules: [{ cron: '0 4 * * *', held: true }] }),
    broken: { 'config.yaml': 'command: [' },
  },
  aliases: [{ from: 'plain', to: 'simple' }],
});
afterAll(() => server.close());

const send = (method: string, path: string, body: unknown) =>
  server.fetch(path, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
const list = async (query = ''): Promise<List> => JSON.parse(await (await server.fetch(`/schedules${query}`)).text());
const make = async (body: Readonly<Record<string, unknown>>): Promise<Schedule> =>
  JSON.parse(await (await server.post('/schedules', { job_id: 'plain', cron: '0 3 * * *', ...body })).text());
const problemOf = async (response: Response) => {
  const { type, status, errors }: { type: string; status: number; errors?: { pointer: string; message: string }[] } =
    JSON.parse(await response.text());
  return { slug: type.split('/').at(-1), status, errors: errors?.map((error) => `${error.pointer} ${error.message}`) };
};

describe('a schedule of a config.yaml', () => {
  test('is shown with its next times, and is read-only', async () => {
    const { schedules, total } = await list('?job_id=backup');
    expect(total).toBe(1);
    expect(schedules).toEqual([
      {
        id: expect.stringMatching(/^schedule_[0-9A-F]{26}$/),
        name: null,
        job_id: 'backup',
        tenant: 'default',
        source: 'job',
        defined_in: { source: expect.any(String), file: 'backup/config.yaml' },
        cron: '30 2 * * *',
        at: null,
        calendar: null,
        except: [],
        sentence: 'Every day at 02:30',
        timezone: 'Europe/Berlin',
        args: { target: '/a' },
        catch_up: 'none',
        jitter: '0s',
        enabled: true,
        held: false,
        paused: false,
        done: false,
        denied: null,
        missing_secrets: [],
        labels: {},
        next_fires: Array.from({ length: 3 }, () => ({
          nominal_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d0:00\.000Z$/),
          local: expect.stringMatching(/^\d{4}-\d\d-\d\dT0[23]:[03]0:00\+0[12]:00$/),
        })),
        clock_change: {
          at: expect.stringMatching(/^20\d\d-(03|10)-\d\dT01:00:00\.000Z$/),
          text: expect.stringMatching(/^Clocks go (forward|back) on .*02:30/),
        },
        last_run: null,
        last_fire: null,
        last_error: null,
        heartbeat: null,
        created_at: null,
        updated_at: null,
        created_by: null,
      },
    ]);
    const path = `/schedules/${schedules[0]?.id}`;
    expect(await (await server.fetch(path)).json()).toEqual(schedules[0]);
    const managed = { slug: 'source-managed', status: 409 };
    expect(await problemOf(await send('PUT', path, { job_id: 'plain', cron: '0 3 * * *' }))).toMatchObject(managed);
    expect(await problemOf(await server.fetch(path, { method: 'DELETE' }))).toMatchObject(managed);
  });

  test('can be held and released, and stays so when its file is read again', async () => {
    const [before] = (await list('?job_id=held')).schedules;
    expect(before).toMatchObject({ held: true, enabled: true, next_fires: [] });
    const path = `/schedules/${before?.id}`;
    const released = await server.post(`${path}/release`, { after: '2035-01-01T05:00:00+01:00' });
    expect(released.status).toBe(200);
    const next = [{ nominal_at: '2035-01-02T04:00:00.000Z' }, {}, {}];
    expect(await released.json()).toMatchObject({ id: before?.id, held: false, next_fires: next });
    const config = { command: './run.sh', schedules: [{ cron: '0 4 * * *', held: true, labels: { team: 'ops' } }] };
    await writeFile(join(server.root, 'jobs/held/config.yaml'), JSON.stringify(config));
    await expect.poll(() => list('?job_id=held')).toMatchObject({ schedules: [{ labels: { team: 'ops' } }] });
    expect(await (await server.fetch(path)).json()).toMatchObject({ held: false, next_fires: next });

    const held = await server.fetch(`${path}/hold`, { method: 'POST' });
    expect([held.status, await held.json()]).toMatchObject([200, { held: true, next_fires: [] }]);
    expect((await server.post(`${path}/release`, {})).status).toBe(200);
    const invalid = await problemOf(await server.post(`${path}/release`, { after: 'tomorrow', before: 1 }));
    expect(invalid).toMatchObject({ status: 400, errors: [expect.stringMatching(/^\/after /), expect.any(String)] });
    const gone = { slug: 'schedule-not-found', status: 404 };
    expect(await problemOf(await server.fetch('/schedules/x/hold', { method: 'POST' }))).toMatchObject(gone);
    expect(await problemOf(await server.post('/schedules/x/release', {}))).toMatchObject(gone);
  });

  test('is replaced by another schedule when the time in its file changes', async () => {
    const [before] = (await list('?job_id=edited')).schedules;
    const config = { command: './run.sh', schedules: [{ cron: '0 5 * * *', enabled: false }] };
    await writeFile(join(server.root, 'jobs/edited/config.yaml'), JSON.stringify(config));
    await expect
      .poll(() => list('?job_id=edited'))
      .toMatchObject({ schedules: [{ cron: '0 5 * * *', enabled: false, next_fires: [] }], total: 1 });
    expect((await server.fetch(`/schedules/${before?.id}`)).status).toBe(404);
  });
});

describe('a schedule created with the API', () => {
  test('can be found, replaced and deleted', async () => {
    const response = await server.post('/schedules', {
      job_id: 'simple',
      cron: '0 9 * * MON-FRI',
      timezone: 'America/New_York',
      catch_up: 'all',
      jitter: '90s',
      tenant: 'acme',
      name: 'Weekdays',
      labels: { team: 'ops' },
    });
    expect(response.status).toBe(201);
    const made: Schedule = JSON.parse(await response.text());
    expect(response.headers.get('location')).toBe(`/api/v1/schedules/${made.id}`);
    expect(made).toMatchObject({
      id: expect.stringMatching(/^schedule_[0-9A-Z]{26}$/),
      job_id: 'plain',
      tenant: 'acme',
      source: 'api',
      name: 'Weekdays',
      catch_up: 'all',
      jitter: '1m30s',
      labels: { team: 'ops' },
      created_by: 'local',
    });
    expect(made.next_fires.map(({ local }) => local.slice(11, 19))).toEqual(['09:00:00', '09:00:00', '09:00:00']);

    const replaced = await send('PUT', `/schedules/${made.id}`, { job_id: 'plain', cron: '0 9 * * *', enabled: false });
    expect(replaced.status).toBe(200);
    expect(await replaced.json()).toMatchObject({
      id: made.id,
      name: null,
      tenant: 'acme',
      timezone: 'UTC',
      catch_up: 'none',
      jitter: '0s',
      enabled: false,
      labels: {},
      next_fires: [],
      created_by: 'local',
    });

    const removed = await server.fetch(`/schedules/${made.id}`, { method: 'DELETE' });
    expect([removed.status, await removed.text()]).toEqual([204, '']);
    const gone = { slug: 'schedule-not-found', status: 404 };
    expect(await problemOf(await server.fetch(`/schedules/${made.id}`))).toMatchObject(gone);
    expect(await problemOf(await server.fetch(`/schedules/${made.id}`, { method: 'DELETE' }))).toMatchObject(gone);
    expect(await problemOf(await send('PUT', '/schedules/x', { job_id: 'plain', cron: '0 9 * * *' }))).toMatchObject(
      gone,
    );
  });

  test('is listed with filters and pages, sorted by job and id', async () => {
    const made = [];
    for (const tenant of ['paged', 'paged', 'paged']) made.push((await make({ tenant })).id);
    expect(await list('?tenant=paged')).toMatchObject({ total: 3, next_cursor: null });
    const first = await list('?tenant=paged&limit=2');
    expect(first.schedules.map(({ id }) => id)).toEqual(made.slice(0, 2));
    const second = await list(`?tenant=paged&limit=2&cursor=${first.next_cursor}`);
    expect(second).toMatchObject({ schedules: [{ id: made[2] }], total: 3, next_cursor: null });
    expect((await list('?tenant=paged&offset=2')).schedules.map(({ id }) => id)).toEqual(made.slice(2));
    expect((await list('?source=job')).schedules.map(({ job_id: id }) => id)).toEqual(['backup', 'edited', 'held']);
    expect((await list('?tenant=paged&enabled=false')).total).toBe(0);
    expect((await list('?job_id=simple')).total).toBe((await list('?job_id=plain')).total);
    expect(await problemOf(await server.fetch('/schedules?cursor=xx&limit=0'))).toMatchObject({ status: 400 });
    expect(await problemOf(await server.fetch('/schedules?cursor=xx'))).toMatchObject({ slug: 'validation-error' });
  });
});

describe('the preview of a schedule', () => {
  test('shows the next times in UTC and in local time, and stores nothing', async () => {
    const { total } = await list();
    const response = await server.post('/schedules/preview?fires=5', {
      job_id: 'plain',
      cron: '0 12 1 7 *',
      timezone: 'Europe/Berlin',
    });
    expect(response.status).toBe(200);
    const { next_fires: fires }: { next_fires: Fire[] } = JSON.parse(await response.text());
    expect(fires.map(({ nominal_at: at, local }) => `${at.slice(4)} ${local.slice(4)}`)).toEqual(
      Array.from({ length: 5 }, () => '-07-01T10:00:00.000Z -07-01T12:00:00+02:00'),
    );
    expect(new Set(fires.map(({ nominal_at: at }) => at)).size).toBe(5);
    expect((await list()).total).toBe(total);
  });

  test('has ten times by default, and at most 100', async () => {
    const preview = (query: string) =>
      server.post(`/schedules/preview${query}`, { job_id: 'plain', cron: '* * * * *' });
    expect(await (await preview('')).json()).toMatchObject({ next_fires: { length: 10 } });
    expect((await preview('?fires=101')).status).toBe(400);
  });
});

describe('all errors of a schedule are reported at once', () => {
  const invalid = {
    job_id: 'backup',
    cron: '61 * * * *',
    timezone: 'Mars/X',
    args: { keep: 'many', token: 'hunter2' },
    jitter: 'soon',
    labels: { nominal_at: 'x' },
  };
  const errors = [
    '/args/keep must be an integer, not a string',
    '/args/target `target` is missing',
    '/args/token must be a stored secret, {secret: name}: everyone can see the arguments of a schedule',
    '/cron is not a cron pattern: invalid value for minute: 61',
    '/jitter must be a duration such as `30s` or `1h30m`',
    '/labels/nominal_at is a label that flwd sets itself',
    '/timezone must be a time zone such as `Europe/Berlin`, not `Mars/X`',
  ];

  test.each([
    ['POST', '/schedules'],
    ['POST', '/schedules/preview'],
  ])('by %s %s, whether or not the body also violates the schema', async (method, path) => {
    const { total } = await list();
    const sorted = async (body: unknown) => {
      const { slug, errors } = await problemOf(await send(method, path, body));
      expect(slug).toBe('validation-error');
      return errors?.toSorted();
    };
    expect(await sorted(invalid)).toEqual(errors);
    expect(await sorted({ ...invalid, catch_up: 'some', more: 1 })).toEqual([
      ...errors.slice(0, 3),
      '/catch_up must be one of none, last, all',
      ...errors.slice(3, 6),
      '/more is not known',
      ...errors.slice(6),
    ]);
    expect((await list()).total).toBe(total);
  });

  test.each([
    [{ cron: '0 3 * * *' }, '/job_id is required'],
    [{ job_id: 'plain' }, ' a schedule needs `cron`, or `at` for a single time'],
    [{ job_id: 'plain', cron: '0 0 30 2 *' }, '/cron never fires: there is no such day'],
    [
      { job_id: 'plain', cron: '@noon' },
      expect.stringMatching(/^\/cron must be five fields such as `0 3 \* \* \*`, or one of /),
    ],
    [{ job_id: 'plain', cron: '0 3 * * *', jitter: '1d' }, '/jitter must be shorter than the 1d between two starts'],
    [{ job_id: 'plain', cron: 7 }, '/cron must be a string'],
  ])('%j', async (body, error) => {
    expect((await problemOf(await server.post('/schedules', body))).errors).toEqual([error]);
  });

  test.each([
    ['nowhere', 'job-not-found', 404],
    ['broken', 'job-invalid', 422],
  ])('a schedule for the job %s is refused with %s', async (jobId, slug, status) => {
    const body = { job_id: jobId, cron: '0 3 * * *' };
    expect(await problemOf(await server.post('/schedules', body))).toMatchObject({ slug, status });
  });
});

describe('single times, days and pauses', () => {
  test('a single time is shown as it was meant and survives a change, and a time that has passed is refused', async () => {
    const at = '2031-12-01T09:00:00+01:00';
    const made = await make({ cron: undefined, at, timezone: 'Europe/Berlin' });
    expect(made).toMatchObject({ cron: null, at, sentence: 'Once, on 1 December 2031 at 09:00', done: false });
    expect(made.next_fires).toEqual([{ nominal_at: '2031-12-01T08:00:00.000Z', local: at }]);
    const path = `/schedules/${made.id}`;
    expect(await (await send('PUT', path, { job_id: 'plain', at, name: 'x' })).json()).toMatchObject({ name: 'x' });
    const past = await problemOf(await server.post('/schedules', { job_id: 'plain', at: '2020-01-01T00:00:00Z' }));
    expect(past.errors).toEqual(['/at has passed: give a time in the future']);
    const changed = await problemOf(await send('PUT', path, { job_id: 'plain', at: '2020-01-01T00:00:00Z' }));
    expect(changed.errors).toEqual(['/at has passed: give a time in the future']);
    expect(await (await server.fetch(path)).json()).toMatchObject({ at: '2031-12-01T08:00:00+00:00', name: 'x' });
    const vague = await problemOf(await server.post('/schedules', { job_id: 'plain', at: '2031-12-01 09:00' }));
    expect(vague.errors).toEqual(['/at must be a time with an offset such as `2026-12-01T09:00:00+01:00`']);
    const two = await problemOf(await server.post('/schedules', { job_id: 'plain', at, cron: '0 3 * * *' }));
    expect(two.errors).toEqual(['/at `at` and `cron` must not be used together']);
    await server.fetch(path, { method: 'DELETE' });
  });

  test('excluded days are stored, and change the next times and the sentence', async () => {
    const days = { except: ['2031-01-02', '2031-01-03'], calendar: ['2031-01-01', '2031-01-02', '2031-01-04'] };
    const made = await make({ ...days, timezone: 'UTC' });
    expect(made).toMatchObject({
      ...days,
      sentence:
        'Every day at 03:00, only on 2031-01-01, 2031-01-02 and 2031-01-04, except on 2031-01-02 and 2031-01-03',
      next_fires: [{ local: '2031-01-01T03:00:00+00:00' }, { local: '2031-01-04T03:00:00+00:00' }],
    });
    const unknown = await problemOf(
      await server.post('/schedules', { job_id: 'plain', cron: '0 3 * * *', except: 'no-such' }),
    );
    expect(unknown.errors).toEqual([
      expect.stringContaining(
        '/except names a calendar that the server does not know, `no-such`: add it to scheduler.calendars in flwd.yaml, unless',
      ),
    ]);
    const far = { job_id: 'plain', cron: '* * * * *', calendar: ['9999-12-31'], except: '9998-12-31' };
    for (const path of ['/schedules', '/schedules/preview'])
      expect((await problemOf(await server.post(path, far))).errors).toEqual([
        '/calendar has a day more than 50 years ahead: `9999-12-31`; check its year',
        '/except has a day more than 50 years ahead: `9998-12-31`; check its year',
      ]);
    await server.fetch(`/schedules/${made.id}`, { method: 'DELETE' });
  });

  test('all schedules are paused and resumed, and /health says so', async () => {
    const checks = async () => (await server.fetch('/health')).json();
    expect(await checks()).toMatchObject({ checks: { schedules: { status: 'ok' } } });
    const paused = await server.post('/schedules/pause', {});
    expect(await paused.json()).toEqual({ tenant: '*', paused: true, by_operator: false });
    const { schedules } = await list();
    expect(schedules.length).toBeGreaterThan(0);
    for (const one of schedules) expect(one).toMatchObject({ paused: true, next_fires: [] });
    const detail = expect.stringMatching(/^all schedules have been paused by local since 20/);
    expect(await checks()).toMatchObject({ status: 'degraded', checks: { schedules: { status: 'degraded', detail } } });
    expect(await (await server.post('/schedules/resume', {})).json()).toMatchObject({ paused: false });
    expect((await list()).schedules.some(({ next_fires: fires }) => fires.length > 0)).toBe(true);
  });

  test('the list says what pauses the schedules, and names who paused them only to callers who may know', async () => {
    const pausesFor = async (o: TestTokenOptions) => {
      const { headers } = await server.token(o);
      const { pauses, may_pause }: List = JSON.parse(await (await server.fetch('/schedules', { headers })).text());
      return { pauses, may_pause };
    };
    const writer = { scopes: ['jobs:read', 'schedules:write'] } as const;
    expect(await pausesFor(writer)).toEqual({ pauses: [], may_pause: true });
    expect(await pausesFor({ scopes: ['jobs:read'] })).toEqual({ pauses: [], may_pause: false });
    expect(await pausesFor({ ...writer, only: ['plain'] })).toEqual({ pauses: [], may_pause: false });

    const mara = await server.token({ ...writer, tenant: 'default', name: 'mara' });
    await server.post('/schedules/pause', {}, mara.headers);
    await server.post('/schedules/pause', {});
    const since = expect.stringMatching(/^20/);
    const ofOne = { tenant: 'default', by_operator: false, by: 'mara', since, may_resume: true };
    const ofAll = { tenant: '*', by_operator: false, by: 'local', since, may_resume: true };
    expect(await list()).toMatchObject({ pauses: [ofOne, ofAll], may_pause: false });
    const hidden = { ...ofAll, by: null, may_resume: false };
    expect(await pausesFor({ ...writer, tenant: 'default' })).toEqual({ pauses: [ofOne, hidden], may_pause: false });
    expect(await pausesFor({ ...writer, tenant: 'beta' })).toEqual({ pauses: [hidden], may_pause: true });
    for (const body of [{ tenant: 'default' }, {}]) await server.post('/schedules/resume', body);
    expect(await list()).toMatchObject({ pauses: [], may_pause: true });

    await using operated = await startServing({ arePaused: true });
    const ofFile = { tenant: '*', by_operator: true, by: null, since: null, may_resume: false };
    expect(await (await operated.fetch('/schedules')).json()).toMatchObject({ pauses: [ofFile] });
  });
});

describe('the upcoming times of schedules', () => {
  type Fires = {
    readonly fires: readonly { readonly state: string; readonly local: string }[];
    readonly complete: boolean;
  };
  const fires = (query: string) => server.fetch(`/schedules/fires?job_id=backup${query}`);

  test('cover the next 24 hours by default', async () => {
    const found: Fires = JSON.parse(await (await fires('')).text());
    expect(found).toMatchObject({
      fires: [{ job_id: 'backup', state: 'upcoming', run: null, late: false }],
      frequent: [],
      complete: true,
    });
    expect(found.fires[0]?.local).toMatch(/T0[23]:[03]0:00\+0[12]:00$/);
  });

  test('can be requested for at most 31 days', async () => {
    const month = '&since=2026-01-01T00:00:00Z&until=2026-02-01T00:00:00Z';
    expect(await (await fires(month)).json()).toMatchObject({ fires: [], complete: true });
    expect(await problemOf(await fires('&since=2026-01-01T00:00:00Z&until=2026-02-02T00:00:00Z'))).toMatchObject({
      errors: ['?until must be at most 31 days after `since`'],
    });
    expect(await problemOf(await fires('&until=2020-01-01T00:00:00Z'))).toMatchObject({
      errors: ['?until must not be before `since`'],
    });
  });

  test('need the scope runs:read, because they lead to runs', async () => {
    const jobsOnly = await server.token({ scopes: ['jobs:read'] });
    const asked = (path: string) => server.fetch(path, { headers: jobsOnly.headers });
    expect((await asked('/schedules/fires')).status).toBe(403);
    expect((await asked('/schedules')).status).toBe(200);
  });
});

test('only a caller who may start runs sees which secrets of the job are not stored', async () => {
  const { id } = await make({ job_id: 'keyed' });
  const readers = await server.token({ scopes: ['jobs:read'] });
  const starters = await server.token({ scopes: ['jobs:read', 'runs:write'] });
  const seenBy = async ({ headers }: { readonly headers: Readonly<Record<string, string>> }) =>
    (await server.fetch(`/schedules/${id}`, { headers })).json();
  expect(await seenBy(starters)).toMatchObject({ missing_secrets: ['key'] });
  expect(await seenBy(readers)).toMatchObject({ missing_secrets: [] });
});

test('a schedule can be run now with its arguments, even while it is held', async () => {
  const held = await make({ job_id: 'backup', args: { target: '/now' }, labels: { team: 'ops' } });
  await server.fetch(`/schedules/${held.id}/hold`, { method: 'POST' });
  const again = { method: 'POST', headers: { 'idempotency-key': 'once' } };
  const response = await server.fetch(`/schedules/${held.id}/run`, again);
  expect(response.status).toBe(201);
  const { run_id: runId }: { run_id: string } = JSON.parse(await response.text());
  expect(await (await server.fetch(`/schedules/${held.id}/run`, again)).json()).toMatchObject({ run_id: runId });
  expect(await (await server.fetch(`/runs/${runId}`)).json()).toMatchObject({
    job_id: 'backup',
    args: { target: '/now' },
    trigger: { type: 'schedule' },
    created_by: 'local',
    labels: { team: 'ops', schedule_id: held.id },
  });
  expect(await (await server.fetch(`/schedules/${held.id}`)).json()).toMatchObject({ last_run: { run_id: runId } });
  const { entries }: { entries: unknown[] } = JSON.parse(await (await server.fetch(`/audit?object=${runId}`)).text());
  expect(entries).toMatchObject([{ action: 'run.create', result: 'done', detail: { trigger: 'schedule' } }]);
  const reader = await server.token({ scopes: ['schedules:write'] });
  const refused = await server.fetch(`/schedules/${held.id}/run`, { method: 'POST', headers: reader.headers });
  expect(refused.status).toBe(403);
  expect((await server.fetch('/schedules/x/run', { method: 'POST' })).status).toBe(404);
});

test('until the sources have been read, schedules are answered as not ready', async () => {
  await using unread = await startServing({ unread: true });
  expect((await unread.fetch('/schedules')).status).toBe(503);
});

test('a schedule shows the last run that it started, or why it could not start one', async () => {
  const minuteMs = 60_000;
  let offsetMs = 0;
  const schedules = [{ cron: '* * * * *' }];
  await using running = await startServing({
    executes: true,
    jobs: { often: bash('true', { schedules }), refused: bash('true', { schedules, security_profile: 'disabled' }) },
    clock: { now: () => Date.now() + offsetMs },
  });
  expect(await (await running.fetch('/schedules')).json()).toMatchObject({ total: 2 });
  offsetMs = minuteMs - (Date.now() % minuteMs) - 500;
  const instant = expect.stringMatching(/Z$/);
  await expect
    .poll(async () => (await running.fetch('/schedules')).json())
    .toMatchObject({
      schedules: [
        {
          job_id: 'often',
          last_fire: { nominal_at: instant, at: instant, run_id: expect.stringMatching(/^run_/) },
          last_error: null,
        },
        {
          job_id: 'refused',
          last_fire: null,
          last_error: {
            nominal_at: instant,
            at: instant,
            type: 'https://flowd.org/problems/profile-not-allowed',
            detail: expect.stringContaining('disabled'),
          },
        },
      ],
    });
});

test('a tenant may have 1,000 schedules with 64 KiB of arguments each', async () => {
  await using own = await startServing({
    jobs: { backup: bash('true', { args }) },
    server: { bodyLimitBytes: 262_144 },
  });
  const { headers } = await own.token({ tenant: 'many' });
  const yearly = { job_id: 'backup', cron: '0 0 1 1 *', args: { target: '/a' } };
  const large = await own.post('/schedules', { ...yearly, args: { target: 'x'.repeat(65_536) } }, headers);
  expect(await problemOf(large)).toMatchObject({
    status: 400,
    errors: [expect.stringContaining('/args the arguments of a schedule')],
  });
  for (let n = 0; n < 1_000; n += 50) {
    await Promise.all(Array.from({ length: 50 }, () => own.post('/schedules', yearly, headers)));
  }
  const refused = await problemOf(await own.post('/schedules', yearly, headers));
  expect(refused).toMatchObject({ status: 400, errors: [expect.stringContaining('1000 schedules')] });
  expect((await own.post('/schedules', yearly)).status).toBe(201);
});
