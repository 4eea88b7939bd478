// Decides which addresses flwd may call for a job of an untrusted source. For such a job, flwd never calls the server's
// own addresses, link-local addresses, or the addresses where clouds give out credentials (ADR 0077).

import { isIP, isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { createAddressList } from '../lib/address-list.ts';
import type { MayReach } from '../lib/http/http-request.ts';

const forbiddenRanges = [
  // This machine itself.
  '0.0.0.0/8',
  '127.0.0.0/8',
  '::/96',
  // Link-local addresses, where most clouds have their metadata services, and the addresses for multicast and
  // broadcast.
  '169.254.0.0/16',
  'fe80::/10',
  '224.0.0.0/4',
  '255.255.255.255',
  'ff00::/8',
  // The metadata services of Amazon, Google, Oracle, Scaleway, Alibaba, Azure and again Oracle.
  'fd00:ec2::/32',
  'fd20:ce::254',
  'fd00:c1::a9fe:a9fe',
  'fd00:42::42',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
  // Addresses that a gateway of the local network translates to IPv4 (RFC 8215).
  '64:ff9b:1::/48',
];

const isForbidden = createAddressList(forbiddenRanges.flatMap(withTranslated));

/**
 * Returns which addresses the requests of a job may reach; undefined: every address. `jobId` is undefined if the job is
 * no longer known. `wasUntrusted` says whether its source was untrusted when the run was created, because the source
 * may have been removed since then.
 */
export type ReachOf = (jobId: string | undefined, wasUntrusted: boolean) => MayReach | undefined;

/**
 * @param mountPaths the mount paths of the untrusted sources
 * @param allow hosts, addresses and ranges that jobs of these sources may reach nevertheless
 */
export function createReach(mountPaths: readonly string[], allow: readonly string[]): ReachOf {
  const ranges = allow.filter((one) => isIP(one.split('/')[0] ?? '') !== 0);
  const isAllowed = createAddressList(ranges);
  const hosts = new Set(allow.map((one) => one.toLowerCase()));
  const mayReach: MayReach = (host, address) =>
    hosts.has(host.toLowerCase()) || isAllowed(address) || !(isForbidden(address) || isOwn(address));
  const isInside = (jobId: string) => mountPaths.some((path) => jobId === path || jobId.startsWith(`${path}/`));
  return (jobId, wasUntrusted) => (wasUntrusted || jobId === undefined || isInside(jobId) ? mayReach : undefined);
}

/** Adds the range of IPv6 that a NAT64 gateway translates to a range of IPv4 (RFC 6052). */
function withTranslated(range: string): string[] {
  const [address = '', prefix = '32'] = range.split('/');
  return isIPv4(address) ? [range, `64:ff9b::${address}/${96 + Number(prefix)}`] : [range];
}

function isOwn(address: string): boolean {
  const own = Object.values(networkInterfaces()).flatMap((all = []) => all.map((one) => one.address));
  return createAddressList(own.flatMap(withTranslated))(address);
}
