// Recognizes addresses that lead only to this machine.

import { isIP } from 'node:net';

/** @param host an address, or `localhost` */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^::ffff:(?=\d+\.)/i, '');
  return address === 'localhost' || address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}
