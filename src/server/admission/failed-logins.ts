// Counts failed logins by the address from which they came. After ten in a minute, the following ones get a 429. A
// valid credential is never counted, so nobody with a valid credential is locked out (ADR 0015).

import { isIPv6 } from 'node:net';
import { Problem } from '../../domain/problem.ts';
import type { Clock } from '../../lib/clock.ts';
import { createFixedWindow } from '../limits/fixed-window.ts';

const most = 10;
const windowMs = 60_000;
const mostAddresses = 10_000;

/** @returns a function that counts a failed login, and returns the Problem rate-limited after too many */
export function createFailedLogins(clock: Clock): (from: string) => Problem | undefined {
  const count = createFixedWindow({ windowMs, mostKeys: mostAddresses, clock });

  return (from) => {
    const failed = count(networkOf(from));
    if (failed.count <= most) return undefined;
    return new Problem('rate-limited', `More than ${most} logins from this address failed within a minute.`, {
      retry_after: Math.ceil(failed.endsInMs / 1000),
    });
  };
}

/**
 * Returns the network of an address. The owner of an IPv6 address usually has all 2^64 addresses of its network, so
 * they count as one address.
 */
export function networkOf(address: string): string {
  if (!isIPv6(address) || address.includes('.')) return address.replace(/^::ffff:/i, '');
  const [head = '', tail = ''] = address.replace(/%.*$/, '').split('::');
  const [before, behind] = [head.split(':').filter(Boolean), tail.split(':').filter(Boolean)];
  const gap = Array.from({ length: 8 - before.length - behind.length }, () => '0');
  const groups = [...before, ...(address.includes('::') ? gap : []), ...behind];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
