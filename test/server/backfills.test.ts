// Backfills over HTTP: the preview, refusals, what is shown, and the limits of their runs.

import { afterAll, describe, expect, test } from 'vitest';
import type { AnswerOf } from '../../src/contract/operations.ts';
import { jobScopes, type Scope } from '../../src/domain/principal.ts';
import { steps } from '../engine/step-jobs.ts';
import { bash } from '../support/jobs.ts';
import { startServing } from './serving.ts';

const argspec = { type: 'object', properties: { key: { type: 'string', format: 'secret' } } };
const nightly = [{ cron: '30 2 * * *', timezone: 'Europe/Berlin' }];
const closed = { secrets: [], webhooks: false, notify: false, calls: 'own', triggers: 'own', kv: [] } as const;
/** A job whose runs wait for an approval. */
const waiting = (more: object) => steps({ steps: [{ id: 'ok', approval: { text: 'Go on?' } }], ...more });
const server = await startServing({
  executes: true,
  jobs: {
    'reports/daily': waiting({ schedules: nightly }),
    'reports/keyed': waiting({ argspec }),
    often: bash('true', { schedules: [{ cron: '* * * * *' }] }),
    started: bash('true', { schedules: [{ cron: '@reboot' }] }),
    holidays: bash('true', { schedules: [{ cron: '0 3 * * *', calendar: 'no-such' }] }),
  },
  sources: [
    {
      name: 'foreign',
      mountPath: 'foreign',
      trusted: false,
      mayUse: { ...closed, schedules: false },
      jobs: { pushed: bash('true', { schedules: nightly }) },
    },
  ],
  retention: { runsMs: 400 * 86_400_000 },
});
afterAll(() => server.close());

type Headers = Readonly<Record<string, string>>;
type Backfill = AnswerOf<'getBackfill'>;
type Run = { readonly run_id: string; readonly created_by: string; readonly labels: Readonly<Record<string, string>> };

const json = async <T>(response: Response): Promise<T> => JSON.parse(await response.text());
const get = async <T>(path: string, headers: Headers = {}): Promise<T> => json(await server.fetch(path, { headers }));
const scheduleOf = async (jobId: string): Promise<string> =>
  (await get<AnswerOf<'listSchedules'>>(`/schedules?job_id=${jobId}`)).schedules[0]?.id ?? '';
const newSchedule = async (body: object, headers: Headers = {}): Promise<string> =>
  (await json<{ id: string }>(await server.post('/schedules', { cron: '0 3 * * *', ...body }, headers))).id;
const make = async (id: string, body: object, headers: Headers = {}): Promise<Response> =>
  server.post(`/schedules/${id}/backfills`, body, headers);
const preview = (id: string, body: object, headers: Headers = {}): Promise<Response> =>
  server.post(`/schedules/${id}/backfills/preview`, body, headers);
const runsOf = async (id: string): Promise<readonly Run[]> =>
  (await get<{ runs: Run[] }>(`/runs?label=backfill_id=${id}&trigger=backfill`)).runs;
const problemOf = async (response: Response) => {
  const { type, detail, errors } = await json<{ type: string; detail: string; errors?: readonly object[] }>(response);
  return { status: response.status, slug: type.split('/').at(-1), detail, errors };
};

const days = { from: '2026-10-24T00:00:00Z', until: '2026-10-27T00:00:00Z' };

test('a preview lists the times in the zone of the schedule, and stores nothing', async () => {
  const id = await scheduleOf('reports/daily');
  expect(await json(await preview(id, days))).toEqual({
    schedule_id: id,
    job_id: 'reports/daily',
    from: '2026-10-24T00:00:00.000Z',
    until: '2026-10-27T00:00:00.000Z',
    times: [
      { nominal_at: '2026-10-24T00:30:00.000Z', local: '2026-10-24T02:30:00+02:00' },
      { nominal_at: '2026-10-25T00:30:00.000Z', local: '2026-10-25T02:30:00+02:00' },
      { nominal_at: '2026-10-26T01:30:00.000Z', local: '2026-10-26T02:30:00+01:00' },
    ],
    left_out: 0,
    runs_known_since: null,
  });
  const old = { from: '2025-01-01T00:00:00Z', until: '2025-01-03T00:00:00Z' };
  expect(await json(await preview(id, old))).toMatchObject({ runs_known_since: expect.stringMatching(/^202/) });
  expect(await get('/backfills')).toEqual({ backfills: [], total: 0, next_cursor: null });
});

test('a backfill shows its progress, starts nothing after it was cancelled, and is listed in pages', async () => {
  const id = await scheduleOf('reports/daily');
  const response = await make(id, { ...days, at_once: 2 });
  expect(response.status).toBe(201);
  const made = await json<Backfill>(response);
  expect(response.headers.get('location')).toBe(`/api/v1/backfills/${made.id}`);
  expect(made).toEqual({
    id: expect.stringMatching(/^backfill_[0-9A-Z]{26}$/),
    schedule_id: id,
    job_id: 'reports/daily',
    tenant: 'default',
    from: '2026-10-24T00:00:00.000Z',
    until: '2026-10-27T00:00:00.000Z',
    at_once: 2,
    status: 'running',
    paused: false,
    in_span: 3,
    left_out: 0,
    started: 0,
    failed_runs: null,
    error: null,
    created_at: expect.stringMatching(/^20/),
    created_by: 'local',
    finished_at: null,
  });
  await expect.poll(() => get(`/backfills/${made.id}`)).toMatchObject({ started: 2, status: 'running' });
  expect((await runsOf(made.id)).map(({ labels }) => labels.nominal_at)).toEqual([
    '2026-10-25T00:30:00.000Z',
    '2026-10-24T00:30:00.000Z',
  ]);
  const cancel = await server.fetch(`/backfills/${made.id}/cancel`, { method: 'POST' });
  expect(await json(cancel)).toMatchObject({ status: 'cancelled', started: 2, finished_at: expect.any(String) });
  const again = await server.fetch(`/backfills/${made.id}/cancel`, { method: 'POST' });
  expect(await json(again)).toMatchObject({ status: 'cancelled' });

  const second = await json<Backfill>(await make(id, days));
  expect(second).toMatchObject({ in_span: 3, left_out: 2 });
  const first = await get<AnswerOf<'listBackfills'>>('/backfills?limit=1&job_id=reports/daily');
  expect(first).toMatchObject({ backfills: [{ id: second.id }], total: 2, next_cursor: expect.any(String) });
  const rest = await get<AnswerOf<'listBackfills'>>(`/backfills?limit=1&cursor=${first.next_cursor}`);
  expect(rest).toMatchObject({ backfills: [{ id: made.id }], total: 2, next_cursor: null });
  expect(await get('/backfills?offset=1')).toMatchObject({ backfills: [{ id: made.id }], next_cursor: null });
  expect((await server.fetch('/backfills?cursor=x')).status).toBe(400);
  const totalOf = async (query: string) => (await get<AnswerOf<'listBackfills'>>(`/backfills?${query}`)).total;
  expect(await totalOf(`schedule_id=${id}`)).toBe(2);
  expect(await totalOf('schedule_id=another')).toBe(0);
  expect(await totalOf(`schedule_id=${id}&status=cancelled`)).toBe(1);
  expect(await totalOf('status=failed')).toBe(0);
  expect((await server.fetch('/backfills?status=lost')).status).toBe(400);
});

describe('a backfill is refused', () => {
  const later = new Date(Date.now() + 3_600_000).toISOString();
  test.each([
    ['a time to come', 'often', { from: days.from, until: later }, '/until must not be in the future'],
    ['an empty span', 'often', { from: days.until, until: days.from }, '/from must be before `until`'],
    [
      'a span without a time',
      'reports/daily',
      { from: '2026-10-24T03:00:00Z', until: '2026-10-24T04:00:00Z' },
      '/from must be earlier, because the schedule has no time between it and `until`',
    ],
    [
      'too many times',
      'often',
      { from: '2026-10-24T00:00:00Z', until: '2026-10-25T00:00:00Z' },
      '/from is too early: 1440 times come before `until`, and one backfill may have at most 1000',
    ],
    [
      'far too many times',
      'often',
      { from: '2006-10-24T00:00:00Z' },
      '/from is too early: more than 5000 times come before `until`, and one backfill may have at most 1000',
    ],
    ['a start', 'started', days, ' `@reboot` has no times, so there is nothing to backfill: use `flwd schedules run`'],
  ])('for %s', async (_, jobId, body, words) => {
    const id = await scheduleOf(jobId);
    for (const ask of [preview, make]) {
      const { status, errors = [] } = await problemOf(await ask(id, body));
      expect({ status, errors }).toMatchObject({ status: 400, errors: [{}] });
      const [error]: readonly { readonly pointer?: string; readonly message?: string }[] = errors;
      expect(`${error?.pointer} ${error?.message}`).toBe(words);
    }
  });

  test('for a schedule with a single time, or one that may not start runs', async () => {
    const at = new Date(Date.now() + 86_400_000).toISOString();
    const made = await server.post('/schedules', { job_id: 'often', at });
    const { id } = await json<{ id: string }>(made);
    expect(await problemOf(await make(id, days))).toMatchObject({ status: 400 });
    const foreign = await make(await scheduleOf('foreign/pushed'), days);
    expect(await problemOf(foreign)).toMatchObject({ slug: 'source-untrusted' });
    const unknown = await make(await scheduleOf('holidays'), days);
    expect(await problemOf(unknown)).toMatchObject({ slug: 'job-invalid', detail: expect.stringContaining('no-such') });
  });

  test('if a tenant already has 20 backfills under way', async () => {
    const { headers } = await server.token({ scopes: ['schedules:write', 'runs:write'], tenant: 'crowded' });
    await server.post('/schedules/pause', {}, headers);
    const id = await newSchedule({ job_id: 'often' }, headers);
    for (let n = 0; n < 20; n += 1) expect((await make(id, days, headers)).status).toBe(201);
    const { status, errors } = await problemOf(await make(id, days, headers));
    expect({ status, errors }).toMatchObject({ status: 400, errors: [{ message: expect.stringContaining('20') }] });
  });
});

describe('a caller of a backfill', () => {
  test.each<[readonly Scope[], number]>([
    [['schedules:write'], 403],
    [['runs:write'], 403],
    [['schedules:write', 'runs:write'], 201],
  ])('with %j gets the status %i', async (scopes, status) => {
    const { headers } = await server.token({ scopes });
    expect((await make(await newSchedule({ job_id: 'often' }), days, headers)).status).toBe(status);
  });

  test('whose token is limited passes its limits on to the runs of a schedule without limits', async () => {
    const token = await server.token({ scopes: jobScopes, only: ['reports/**'], approval: 'always' });
    const id = await newSchedule({ job_id: 'reports/daily' });
    const made = await json<Backfill>(await make(id, days, token.headers));
    expect(made).toMatchObject({ created_by: token.name });
    await expect.poll(() => runsOf(made.id)).toHaveLength(1);
    const [run] = await runsOf(made.id);
    expect(run?.created_by).toBe(`schedule:${id}`);
    const steps = await get<{ steps: readonly { readonly step_id: string }[] }>(`/runs/${run?.run_id}`);
    expect(steps.steps.map(({ step_id: one }) => one)).toContain('agent_approval');
    expect((await make(await newSchedule({ job_id: 'often' }), days, token.headers)).status).toBe(404);
  });

  test('whose token is limited starts no runs with a secret that the token may not name', async () => {
    const value = JSON.stringify({ value: 'a value of the team' });
    const headers = { 'content-type': 'application/json' };
    await server.fetch('/secrets/team', { method: 'PUT', headers, body: value });
    const token = await server.token({ scopes: jobScopes, only: ['reports/**'], secrets: ['other'] });
    const id = await newSchedule({ job_id: 'reports/keyed', args: { key: { secret: 'team' } } });
    const made = await json<Backfill>(await make(id, days, token.headers));
    await expect.poll(() => get(`/backfills/${made.id}`)).toMatchObject({ status: 'failed', started: 0 });
    const own = await json<Backfill>(await make(id, days));
    await expect.poll(() => get(`/backfills/${own.id}`)).toMatchObject({ started: 1 });
  });

  test('whose token is limited cannot use the schedule of another limited caller, nor its own after being revoked', async () => {
    const [one, other] = [
      await server.token({ scopes: jobScopes, only: ['reports/**'] }),
      await server.token({ scopes: jobScopes, only: ['reports/**'] }),
    ];
    const id = await newSchedule({ job_id: 'reports/daily' }, one.headers);
    expect(await problemOf(await make(id, days, other.headers))).toMatchObject({ slug: 'permission-denied' });
    const made = await json<Backfill>(await make(id, days, one.headers));
    await expect.poll(() => runsOf(made.id)).toHaveLength(1);
    await server.fetch(`/tokens/${one.id}`, { method: 'DELETE' });
    const [run] = await runsOf(made.id);
    await server.fetch(`/runs/${run?.run_id}/cancel`, { method: 'POST' });
    await expect
      .poll(() => get(`/backfills/${made.id}`))
      .toMatchObject({
        status: 'failed',
        started: 1,
        error: { type: expect.stringContaining('permission-denied'), detail: expect.stringContaining('revoked') },
      });
    expect(await problemOf(await make(id, days))).toMatchObject({ slug: 'permission-denied' });
  });
});
