// Decides which proxies the server believes when they say who sent a request (`X-Forwarded-*`). A caller behind a proxy
// is never the server's own user, whatever the proxy says (ADR 0015).

import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { createAddressList } from '../../lib/address-list.ts';

export type Proxies = {
  readonly isTrusted: (address: string | undefined) => boolean;
  /**
   * Removes from `X-Forwarded-For` every entry that is not an address, and all entries left of it. A client could
   * invent these entries, and the server would log them and count requests by them.
   */
  readonly cleanForwardedFor: (request: IncomingMessage) => void;
};

const mostHops = 32;

/** @param trust true to trust every peer, or a list of addresses and CIDR ranges */
export function createProxies(trust: boolean | readonly string[]): Proxies {
  if (trust === false) return { isTrusted: () => false, cleanForwardedFor: () => undefined };
  if (trust === true) return { isTrusted: () => true, cleanForwardedFor };
  const isListed = createAddressList(trust);
  return { isTrusted: (address) => address !== undefined && isListed(address), cleanForwardedFor };
}

function cleanForwardedFor({ headers }: IncomingMessage): void {
  const given = headers['x-forwarded-for'];
  if (given === undefined) return;
  const hops = String(given).split(',').slice(-mostHops).map(withoutPort);
  // Each proxy adds an address on the right. If an entry is invalid, the entries left of it are worthless too.
  const firstGood = hops.findLastIndex((hop) => isIP(hop) === 0) + 1;
  headers['x-forwarded-for'] = hops.slice(firstGood).join(', ');
}

/** Some proxies add the port: `192.0.2.1:50000`, `[2001:db8::1]:50000`. */
function withoutPort(hop: string): string {
  const text = hop.trim();
  const [, bracketed] = /^\[([^\]]*)\](?::\d+)?$/.exec(text) ?? [];
  return bracketed ?? text.replace(/^([\d.]+):\d+$/, '$1');
}
