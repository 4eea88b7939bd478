import { expect, test } from 'vitest';
import { cronWords } from '../../src/lib/cron/cron-words.ts';

test.each([
  ['0 2 * * *', 'Every day at 02:00'],
  ['@midnight', 'Every day at 00:00'],
  ['0 9,17 * * *', 'Every day at 09:00 and 17:00'],
  ['0 2 * * 0', 'Every Sunday at 02:00'],
  ['0 9 * * 1,3', 'Every Monday and Wednesday at 09:00'],
  ['30 7 * * 1-5', 'Monday to Friday at 07:30'],
  ['0 4 1 * *', 'On day 1 of each month at 04:00'],
  ['0 3 L * *', 'On the last day of each month at 03:00'],
  ['@yearly', 'Every year on 1 January at 00:00'],
  ['*/5 * * * *', 'Every 5 minutes'],
  ['15 * * * *', 'At 15 minutes past every hour'],
  ['*/10 9-17 * * 1-5', 'Every 10 minutes, between 09:00 and 17:59, Monday to Friday'],
  ['1 2 3 4 5', 'At 02:01, on day 3 of each month, and on Friday, only in April'],
  ['0 4 1-7 * +6', 'On the first Saturday of each month at 04:00'],
  ['5 4 22-28 1,7 +FRI', 'At 04:05, on the fourth Friday of each month, only in January and July'],
  ['0 3 1,15 * +1-5', 'At 03:00, on day 1 and 15 of each month, Monday to Friday'],
  ['0 0 13 * +5', 'At 00:00, on day 13 of each month, only on Friday'],
  ['@reboot', 'At every start of the server'],
  ['0 9 * * 1+1', '0 9 * * 1+1'],
])('the pattern %s is described as "%s"', (pattern, words) => {
  expect(cronWords(pattern)).toBe(words);
});
