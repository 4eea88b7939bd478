// The times of other schedulers become cron patterns that fire at the same minutes, or are refused with the reason.

import { expect, test } from 'vitest';
import { toCron } from '../../src/cli/import/formats/calendar-times.ts';
import { readDaguSchedules } from '../../src/cli/import/formats/dagu-schedule.ts';
import { fromQuartz, splitQuartz } from '../../src/cli/import/formats/quartz-cron.ts';
import { readOnCalendar } from '../../src/cli/import/formats/systemd-calendar.ts';
import { spanMs } from '../../src/cli/import/formats/systemd-span.ts';
import { parseCron } from '../../src/lib/cron/cron.ts';

// The expected times come from `systemd-analyze calendar --base-time="2026-11-28 00:00:01 UTC" --iterations=3`.
test.each([
  ['minutely', '* * * * *', ['11-28 00:01', '11-28 00:02', '11-28 00:03']],
  ['daily', '0 0 * * *', ['11-29 00:00', '11-30 00:00', '12-01 00:00']],
  ['weekly', '0 0 * * 1', ['11-30 00:00', '12-07 00:00', '12-14 00:00']],
  ['quarterly', '0 0 1 1,4,7,10 *', ['01-01 00:00', '04-01 00:00', '07-01 00:00']],
  ['mon', '0 0 * * 1', ['11-30 00:00', '12-07 00:00', '12-14 00:00']],
  ['*:0/20', '*/20 * * * *', ['11-28 00:20', '11-28 00:40', '11-28 01:00']],
  ['*-*-* 8..17/3:30', '30 8,11,14,17 * * *', ['11-28 08:30', '11-28 11:30', '11-28 14:30']],
  ['Mon..Wed,Sat 7:5:0', '5 7 * * 1-3,6', ['11-28 07:05', '11-30 07:05', '12-01 07:05']],
  ['Sat *-*-1..7 18:00', '0 18 1-7 * +6', ['12-05 18:00', '01-02 18:00', '02-06 18:00']],
  ['*-*~1', '0 0 L * *', ['11-30 00:00', '12-31 00:00', '01-31 00:00']],
  ['Fri *-*~7/1 6:00', '0 6 * * 5L', ['12-25 06:00', '01-29 06:00', '02-26 06:00']],
  ['*-2-29', '0 0 29 2 *', ['02-29 00:00', '02-29 00:00', '02-29 00:00']],
])('OnCalendar=%s fires as `%s`', (expression, cron, times) => {
  expect(readOnCalendar(expression)).toEqual({ cron, timezone: undefined });
  expect(nextOf(cron, 3)).toEqual(times);
});

function nextOf(cron: string, count: number): string[] {
  const times = parseCron(cron, 'UTC');
  if ('problem' in times) throw new Error(times.problem);
  let at: number | null = Date.UTC(2026, 10, 28, 0, 0, 1);
  return Array.from({ length: count }, () => {
    at = times.next(at ?? 0);
    return new Date(at ?? 0).toISOString().slice(5, 16).replace('T', ' ');
  });
}

test.each([
  ['2027-01-01', 'fires only in the year 2027'],
  ['*-*-* 03:00:30', 'fires at second 30'],
  ['*:*:0/10', 'fires at second 0/10'],
  ['*-*~03', 'counts days from the end of the month'],
  ['03:00 Mars/Base', 'has the time zone Mars/Base'],
  ['Fri..Mon 1:00', 'is not a calendar expression'],
  ['*:*/5', 'is not a calendar expression'],
  ['25:00', 'is not a calendar expression'],
  ['3:00; rm -rf /', 'is not a calendar expression'],
  ['', 'is not a calendar expression'],
])('OnCalendar=%s has no pattern: it %s', (expression, problem) => {
  expect(readOnCalendar(expression)).toEqual({ problem: expect.stringContaining(problem) });
});

test('a time zone at the end of a calendar expression is kept', () => {
  expect(readOnCalendar('Sun 4:00 Europe/Berlin')).toEqual({ cron: '0 4 * * 0', timezone: 'Europe/Berlin' });
});

test.each([
  ['0 30 2 ? * MON-FRI *', '30 2 * * 1-5'],
  ['0 0/15 * * * ?', '*/15 * * * *'],
  ['0 0 3 1,15 * ?', '0 3 1,15 * *'],
  ['0 0 3 ? JAN,jul 1', '0 3 * 1,7 0'],
  ['0 0 22-2/2 ? * *', '0 0,2,22 * * *'],
  ['0 0 3 L * ?', '0 3 L * *'],
  ['0 0 3 ? * 6L', '0 3 * * 5L'],
  ['0 0 3 ? * MON#1', '0 3 * * 1#1'],
])('the Quartz pattern %s becomes `%s`', (pattern, cron) => {
  const fields = splitQuartz(pattern);
  expect(fields && fromQuartz(fields)).toEqual({ cron });
  expect(parseCron(cron, 'UTC')).not.toHaveProperty('problem');
});

test.each([
  ['30 0 3 * * ?', 'fires at second 30'],
  ['0 0 3 ? * MON 2027', 'fires only in the year 2027'],
  ['0 0 3 15W * ?', 'counts its days by 15W'],
  ['0 0 3 ? * 9', 'is not a pattern'],
  ['0 0 ${option.hour} ? * *', 'is not a pattern'],
])('the Quartz pattern %s is refused: it %s', (pattern, problem) => {
  const fields = splitQuartz(pattern);
  expect(fields && fromQuartz(fields)).toEqual({ problem: expect.stringContaining(problem) });
});

test('a day and a weekday of Cronicle must both match, and a value out of range is an error', () => {
  const times = { minutes: [15, 45], hours: [6, 7, 8, 9, 10], days: [1, 15], weekdays: [1, 2, 3, 4, 5] };
  expect(toCron(times)).toBe('15,45 6-10 1,15 * +1-5');
  expect(nextOf(toCron(times), 3)).toEqual(['12-01 06:15', '12-01 06:45', '12-01 07:15']);
  expect(toCron({})).toBe('* * * * *');
  expect(() => toCron({ minutes: [60] })).toThrow(RangeError);
  expect(() => toCron({ hours: [Number.NaN] })).toThrow(RangeError);
});

test('schedules of Dagu keep their zone and Dagu’s rule for days, and what flwd cannot do is reported', () => {
  const { schedules, notes } = readDaguSchedules(
    {
      start: [
        'CRON_TZ=Asia/Tokyo 5/20 9 * * MON-FRI',
        '0 3 */2 * 1',
        { kind: 'cron', expression: '@daily' },
        '@every 1h',
        'CRON_TZ=Mars 1 1 * * *',
      ],
      stop: '0 18 * * *',
    },
    {},
  );
  expect(schedules.map(({ cron }) => cron)).toEqual(['5-59/20 9 * * MON-FRI', '0 3 */2 * +1', '0 0 * * *']);
  expect(schedules[0]?.timezone).toBe('Asia/Tokyo');
  expect(notes).toEqual([
    expect.stringContaining('`@every 1h` counts from the start'),
    expect.stringContaining('has the time zone Mars'),
    expect.stringContaining('Dagu stopped it at `0 18 * * *`'),
  ]);
});

test.each([
  ['1h 30min', 5_400_000],
  ['90', 90_000],
  ['1.5m', 90_000],
  ['infinity', undefined],
  ['5 parsecs', undefined],
])('the time span %s is %s ms', (text, ms) => {
  expect(spanMs(text)).toBe(ms);
});
