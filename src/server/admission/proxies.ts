// The proxies that the server believes when they say who sent a request (`X-Forwarded-*`). A caller behind a proxy is
// never the server's own user, whatever the proxy says (ADR 0015).

import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

export type Proxies = {
  readonly isTrusted: (address: string | undefined) => boolean;
  /**
   * Removes from `X-Forwarded-For` everything that is not an address. A client could invent it, and it would be logged
   * and counted.
   */
  readonly tidy: (request: IncomingMessage) => void;
};

const mostHops = 32;

/** @param trust true to trust every peer, or a list of addresses and CIDR ranges */
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
  // Each proxy adds an address on the right. Everything left of an invalid entry is as worthless as that entry.
  const firstGood = hops.findLastIndex((hop) => isIP(hop) === 0) + 1;
  headers['x-forwarded-for'] = hops.slice(firstGood).join(', ');
}

/** Some proxies add the port: `192.0.2.1:50000`, `[2001:db8::1]:50000`. */
function withoutPort(hop: string): string {
  const text = hop.trim();
  const [, bracketed] = /^\[([^\]]*)\](?::\d+)?$/.exec(text) ?? [];
  return bracketed ?? text.replace(/^([\d.]+):\d+$/, '$1');
}
