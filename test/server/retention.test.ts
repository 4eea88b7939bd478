// How clients notice retention: removed objects are reported as removed, and an admin can start a cleanup.

import { expect, test } from 'vitest';
import { startServing } from './serving.ts';

const hourMs = 3_600_000;
const later = Date.now() + 2 * hourMs;

test('a client that resumes before the oldest stored event gets 410, although the newest events are in memory', async () => {
  await using serving = await startServing({ retention: { eventsMs: hourMs }, nowMs: later });
  const run = await serving.addRun();
  await run.move('claim');
  await run.print('one');
  await run.finish();
  const latest = serving.hub.latestId;
  const answer = await serving.post('/system/gc', '');
  expect(answer.status).toBe(200);
  expect(JSON.parse(await answer.text())).toMatchObject({ done: true, removed: { events: latest, runs: 0, logs: 0 } });

  const expired = await serving.fetch('/events/runs', { headers: { 'last-event-id': '1' } });
  expect([expired.status, await expired.text()]).toEqual([410, expect.stringContaining('events-expired')]);
  const current = await serving.fetch('/events/runs', { headers: { 'last-event-id': String(latest) } });
  expect(current.status).toBe(200);
  await current.body?.cancel();
});

test('a page of a removed log says that the log was removed, and its stream ends', async () => {
  await using serving = await startServing({ retention: { logsMs: hourMs }, nowMs: later });
  const run = await serving.addRun();
  await run.move('claim');
  await run.print('one');
  await run.finish();
  const page = async (): Promise<unknown> => JSON.parse(await (await serving.fetch(`/runs/${run.id}/logs`)).text());
  expect(await page()).not.toHaveProperty('logs_expired');
  await serving.post('/system/gc', '');

  expect(await page()).toEqual({ logs: [], next_cursor: null, logs_expired: true });
  const stream = await serving.fetch(`/runs/${run.id}/logs?follow=true`);
  expect(await stream.text()).toContain('event: end');
});

test('a dry run removes nothing, so the audit log does not record it', async () => {
  await using serving = await startServing({ retention: { runsMs: hourMs, eventsMs: hourMs }, nowMs: later });
  const run = await serving.addRun();
  await run.move('claim');
  await run.print('one');
  await run.finish();
  const answer = await serving.post('/system/gc?dry_run=true', '');
  expect(JSON.parse(await answer.text())).toMatchObject({ done: true, removed: { runs: 1, logs: 1, events: 6 } });
  expect((await serving.fetch(`/runs/${run.id}`)).status).toBe(200);
  expect((await serving.post('/system/gc?dry=1', '')).status).toBe(400);

  await serving.post('/system/gc', '');
  const audit: { entries: { result: string }[] } = JSON.parse(await (await serving.fetch('/audit?action=gc')).text());
  expect(audit.entries.filter(({ result }) => result === 'done')).toHaveLength(1);
});
