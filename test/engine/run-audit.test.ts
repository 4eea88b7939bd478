import { expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { caller, dataFolder, openEngine } from './an-engine.ts';
import { openClocked, scheduled } from './schedule-fixture.ts';

test('the audit log names the schedule for runs that it started and for runs that policy refused', async () => {
  const jobs = {
    allowed: scheduled({ cron: '0 3 * * *' }),
    refused: bash('true', { security_profile: 'disabled', schedules: [{ cron: '0 3 * * *' }] }),
  };
  const opened = await openClocked(dataFolder(), '2026-01-31T02:59:00Z', { jobs });
  await opened.at('2026-01-31T03:00:00Z');
  await expect
    .poll(async () => (await opened.store.audit.list({ action: 'run.create', limit: 10 })).entries)
    .toHaveLength(2);
  const { entries } = await opened.store.audit.list({ action: 'run.create', limit: 10 });
  expect(entries.toSorted((a, b) => (a.result < b.result ? -1 : 1))).toMatchObject([
    {
      actor: { kind: 'schedule', name: expect.stringMatching(/^schedule:./) },
      from: null,
      object: { kind: 'run', id: expect.stringMatching(/^run_/) },
      result: 'done',
      detail: { job_id: 'allowed', trigger: 'schedule' },
    },
    {
      actor: { kind: 'schedule' },
      object: { kind: 'run', id: null },
      result: 'refused',
      reason: 'profile-not-allowed',
      detail: { job_id: 'refused', profile: 'disabled', profile_from: 'job', trigger: 'schedule' },
    },
  ]);
});

test('a run that was not added, because its transaction failed, has no audit entry', async () => {
  const opened = await openEngine(dataFolder(), { jobs: { quick: bash('true') } });
  Object.assign(opened.store.idempotency, { add: () => Promise.reject(new Error('refused')) });
  await expect(opened.engine.createRun({ job_id: 'quick' }, caller, 'key-1')).rejects.toMatchObject({
    slug: 'execution-error',
  });
  expect(await opened.store.runs.list({ limit: 10 })).toMatchObject({ total: 0 });
  expect(await opened.store.audit.list({ limit: 10 })).toMatchObject({ total: 0 });
});

test('a plan that is denied shows the profile that was asked for, and only the grants that were allowed', async () => {
  const { engine } = await openEngine(dataFolder(), {
    jobs: {
      bare: bash(':', { security_profile: 'disabled' }),
      reads: bash(':', { permissions: { network: 'all', read: ['/etc/ssl', '/root'], write: ['/var'] } }),
    },
  });
  const type = (slug: string) => ({ type: `https://flowd.org/problems/${slug}` });
  expect(await engine.plan({ job_id: 'bare' }, caller)).toMatchObject({
    security: { profile: 'disabled' },
    denied: type('profile-not-allowed'),
    grants: [],
  });
  expect(await engine.plan({ job_id: 'reads' }, caller)).toMatchObject({
    security: { profile: 'secure' },
    denied: type('grant-not-allowed'),
    grants: [{ kind: 'read', path: '/etc/ssl' }],
  });
  expect(await engine.plan({ job_id: 'reads', security_profile: 'permissive' }, caller)).toMatchObject({
    security: { profile: 'permissive' },
    denied: type('profile-not-allowed'),
    grants: [],
  });
});
