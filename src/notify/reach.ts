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
  // The metadata of Amazon, Google, Alibaba, Azure and Oracle.
  'fd00:ec2::254',
  'fd20:ce::254',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
  // The first two IPv4 ranges, translated.
  '64:ff9b::7f00:0/104',
  '64:ff9b::a9fe:0/112',
];

const isForbidden = createAddressList(forbiddenRanges);

/** For the id of a job, or an unknown job; undefined: its requests may reach every address. */
export type ReachOf = (jobId: string | undefined) => MayReach | undefined;

/**
 * @param mountPaths of the untrusted sources
 * @param allow hosts, addresses and ranges that their jobs may reach all the same
 */
export function createReach(mountPaths: readonly string[], allow: readonly string[]): ReachOf {
  const ranges = allow.filter((one) => isIP(one.split('/')[0] ?? '') !== 0);
  const isAllowed = createAddressList(ranges);
  const hosts = new Set(allow.map((one) => one.toLowerCase()));
  const mayReach: MayReach = (host, address) =>
    hosts.has(host.toLowerCase()) || isAllowed(address) || !(isForbidden(address) || isOwn(address));
  const isUntrusted = (jobId: string | undefined) =>
    mountPaths.some((path) => jobId === undefined || jobId === path || jobId.startsWith(`${path}/`));
  return (jobId) => (isUntrusted(jobId) ? mayReach : undefined);
}

function isOwn(address: string): boolean {
  const own = Object.values(networkInterfaces()).flatMap((all = []) => all.map((one) => one.address));
  return createAddressList(own)(address);
}
