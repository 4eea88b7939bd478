// Schedules that are held, by their config.yaml or by a person, until somebody releases them.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { localPrincipal } from '../../src/domain/principal.ts';
import { dataFolder } from './an-engine.ts';
import { type Clocked, openClocked, scheduled } from './schedule-fixture.ts';

const start = '2026-06-01T00:00:30Z';
const hourly = (more: Readonly<Record<string, unknown>> = {}) => scheduled({ cron: '0 * * * *', ...more });

async function only({ engine }: Clocked) {
  const [view] = await engine.schedules.list(localPrincipal);
  if (!view) throw new Error('there is no schedule');
  const next = view.nextFires().map((atMs) => new Date(atMs).toISOString());
  return { id: view.schedule.id, isHeld: view.isHeld, next: next[0] };
}
const hold = async (one: Clocked) => one.engine.schedules.hold((await only(one)).id, localPrincipal);
const release = async (one: Clocked, after?: string) =>
  one.engine.schedules.release((await only(one)).id, after ? Date.parse(after) : undefined, localPrincipal);

test('a schedule that config.yaml holds starts runs once it is released, also after a restart and a change of the file', async () => {
  const root = dataFolder();
  const first = await openClocked(root, start, { jobs: { hourly: hourly({ held: true, catch_up: 'all' }) } });
  await first.at('2026-06-01T01:00:01Z');
  expect(await only(first)).toMatchObject({ isHeld: true, next: undefined });
  await first.at('2026-06-01T02:59:59Z');
  await release(first);
  expect(await only(first)).toMatchObject({ isHeld: false, next: '2026-06-01T03:00:00.000Z' });
  await first.at('2026-06-01T03:00:01Z');
  await first.close();

  const changed = { hourly: hourly({ held: true, labels: { team: 'ops' } }) };
  const again = await openClocked(root, '2026-06-01T03:30:00Z', { jobs: changed });
  await again.at('2026-06-01T04:00:01Z');
  expect(await again.fires('hourly')).toEqual(['2026-06-01T03:00Z', '2026-06-01T04:00Z']);
});

test('a held schedule stays held across a restart, and catches up on nothing when it is released', async () => {
  const root = dataFolder();
  const first = await openClocked(root, start, { jobs: { hourly: hourly({ catch_up: 'all' }) } });
  await first.at('2026-06-01T01:00:01Z');
  await hold(first);
  await first.at('2026-06-01T02:00:01Z');
  await first.close();
  const again = await openClocked(root, '2026-07-20T02:30:00Z');
  expect(await only(again)).toMatchObject({ isHeld: true, next: undefined });
  await release(again);
  await release(again);
  await again.at('2026-07-20T03:00:01Z');
  expect(await again.fires('hourly')).toEqual(['2026-06-01T01:00Z', '2026-07-20T03:00Z']);
});

test('a schedule stays held even if its job is invalid for months', async () => {
  const root = dataFolder();
  const jobs = { hourly: hourly() };
  const first = await openClocked(root, start, { jobs });
  await hold(first);
  await first.close();
  const config = join(root, 'jobs/hourly/config.yaml');
  await writeFile(config, 'command: [');
  await (await openClocked(root, '2026-08-01T00:00:30Z')).close();
  const again = await openClocked(root, '2026-08-02T00:00:30Z', { jobs });
  expect(await only(again)).toMatchObject({ isHeld: true });
});

test('a schedule can be released for times since a past instant, and no time that already has a run starts again', async () => {
  const one = await openClocked(dataFolder(), start, { jobs: { hourly: hourly() } });
  await one.at('2026-06-01T01:00:01Z');
  await hold(one);
  await one.at('2026-06-01T03:00:05Z');
  await release(one, '2026-06-01T00:59:00Z');
  await one.at('2026-06-01T03:00:06Z');
  expect(await one.fires('hourly')).toEqual(['2026-06-01T01:00Z', '2026-06-01T03:00Z']);
});

test('a schedule can be released for times after a future instant, even across a restart and a clock that is set back', async () => {
  const root = dataFolder();
  const first = await openClocked(root, start, { jobs: { hourly: hourly({ held: true }) } });
  await release(first, '2026-06-01T03:00:00Z');
  expect(await only(first)).toMatchObject({ isHeld: false, next: '2026-06-01T04:00:00.000Z' });
  await first.at('2026-06-01T02:00:01Z');
  await first.at('2026-06-01T01:30:00Z');
  await first.close();
  const again = await openClocked(root, '2026-06-01T01:59:59Z');
  for (const hour of [2, 3, 4, 5]) await again.at(`2026-06-01T0${hour}:00:01Z`);
  expect(await again.fires('hourly')).toEqual(['2026-06-01T04:00Z', '2026-06-01T05:00Z']);
});

test('a schedule that is held while it catches up starts no further run', async () => {
  const root = dataFolder();
  await (await openClocked(root, start, { jobs: { hourly: hourly({ catch_up: 'all' }) } })).close();
  const one = await openClocked(root, '2026-06-01T00:00:40Z');
  const { id } = await only(one);
  const catchingUp = one.at('2026-06-03T00:30:00Z');
  await expect.poll(async () => (await one.fires('hourly')).length, { interval: 1 }).toBeGreaterThan(0);
  await one.engine.schedules.hold(id, localPrincipal);
  const soFar = await one.fires('hourly');
  expect(soFar.length).toBeLessThan(48);
  await catchingUp;
  await one.at('2026-06-03T01:00:01Z');
  expect(await one.fires('hourly')).toEqual(soFar);
  await one.at('2026-06-03T01:30:00Z');
  await release(one);
  await one.at('2026-06-03T02:00:01Z');
  expect(await one.fires('hourly')).toEqual([...soFar, '2026-06-03T02:00Z']);
});

test('a disabled schedule stays disabled when it is released, and a held one stays held when it is enabled', async () => {
  const root = dataFolder();
  const first = await openClocked(root, start, { jobs: { hourly: hourly({ enabled: false }) } });
  await release(first, start);
  await first.at('2026-06-01T01:00:01Z');
  await hold(first);
  await first.close();
  const again = await openClocked(root, '2026-06-01T01:30:00Z', { jobs: { hourly: hourly() } });
  await again.at('2026-06-01T02:00:01Z');
  expect(await again.fires('hourly')).toEqual([]);
  await release(again);
  await again.at('2026-06-01T03:00:01Z');
  expect(await again.fires('hourly')).toEqual(['2026-06-01T03:00Z']);
});
