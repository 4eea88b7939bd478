// What a message says about where and when something happened, and what started the run.

import { expect, test } from 'vitest';
import type { NotifyEvent } from '../../src/domain/notification.ts';
import type { Run } from '../../src/domain/run.ts';
import { contextOf, scheduleIdOf } from '../../src/notify/context.ts';
import { noRunOf } from '../../src/notify/message.ts';

const atMs = Date.parse('2026-12-01T01:31:07.500Z');
const nominal = (at: string) => ({
  created_by: 'schedule:schedule_1',
  labels: { schedule_id: 'schedule_1', nominal_at: at },
});

function said(over: Partial<Run>, o: { event?: NotifyEvent; timezone?: string; name?: string } = {}): string {
  const { event = 'failed', timezone = 'Europe/Berlin', name = null } = o;
  const run = { ...noRunOf({ jobId: 'a', tenant: 'default', detail: '', atMs, title: null }), ...over };
  return contextOf({ event, where: 'db1', atMs, timezone, run, schedule: { name } });
}

test.each<[string, Partial<Run>]>([
  ['by mara through the API', { trigger: { type: 'api' } }],
  ['by mara on the command line', { trigger: { type: 'cli' } }],
  ['by mara in the console', { trigger: { type: 'console' } }],
  ['by mara through MCP', { trigger: { type: 'mcp' } }],
  ['by mara as a rerun of run_1', { trigger: { type: 'rerun' }, rerun_of: 'run_1' }],
  ['by its schedule for 02:30', { trigger: { type: 'schedule' }, ...nominal('2026-12-01T01:30:00.000Z') }],
  ['by mara as a run of its schedule', { trigger: { type: 'schedule' }, labels: { schedule_id: 'schedule_1' } }],
  ['by its schedule for 2026-11-30 23:00', { trigger: { type: 'schedule' }, ...nominal('2026-11-30T22:00:00.000Z') }],
  [
    'by a backfill of its schedule for 2026-11-28 02:30',
    { trigger: { type: 'backfill' }, ...nominal('2026-11-28T01:30:00.000Z') },
  ],
  ['by the webhook shop/deploy', { trigger: { type: 'webhook' }, created_by: 'webhook:shop/deploy' }],
  ['because run_2 ended', { trigger: { type: 'job_ended', trigger_id: 't', run_id: 'run_2' } }],
  ['because a file appeared', { trigger: { type: 'file', trigger_id: 't', path: '/srv/in/a.csv' } }],
  ['because a check found something', { trigger: { type: 'check', trigger_id: 't' } }],
  ['by the step load of run_3', { trigger: { type: 'job' }, parent: { run_id: 'run_3', step_id: 'load' } }],
])('a message says that the run was started %s', (words, run) => {
  expect(said({ created_by: 'mara', ...run })).toBe(`Failed on db1 at 2026-12-01 02:31:07 CET, started ${words}`);
});

test('the name of a schedule is one line, and labels of other runs name no schedule', () => {
  const labels = nominal('2026-12-01T01:30:00.000Z');
  expect(said({ trigger: { type: 'schedule' }, ...labels }, { name: 'at\nnight' })).toMatch(
    /started by the schedule at night for 02:30$/,
  );
  expect(said({ ...labels, created_by: 'local', trigger: { type: 'api' } })).toMatch(
    /started by local through the API$/,
  );
});

test('only a run that a schedule or a backfill started belongs to the schedule of its label', () => {
  const idOf = (type: 'schedule' | 'backfill' | 'api') => {
    const run = noRunOf({ jobId: 'a', tenant: 'default', detail: '', atMs, title: null });
    return scheduleIdOf({ ...run, trigger: { type }, labels: { schedule_id: 'schedule_1' } });
  };
  expect([idOf('schedule'), idOf('backfill'), idOf('api')]).toEqual(['schedule_1', 'schedule_1', undefined]);
});

test('the time is in the given zone, and the first word says what happened then', () => {
  const run = { trigger: { type: 'api' } } as const;
  const inNewYork = { timezone: 'America/New_York' };
  expect(said(run, { ...inNewYork, event: 'late' })).toMatch(/^Noticed on db1 at 2026-11-30 20:31:07 GMT-5, /);
  expect(said(run, { ...inNewYork, event: 'waiting_approval' })).toMatch(/^Waiting on db1 since 2026-11-30 20:31:07 /);
  expect(said(run, { timezone: 'UTC', event: 'fixed' })).toMatch(/^Succeeded on db1 at 2026-12-01 01:31:07 UTC, /);
});
