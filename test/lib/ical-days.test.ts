import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readIcalDays } from '../../src/lib/cron/ical-days.ts';

const dir = mkdtempSync(join(tmpdir(), 'flwd-ical-'));
const nowMs = Date.parse('2026-11-29T00:00:00Z');

function daysOf(text: string): Promise<ReadonlySet<string>> {
  const path = join(dir, 'days.ics');
  writeFileSync(path, text);
  return readIcalDays(path, nowMs);
}

const calendar = (...events: readonly string[]) =>
  ['BEGIN:VCALENDAR', 'VERSION:2.0', ...events, 'END:VCALENDAR', ''].join('\r\n');
const event = (...lines: readonly string[]) =>
  ['BEGIN:VEVENT', 'UID:one@example.org', ...lines, 'END:VEVENT'].join('\r\n');

test('an event covers its day, several days, or the days of its hours', async () => {
  const days = await daysOf(
    calendar(
      event('DTSTART;VALUE=DATE:20261225', 'DTEND;VALUE=DATE:20261227', 'SUMMARY:Christmas\\, two days'),
      event('DTSTART;VALUE=DATE:20270101'),
      event('DTSTART:20270303T220000', 'DTEND:20270304T000000'),
      event('DTSTART:20270305T220000Z', 'DTEND:20270306T003000Z'),
    ),
  );
  expect([...days]).toEqual(['2026-12-25', '2026-12-26', '2027-01-01', '2027-03-03', '2027-03-05', '2027-03-06']);
});

test('an event that repeats is read up to 50 years ahead, with its exceptions and moved days', async () => {
  const days = await daysOf(
    calendar(
      event('DTSTART;VALUE=DATE:20260501', 'RRULE:FREQ=YEARLY', 'EXDATE;VALUE=DATE:20280501'),
      event('RECURRENCE-ID;VALUE=DATE:20290501', 'DTSTART;VALUE=DATE:20290502'),
      event('RECURRENCE-ID;VALUE=DATE:20300501', 'DTSTART;VALUE=DATE:20300501', 'STATUS:CANCELLED'),
    ),
  );
  expect([...days].slice(0, 5)).toEqual(['2026-05-01', '2027-05-01', '2029-05-02', '2031-05-01', '2032-05-01']);
  expect([...days].at(-1)).toBe('2076-05-01');
});

test('a cancelled event covers no day', async () => {
  expect(await daysOf(calendar(event('DTSTART;VALUE=DATE:20261225', 'STATUS:CANCELLED')))).toEqual(new Set());
});

test.each([
  ['hello', 'is not an iCalendar file'],
  ['', 'is not an iCalendar file'],
  ['BEGIN:VCARD\r\nVERSION:4.0\r\nEND:VCARD\r\n', 'is not an iCalendar file'],
  [calendar(event('DTSTART:20260101T000000Z', 'RRULE:FREQ=SECONDLY')), 'more than 20000'],
  [calendar(event('DTSTART;VALUE=DATE:19000101', 'DTEND;VALUE=DATE:20990101')), 'more than 20000 days'],
  [`BEGIN:VCALENDAR\r\n${'X'.repeat(2 ** 20)}`, 'larger than 1 MiB'],
])('%.40j is refused: it %s', async (text, why) => {
  await expect(daysOf(text)).rejects.toThrow(why);
});

test.each(['SUMMARY:no start', 'DTSTART:nonsense', 'DTSTART;VALUE=DATE:20269999'])(
  'an event with %s is refused',
  async (line) => {
    await expect(daysOf(calendar(event(line)))).rejects.toThrow('has an event without a valid date');
  },
);

test.each(['RRULE:FREQ=NEVER', 'RRULE:FREQ=MONTHLY;BYYEARDAY=1', 'RRULE:COUNT=3', 'RDATE:nonsense'])(
  'an event with %s is refused, and the message names the rule',
  async (line) => {
    const text = calendar(event('DTSTART;VALUE=DATE:20261225', line));
    await expect(daysOf(text)).rejects.toThrow('has an event whose RRULE or RDATE is not valid');
  },
);
