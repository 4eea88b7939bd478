// Schedules that name a start instead of times, and the time zone of those without one.

import { expect, test } from 'vitest';
import { localPrincipal } from '../../src/domain/principal.ts';
import { dataFolder } from './an-engine.ts';
import { type Clocked, openClocked, scheduled } from './schedule-fixture.ts';

const words = { server: scheduled({ cron: '@reboot' }), host: scheduled({ cron: '@boot' }) };
const counts = async ({ fires }: Clocked) => [(await fires('server')).length, (await fires('host')).length];
const boot = (one: Clocked, id: string) =>
  one.store.db.transact(async (tx) => {
    await tx.db
      .updateTable('instance')
      .set({ value: JSON.stringify({ id, seenAtMs: 0 }) })
      .where('name', '=', 'boot')
      .execute();
  });

test('@reboot fires at each start of the server, and @boot at the first start after each boot', async () => {
  const root = dataFolder();
  const first = await openClocked(root, '2026-06-01T00:00:30Z', { jobs: words });
  await first.at('2026-06-01T00:00:31Z');
  await first.at('2026-06-01T09:00:00Z');
  expect(await counts(first)).toEqual([1, 1]);
  await first.close();

  const second = await openClocked(root, '2026-06-01T10:00:00Z');
  // A server may read its sources for longer than a scheduled time may be late.
  await second.at('2026-06-01T10:05:00Z');
  expect(await counts(second)).toEqual([2, 1]);
  await boot(second, 'an earlier boot');
  await second.close();

  const third = await openClocked(root, '2026-06-02T10:00:00Z');
  await third.at('2026-06-02T10:00:01Z');
  expect(await counts(third)).toEqual([3, 2]);
});

test('a start that was missed because of a crash is caught up once', async () => {
  const root = dataFolder();
  const crashed = await openClocked(root, '2026-06-01T00:00:30Z', { jobs: words });
  expect(await counts(crashed)).toEqual([0, 0]);
  await crashed.close();
  const next = await openClocked(root, '2026-06-01T00:20:00Z');
  await next.at('2026-06-01T00:20:01Z');
  await next.at('2026-06-01T00:20:02Z');
  expect(await counts(next)).toEqual([1, 1]);
});

test('an @reboot or @boot schedule that is released later waits for the next start or boot', async () => {
  const root = dataFolder();
  const held = { server: scheduled({ cron: '@reboot', held: true }), host: scheduled({ cron: '@boot', held: true }) };
  const first = await openClocked(root, '2026-06-01T00:00:30Z', { jobs: held });
  await first.at('2026-06-01T00:01:00Z');
  const views = await first.engine.schedules.list(localPrincipal);
  for (const { schedule } of views) await first.engine.schedules.release(schedule.id, undefined, localPrincipal);
  await first.at('2026-06-01T00:02:00Z');
  expect(await counts(first)).toEqual([0, 0]);
  await first.close();
  const second = await openClocked(root, '2026-06-01T01:00:00Z');
  await second.at('2026-06-01T01:00:01Z');
  expect(await counts(second)).toEqual([1, 0]);
});

test('jitter delays a run of @reboot or @boot, too', async () => {
  const jobs = { server: scheduled({ cron: '@reboot', jitter: '1h' }), host: scheduled({ cron: '@boot' }) };
  const one = await openClocked(dataFolder(), '2026-06-01T00:00:00Z', { jobs });
  await one.walk('2026-06-01T01:00:10Z', 60_000);
  const { runs } = await one.store.runs.list({ jobId: 'server', limit: 10 });
  const [delayMs] = runs.map(({ created_at: at, labels }) => Date.parse(at) - Date.parse(labels.nominal_at ?? ''));
  expect(delayMs).toBeGreaterThan(1_000);
});

test('a schedule without a time zone uses that of the instance', async () => {
  const jobs = { own: scheduled({ cron: '@daily' }), other: scheduled({ cron: '@daily', timezone: 'Asia/Tokyo' }) };
  const one = await openClocked(dataFolder(), '2026-06-01T00:00:00Z', { jobs, timezone: 'Europe/Berlin' });
  await one.at('2026-06-01T15:00:01Z');
  await one.at('2026-06-01T22:00:01Z');
  expect(await one.fires('own')).toEqual(['2026-06-01T22:00Z']);
  expect(await one.fires('other')).toEqual(['2026-06-01T15:00Z']);
  const made = await one.engine.schedules.create({ job_id: 'own', cron: '0 3 * * *' }, localPrincipal);
  expect(made.schedule.timezone).toBe('Europe/Berlin');
});
