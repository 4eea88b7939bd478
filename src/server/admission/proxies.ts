// The proxies whose word is taken for whom they pass on (`X-Forwarded-*`). Who comes through one is never the server's
// own user, whatever it says (ADR 0015).

import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

export type Proxies = {
  readonly isTrusted: (address: string | undefined) => boolean;
  /**
   * Leaves in `X-Forwarded-For` what is an address: the rest is a client's invention, and would be logged and counted
   * by.
   */
  readonly tidy: (request: IncomingMessage) => void;
};

const mostHops = 32;

/** @param trust true: whoever connects; or addresses and CIDR ranges */
export function createProxies(trust: boolean | readonly string[]): Proxies {
  if (trust === false) return { isTrusted: () => false, tidy: () => undefined };
  return { isTrusted: trust === true ? () => true : toTest(trust), tidy };
}

function toTest(ranges: readonly string[]): Proxies['isTrusted'] {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', prefix] = range.split('/');
    const family = familyOf(address);
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return (address) => address !== undefined && isIP(address) !== 0 && list.check(address, familyOf(address));
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}

function tidy({ headers }: IncomingMessage): void {
  const given = headers['x-forwarded-for'];
  if (given === undefined) return;
  const hops = String(given).split(',').slice(-mostHops).map(withoutPort);
  // From the right, where each proxy has added whom it saw; what stands left of nonsense is worth no more than it.
  const firstGood = hops.findLastIndex((hop) => isIP(hop) === 0) + 1;
  headers['x-forwarded-for'] = hops.slice(firstGood).join(', ');
}

/** Some write the port too: `192.0.2.1:50000`, `[2001:db8::1]:50000`. */
function withoutPort(hop: string): string {
  const text = hop.trim();
  const [, bracketed] = /^\[([^\]]*)\](?::\d+)?$/.exec(text) ?? [];
  return bracketed ?? text.replace(/^([\d.]+):\d+$/, '$1');
}
