// `schedules:` in a config.yaml: what the definition contains, and the errors with their places.

import { expect, test } from 'vitest';
import type { JobSchedule } from '../../src/domain/job.ts';
import { job, makeSource, openCatalog, sourceAt } from './source-fixture.ts';

const head = `command: ./run.sh
args:
  - {name: target, required: true}
  - {name: keep, type: integer, default: 7}
  - {name: token, format: secret}
`;

async function read(schedules: string): Promise<readonly JobSchedule[] | readonly string[]> {
  const catalog = await openCatalog([sourceAt(makeSource(job('nightly', head + schedules)))]);
  const [invalid] = catalog.invalid();
  if (invalid) return invalid.errors.map(({ line, column, message }) => `${line}:${column}: ${message}`);
  return catalog.find('nightly').definition.schedules;
}

async function idsOf(...schedules: string[]): Promise<string[]> {
  const found = await read(`schedules:\n${schedules.map((one) => `  - ${one}\n`).join('')}`);
  return found.map((schedule) => (typeof schedule === 'string' ? schedule : schedule.id));
}

test('a schedule is read with every default filled in', async () => {
  expect(await read('schedules: [{cron: "0 3 * * *", args: {target: /srv}}]')).toEqual([
    {
      id: expect.stringMatching(/^schedule_[0-9A-F]{26}$/),
      cron: '0 3 * * *',
      atMs: null,
      calendar: null,
      except: [],
      timezone: null,
      args: { target: '/srv' },
      catchUp: 'none',
      jitterMs: 0,
      enabled: true,
      held: false,
      labels: {},
    },
  ]);
});

test('every key of a schedule is read', async () => {
  const found = await read(
    `schedules:
  - cron: "0 3 * * MON"
    timezone: Europe/Berlin
    args: {target: /srv, keep: 3, token: {secret: registry}}
    catch_up: all
    jitter: 10m
    enabled: false
    labels: {team: ops}
`,
  );
  expect(found).toMatchObject([
    {
      timezone: 'Europe/Berlin',
      args: { target: '/srv', keep: 3, token: { secret: 'registry' } },
      catchUp: 'all',
      jitterMs: 600_000,
      enabled: false,
      labels: { team: 'ops' },
    },
  ]);
});

test('a single time and days are read, whether or not they are in a list', async () => {
  const found = await read(`schedules:
  - {at: 2026-12-01T09:00:00+01:00, args: {target: x}}
  - {cron: "0 3 * * *", calendar: closing, except: [holidays, 2026-12-24], args: {target: x}}
`);
  expect(found).toMatchObject([
    { cron: null, atMs: Date.parse('2026-12-01T08:00:00Z'), calendar: null, except: [] },
    { cron: '0 3 * * *', atMs: null, calendar: ['closing'], except: ['holidays', '2026-12-24'] },
  ]);
});

test('the id of a schedule depends on when and with which arguments it starts the job, not on its place or options', async () => {
  const [daily] = await idsOf('{cron: "0 3 * * *", args: {target: /a, keep: 1}}');
  expect(
    await idsOf(
      '{cron: "0 4 * * *", args: {target: /a}}',
      '{cron: "0 3 * * *", timezone: UTC, args: {keep: 1, target: /a}, catch_up: all, jitter: 1m, labels: {a: b}}',
    ),
  ).toEqual([expect.not.stringMatching(`^${daily}$`), daily]);
  const others = await idsOf(
    '{cron: "0 3 * * *", args: {target: /b, keep: 1}}',
    '{cron: "0 3 * * *", timezone: Europe/Berlin, args: {target: /a, keep: 1}}',
  );
  expect(new Set([daily, ...others]).size).toBe(3);
});

test.each([
  [
    '{cron: "61 * * * *", args: {target: x}}',
    '6:20: `schedules.0.cron` is not a cron pattern: invalid value for minute: 61',
  ],
  ['{cron: "0 0 30 2 *", args: {target: x}}', '6:20: `schedules.0.cron` never fires: there is no such day'],
  ['{cron: "* * * * * *", args: {target: x}}', '6:20: `schedules.0.cron` must be five fields such as `0 3 * * *`'],
  ['{cron: "0 3 * * *"}', '6:13: `target` is missing'],
  ['{cron: "0 3 * * *", args: {target: x, kep: 1}}', '6:51: unknown argument `kep`: did you mean `keep`?'],
  [
    '{cron: "0 3 * * *", args: {target: x, keep: many}}',
    '6:57: `schedules.0.args.keep` must be an integer, not a string',
  ],
  [
    '{cron: "0 3 * * *", args: {target: x, token: hunter2}}',
    '6:58: `schedules.0.args.token` must be a stored secret, {secret: name}: everyone can see the arguments of a schedule',
  ],
  [
    '{cron: "*/5 * * * *", args: {target: x}, jitter: 5m}',
    '6:62: `schedules.0.jitter` must be shorter than the 5m between two starts',
  ],
  [
    '{cron: "0 3 * * *", args: {target: x}, catch_up: some}',
    '6:62: `schedules.0.catch_up` must be one of "none", "last", "all"',
  ],
  [
    '{cron: "0 3 * * *", args: {target: x}, labels: {schedule_id: x}}',
    '6:74: `schedules.0.labels.schedule_id` is a label that flwd sets itself',
  ],
  ['{args: {target: x}}', '6:13: a schedule needs `cron`, or `at` for a single time'],
  [
    '{cron: "0 3 * * *", at: "2026-12-01T09:00:00Z", args: {target: x}}',
    '6:33: `at` and `cron` must not be used together',
  ],
  [
    '{at: 2026-12-01, args: {target: x}}',
    '6:18: `schedules.0.at` must be a time with an offset such as `2026-12-01T09:00:00+01:00`',
  ],
  [
    '{at: "2026-12-01T09:00:00Z", except: holidays, args: {target: x}}',
    '6:42: `except` needs a `cron` pattern with days and times',
  ],
  [
    '{cron: "0 3 * * *", except: [2026-02-30], args: {target: x}}',
    '6:33: `schedules.0.except` has no such day: `2026-02-30`',
  ],
  [
    '{cron: "* * * * *", calendar: "9998-12-31", args: {target: x}}',
    '6:43: `schedules.0.calendar` has a day more than 50 years ahead: `9998-12-31`; check its year',
  ],
])('%s is an error with its place', async (schedule, error) => {
  expect(await read(`schedules: [${schedule}]`)).toEqual([error]);
});

test('all errors of all schedules are reported at once', async () => {
  const found = await read(
    `schedules:
  - {cron: "0 25 * * *", args: {target: 1}}
  - {cron: "0 3 * * *", args: {target: x, keep: 0.5}, jitter: 2d}
`,
  );
  expect(found).toHaveLength(4);
});

test('the same schedule twice is an error', async () => {
  expect(
    await read(`schedules:
  - {cron: "0 3 * * *", args: {target: x}}
  - {cron: "0 3 * * *", args: {target: x}, catch_up: last}
`),
  ).toEqual(['8:5: this schedule is the same as `schedules.0`']);
});
