// A server whose flwd.yaml pauses triggers and webhooks, as for a restored copy of an instance.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { AnswerOf } from '../../src/contract/operations.ts';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { createFolder, flwd } from './terminal.ts';

const reason = 'scheduler.triggers_paused in flwd.yaml pauses all triggers and webhooks';

test('a server with paused triggers starts nothing by itself, and starts runs again when the pause ends', async () => {
  const folder = createFolder();
  mkdirSync(join(folder, 'in'));
  const jobs = {
    source: bash('true'),
    after: bash('true', { triggers: [{ job: 'source' }] }),
    file: bash('true', { permissions: { read: [folder] }, triggers: [{ files: join(folder, 'in'), settle: '0s' }] }),
    check: {
      ...bash('true', { triggers: [{ check: './check.sh', every: '5s' }] }),
      'check.sh': 'exit 75',
    },
  };
  const security = { paths: [folder], profiles: { secure: { may_grant: ['read'] } } };
  const { dir, serve } = await createInstance(jobs, { security });
  const startedBy = async (server: Awaited<ReturnType<typeof serve>>, trigger: string) =>
    (await server.json<AnswerOf<'listRuns'>>(`/runs?trigger=${trigger}`)).runs;
  const listed = async (server: Awaited<ReturnType<typeof serve>>) =>
    (await server.json<AnswerOf<'listTriggers'>>('/triggers')).triggers;

  const first = await serve();
  await expect.poll(async () => (await listed(first)).filter((one) => one.last_look?.problem === null).length).toBe(2);
  const made = await flwd(dir, 'webhooks', 'add', 'source', '--json');
  const { hook }: { hook: string } = JSON.parse(made.stdout);
  const deliver = (url: string, address = hook) => fetch(url + address, { method: 'POST' });
  expect((await deliver(first.url)).status).toBe(202);
  await expect.poll(async () => (await startedBy(first, 'job_ended')).length).toBe(1);
  await first.stop();

  await createInstance(jobs, { security, scheduler: { triggers_paused: true } }, dir);
  const paused = await serve();
  writeFileSync(join(folder, 'in', 'order.csv'), 'one');
  const refused = await deliver(paused.url);
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({ detail: `${reason}.` });
  expect((await deliver(paused.url, '/hooks/no/such')).status).toBe(404);
  await paused.run('source');
  expect((await listed(paused)).map(({ denied }) => denied?.detail)).toEqual(Array(3).fill(`${reason}.`));
  expect(await (await paused.fetch('/health')).json()).toMatchObject({
    checks: { schedules: { status: 'ok' }, triggers: { status: 'degraded', detail: reason } },
  });
  for (const listing of ['triggers', 'webhooks'])
    expect((await flwd(dir, listing)).stdout).toMatch(new RegExp(`  paused +${reason}`));
  expect((await flwd(dir, 'doctor')).stdout).toContain(reason);
  expect((await listed(paused)).map(({ last_look: look }) => look)).toEqual([null, null, null]);
  await paused.stop();

  await createInstance(jobs, { security }, dir);
  const beganMs = Date.now();
  const again = await serve();
  await expect.poll(async () => (await startedBy(again, 'job_ended')).length).toBe(2);
  await expect.poll(async () => (await startedBy(again, 'file')).length).toBe(1);
  const late = [...(await startedBy(again, 'job_ended')).slice(0, 1), ...(await startedBy(again, 'file'))];
  for (const { created_at: at } of late) expect(Date.parse(at)).toBeGreaterThanOrEqual(beganMs);
  await again.stop();
});
