// What flwd says about times for which a schedule started no run.

import { expect, test } from 'vitest';
import { type Gap, missedWords, refusedWords } from '../../src/engine/schedule/missed-words.ts';

const at = (time: string) => Date.parse(`2026-06-01T${time}Z`);
const gap = (from: string, to: string, over: Partial<Gap> = {}): Gap => {
  return { fromMs: at(from), toMs: at(to), isExact: true, why: 'flwd was not running', ...over };
};
const terms = { id: 'schedule_1', jobId: 'a b', timezone: 'UTC', cron: '0 2 * * *' } as Parameters<
  typeof missedWords
>[0];
const backfill = "flwd backfill 'a b' --schedule schedule_1";
const [firstAtMs, countedFromMs, lastAtMs] = [at('02:00:00'), at('02:00:00'), at('02:00:00')];
const once = { firstAtMs, countedFromMs, lastAtMs, count: 1, hasMore: false };
const said = (gaps: readonly (Gap | null)[], over: object = {}) => missedWords(terms, { ...once, ...over }, gaps);

const others =
  'flwd or the machine was suspended, flwd could not store the run or read the job, or the clock was set past that time';

test.each<[string, (Gap | null)[]]>([
  ['flwd was not running from 2026-06-01 01:00 UTC to 2026-06-01 03:00:05 UTC', [gap('01:00:00', '03:00:05')]],
  [
    'flwd was not running from about 2026-06-01 01:00 UTC to 2026-06-01 03:00 UTC',
    [gap('01:00:00', '03:00:00', { isExact: false })],
  ],
  [
    'the job was invalid from 2026-06-01 01:50 UTC to 2026-06-01 04:00 UTC',
    [gap('00:00:00', '01:00:00'), gap('01:50:00', '04:00:00', { why: 'the job was invalid' })],
  ],
  [`perhaps ${others}`, [gap('00:00:00', '01:00:00')]],
  [`perhaps flwd was not running then, ${others}`, [gap('02:30:00', '03:00:00')]],
  [`perhaps flwd was not running then, ${others}`, [null]],
])('a missed time names only causes that are possible: %s', (why, gaps) => {
  expect(said(gaps)).toBe(
    `The schedule started no run for 2026-06-01 02:00 UTC: ${why}. ` +
      `To start this run now: ${backfill} --from 2026-06-01T02:00:00+00:00 --until 2026-06-01T02:00:01+00:00`,
  );
});

test('if too many times were missed to count, the command starts the newest', () => {
  const many = { countedFromMs: at('06:21:00'), lastAtMs: at('08:00:00'), count: 100, hasMore: true };
  const words = said([gap('01:00:00', '09:00:00')], many);
  expect(words).toContain('more than 100 of its times, from 2026-06-01 02:00 UTC to 2026-06-01 08:00 UTC');
  expect(words).toContain(
    `To start the newest 100 runs now: ${backfill} --from 2026-06-01T06:21:00+00:00 --until 2026-06-01T08:00:01+00:00`,
  );
});

test('a refused start names the reason and the command that starts the run', () => {
  expect(refusedWords(terms, at('02:00:00'), 'The job is disabled.')).toBe(
    'The schedule could not start a run for 2026-06-01 02:00 UTC: The job is disabled. ' +
      `To start it later: ${backfill} --from 2026-06-01T02:00:00+00:00 --until 2026-06-01T02:00:01+00:00`,
  );
});

test.each([null, '@reboot'])('a schedule that cannot be backfilled, such as %s, is run by its id', (cron) => {
  const start = 'flwd schedules run schedule_1';
  expect(missedWords({ ...terms, cron }, once, [])).toMatch(new RegExp(`To start this run now: ${start}$`));
  expect(refusedWords({ ...terms, cron }, at('02:00:00'), 'no')).toMatch(new RegExp(`To start it later: ${start}$`));
});
