// Which messages are the same failure.

import { expect, test } from 'vitest';
import { withoutDetails } from '../../src/domain/outcome/failure-words.ts';
import { fingerprintOf } from '../../src/store/failure-fingerprint.ts';
import { expectWithin, msOf } from '../support/goes.ts';

const of = (message: string): string => fingerprintOf({ reason: 'exit', message });

test.each([
  ['connect to 10.0.3.7:5432 failed at 12:03:11', 'connect to 10.0.4.9:5432 failed at 03:00:59'],
  ['backup of 2026-11-27T03:00:00Z failed', 'backup of 2026-11-28T03:00:01.123+01:00 failed'],
  ['no such order 7f9c2ba4e88f827d616045507605853e', 'no such order 0b54c2ba4e88f827d61604550760585a'],
  ['request 3f2504e0-4f89-41d3-9a0c-0305e82c3301 timed out', 'request 9a0c04e0-4f89-41d3-9a0c-0305e82c33ff timed out'],
  ["invalid value '12 apples' in row 7", "invalid value '340 pears' in row 1,204"],
  ['cannot write /tmp/tmp.Xa83kQ/out', 'cannot write /tmp/tmp.9fDkQx/out'],
  ['disk is 97.3 % full', 'disk is 100 % full'],
  ['run_01M8J82HQQAM4ZQSAJTHDN6R40 is gone', 'run_01M8J830P7W6TZ7FBBJZPX9QZX is gone'],
  ['connect to [2001:db8::1]:443 refused', 'connect to [2001:db8::2f]:443 refused'],
  ['bad  pointer 0x7ffd10', 'bad pointer 0x55aa'],
])('%s is the same failure with other values', (one, other) => {
  expect(of(one)).toBe(of(other));
  expect(of(one)).toMatch(/^[0-9a-f]{16}$/);
});

test.each([
  ['permission denied: /srv/a', 'permission denied: /srv/b'],
  ['table orders does not exist', 'table customers does not exist'],
  ["cannot find module 'left'", "cannot find module 'right'"],
  ['exited with code 7', 'exited with code 137'],
  ['exited with code 1: HTTP 404', 'exited with code 1: HTTP 500'],
  ['ended by signal 9', 'ended by signal 15'],
])('%s is not the same failure as a similar message', (one, other) => expect(of(one)).not.toBe(of(other)));

test('the same message with another reason is another failure', () => {
  expect(fingerprintOf({ reason: 'exit', message: 'x' })).not.toBe(fingerprintOf({ reason: 'timeout', message: 'x' }));
});

test('a hostile message takes hardly any time', async () => {
  for (const text of [
    '"1'.repeat(5_000),
    ':a'.repeat(5_000),
    '1'.repeat(10_000),
    "'".repeat(10_000),
    '/tmp/'.repeat(4_000),
  ]) {
    await expectWithin(100, () => msOf(() => withoutDetails(text)));
  }
});
