// Which addresses a request may reach whose address a job of an untrusted source names: not the server's own, those of
// its link, and those where clouds give out credentials (ADR 0077).

import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { createAddressList } from '../lib/address-list.ts';
import type { MayReach } from '../lib/http-request.ts';

const forbiddenRanges = [
  // This machine.
  '0.0.0.0/8',
  '127.0.0.0/8',
  '::/96',
  // The link, with the metadata of most clouds, and many machines at once.
  '169.254.0.0/16',
  'fe80::/10',
  '224.0.0.0/4',
  '255.255.255.255',
  'ff00::/8',
  // The metadata of Amazon, Google, Oracle, Scaleway, Alibaba, Azure and Oracle again.
  'fd00:ec2::/32',
  'fd20:ce::254',
  'fd00:c1::a9fe:a9fe',
  'fd00:42::42',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
  // Translated to IPv4 by a gateway of the own network.
  '64:ff9b:1::/48',
];

const isForbidden = createAddressList(forbiddenRanges);
const isTranslated = createAddressList(['64:ff9b::/96']);

/**
 * For a job, or one that is no longer known; undefined: its requests may reach every address. `wasUntrusted` says
 * whether its source was untrusted when the run was created: the source may have been removed since.
 */
export type ReachOf = (jobId: string | undefined, wasUntrusted: boolean) => MayReach | undefined;

/**
 * @param mountPaths of the untrusted sources
 * @param allow hosts, addresses and ranges that their jobs may reach all the same
 */
export function createReach(mountPaths: readonly string[], allow: readonly string[]): ReachOf {
  const ranges = allow.filter((one) => isIP(one.split('/')[0] ?? '') !== 0);
  const isAllowed = createAddressList(ranges);
  const hosts = new Set(allow.map((one) => one.toLowerCase()));
  const mayReach: MayReach = (host, address) => {
    const meant = translated(address) ?? address;
    return hosts.has(host.toLowerCase()) || isAllowed(address) || !(isForbidden(meant) || isOwn(meant));
  };
  const isInside = (jobId: string) => mountPaths.some((path) => jobId === path || jobId.startsWith(`${path}/`));
  return (jobId, wasUntrusted) => (wasUntrusted || jobId === undefined || isInside(jobId) ? mayReach : undefined);
}

/** The IPv4 address to which a NAT64 gateway translates this one (RFC 6052). */
function translated(address: string): string | undefined {
  if (!isTranslated(address)) return undefined;
  const [, high = '0', low = '0'] =
    /([0-9a-f]{0,4}):([0-9a-f]{0,4})$/.exec(new URL(`http://[${address}]`).hostname.slice(1, -1)) ?? [];
  const bytes = [high, low].flatMap((group) => {
    const value = Number.parseInt(group || '0', 16);
    return [value >> 8, value & 255];
  });
  return bytes.join('.');
}

function isOwn(address: string): boolean {
  const own = Object.values(networkInterfaces()).flatMap((all = []) => all.map((one) => one.address));
  return createAddressList(own)(address);
}
