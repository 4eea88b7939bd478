import { expect, test } from 'vitest';
import { nextClockChange } from '../../src/lib/cron/clock-change.ts';

const textOf = (cron: string, timezone: string, after: string) =>
  nextClockChange({ cron, timezone }, Date.parse(after))?.text;
const berlin = (cron: string, after: string) => textOf(cron, 'Europe/Berlin', after);
const winter = '2026-12-01T00:00:00Z';
const summer = '2026-07-01T00:00:00Z';

test('for the next change of the clocks, a sentence says what the change does to a schedule', () => {
  expect(berlin('30 2 * * *', winter)).toBe(
    'Clocks go forward on 28 Mar 2027: 02:30 does not exist, so it runs at 03:00.',
  );
  expect(berlin('30 2 * * *', summer)).toBe(
    'Clocks go back on 25 Oct 2026: 02:30 comes twice, and it runs only the first time.',
  );
  expect(berlin('*/15 * * * *', winter)).toBe(
    'Clocks go forward on 28 Mar 2027: each time from 02:00 to 03:00 is left out.',
  );
  expect(berlin('*/15 * * * *', summer)).toBe(
    'Clocks go back on 25 Oct 2026: each time from 02:00 to 03:00 comes twice, and it runs both times.',
  );
  expect(berlin('30 2 * * *', '2026-10-24T23:30:00Z')).toContain('25 Oct 2026');
  expect(berlin('30 2 * * *', '2026-10-25T12:00:00Z')).toContain('28 Mar 2027');
});

test('a schedule that no change of the clocks affects has no such sentence', () => {
  expect(berlin('0 12 * * *', winter)).toBeUndefined();
  expect(berlin('30 2 * * 1', winter)).toBeUndefined();
  expect(textOf('30 2 * * *', 'UTC', winter)).toBeUndefined();
  expect(berlin('@reboot', winter)).toBeUndefined();
});
