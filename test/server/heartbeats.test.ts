// The heartbeat of a schedule in the API: who may set it, and how much of it is shown.

import { afterAll, expect, test } from 'vitest';
import type { AnswerOf } from '../../src/contract/operations.ts';
import { bash } from '../support/jobs.ts';
import { startServing } from './serving.ts';

const yearly = '0 0 1 1 *';
const address = 'https://watch.example/ping/token-of-the-watch';
const ofFile = (heartbeat: unknown) => bash('true', { schedules: [{ cron: yearly, heartbeat }] });
const server = await startServing({
  jobs: { plain: bash('true'), watched: ofFile(address), bad: ofFile('ftp://watch.example') },
  sources: [
    {
      name: 'foreign',
      mountPath: 'foreign',
      trusted: false,
      mayUse: {
        secrets: [],
        schedules: true,
        webhooks: false,
        notify: false,
        calls: 'own',
        triggers: 'own',
        kv: [],
      },
      jobs: { pushed: ofFile(address), plain: bash('true') },
    },
    {
      name: 'heard',
      mountPath: 'heard',
      trusted: false,
      mayUse: { secrets: [], schedules: true, webhooks: false, notify: true, calls: 'own', triggers: 'own', kv: [] },
      jobs: { pushed: ofFile(address), secret: ofFile({ secret: 'watch' }) },
    },
  ],
});
afterAll(() => server.close());

const json = async <T>(response: Response): Promise<T> => JSON.parse(await response.text());
const list = async (jobId: string) => {
  const { schedules } = await json<AnswerOf<'listSchedules'>>(await server.fetch(`/schedules?job_id=${jobId}`));
  return schedules;
};
const terms = { job_id: 'plain', cron: yearly };
const put = (id: string, body: unknown, headers = {}) =>
  server.fetch(`/schedules/${id}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
const nothingYet = {
  last_success_at: null,
  last_called_at: null,
  last_failed_at: null,
  last_error: null,
  next_call_at: null,
};

test('the API shows only the origin of an address, or the name of the secret that contains it', async () => {
  const text = await (await server.fetch('/schedules')).text();
  expect(text).not.toContain('token-of-the-watch');
  const shown = { origin: 'https://watch.example', secret: null, ...nothingYet };
  expect(await list('watched')).toMatchObject([{ heartbeat: shown }]);
  expect((await list('bad')).length).toBe(0);

  const made = await server.post('/schedules', { ...terms, heartbeat: address });
  expect(made.status).toBe(201);
  const { id, heartbeat } = await json<AnswerOf<'getSchedule'>>(made);
  expect(heartbeat).toEqual(shown);
  // A change without a heartbeat keeps it, because nobody can read the address to send it again.
  expect(await json(await put(id, { ...terms, name: 'x' }))).toMatchObject({ name: 'x', heartbeat: shown });
  expect(await json(await put(id, { ...terms, heartbeat: { secret: 'watch' } }))).toMatchObject({
    heartbeat: { origin: null, secret: 'watch' },
  });
  expect(await json(await put(id, { ...terms, heartbeat: null }))).toMatchObject({ heartbeat: null });
});

test.each(['ftp://watch.example', 'https://user:password@watch.example', 'nowhere'])('%s is refused', async (to) => {
  const answer = await json(await server.post('/schedules', { ...terms, heartbeat: to }));
  expect(answer).toMatchObject({ status: 400, errors: [{ pointer: '/heartbeat' }] });
  expect(JSON.stringify(answer)).not.toContain('password@');
});

test('agents and limited tokens cannot set a heartbeat, and a change that omits the heartbeat keeps it', async () => {
  const limited = await server.token({ scopes: ['jobs:read', 'schedules:write'], only: ['plain'] });
  const refused = await server.post('/schedules', { ...terms, heartbeat: address }, limited.headers);
  expect(await json(refused)).toMatchObject({ status: 403, detail: expect.stringContaining('heartbeat') });
  expect((await server.post('/schedules', { ...terms, heartbeat: null }, limited.headers)).status).toBe(201);
  const { id } = await json<{ id: string }>(await server.post('/schedules', { ...terms, heartbeat: address }));
  const setsOwn = await put(id, { ...terms, heartbeat: 'https://elsewhere.example' }, limited.headers);
  expect(setsOwn.status).toBe(403);
  expect((await put(id, { ...terms, name: 'renamed' }, limited.headers)).status).toBe(403);
  expect(await json(await put(id, { ...terms, name: 'renamed' }))).toMatchObject({
    name: 'renamed',
    heartbeat: { origin: 'https://watch.example' },
  });
});

test('a job of an untrusted source has a heartbeat only if its source may notify, and may use the secret', async () => {
  const denied = { type: expect.stringContaining('source-untrusted') };
  expect(await list('foreign/pushed')).toMatchObject([{ denied, next_fires: [] }]);
  expect(await list('heard/secret')).toMatchObject([{ denied }]);
  expect(await list('heard/pushed')).toMatchObject([{ denied: null }]);
  const body = { job_id: 'foreign/plain', cron: yearly };
  expect(await json(await server.post('/schedules', { ...body, heartbeat: address }))).toMatchObject({
    status: 403,
    detail: expect.stringContaining('notify: true'),
  });
  expect((await server.post('/schedules', body)).status).toBe(201);
});
