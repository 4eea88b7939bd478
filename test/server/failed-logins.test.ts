import { expect, test } from 'vitest';
import { createFailedLogins, networkOf } from '../../src/server/admission/failed-logins.ts';

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['::FFFF:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0DB8:1:2::6', '2001:db8:1:2::/64'],
  ['2001:db8::6', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['', ''],
])('the address %j is counted as %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});

test('each address may fail ten times, and all addresses of one IPv6 network count as one', () => {
  const count = createFailedLogins({ now: () => 0 });
  for (let n = 0; n < 10; n++) expect(count(`2001:db8:1:2::${n}`)).toBeUndefined();
  expect(count('2001:db8:1:2:ffff::')).toMatchObject({ slug: 'rate-limited', members: { retry_after: 60 } });
  expect(count('2001:db8:1:3::')).toBeUndefined();
  expect(count('192.0.2.7')).toBeUndefined();
});

test('if the clock is set back, an address is not locked out for longer', () => {
  let nowMs = 10_000_000;
  const count = createFailedLogins({ now: () => nowMs });
  for (let n = 0; n < 11; n++) count('192.0.2.7');
  nowMs -= 3_600_000;
  expect(count('192.0.2.7')).toBeUndefined();
});
