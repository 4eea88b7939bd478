// The time zone of this process, as TZ sets it.

import { afterEach, expect, test, vi } from 'vitest';
import { localTimezone } from '../../src/lib/timezone.ts';

afterEach(() => vi.unstubAllEnvs());

test.each([
  ['Europe/Berlin', 'Europe/Berlin'],
  ['America/Argentina/Ushuaia', 'America/Argentina/Ushuaia'],
  ['Etc/UTC', 'UTC'],
  // This is a folder of zones.
  ['America/Argentina', 'UTC'],
  ['Nowhere/Town', 'UTC'],
  ['../../etc/passwd', 'UTC'],
])('with TZ=%s the zone is %s', (name, zone) => {
  vi.stubEnv('TZ', name);
  expect(localTimezone()).toBe(zone);
});

test('region names are looked up without loading Node’s own zones, which take 10 MB', () => {
  vi.stubEnv('TZ', 'Europe/Berlin');
  const format = vi.spyOn(Intl, 'DateTimeFormat');
  expect(localTimezone()).toBe('Europe/Berlin');
  expect(format).not.toHaveBeenCalled();
});
