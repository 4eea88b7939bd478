// Limits how many bytes of request bodies are held at once, for one caller and in all (ADR 0019). A body counts from
// its arrival to its answer. JSON grows when it is parsed: a hundred requests of 1 MiB that wait for their runs would
// fill any heap, although they stay within every rate limit. Anonymous callers, who send to hooks, are also limited by
// their network.

import { getHeapStatistics } from 'node:v8';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { accountOf } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import { networkOf } from '../admission/failed-logins.ts';
import { counterKey } from './rate-limits.ts';
import { overloadedSeconds } from './shedding.ts';

/**
 * How many bytes of heap a byte of a body may need. Parsing `{},` takes 64 bytes, and validating, storing and running
 * make copies.
 */
const mostGrowth = 128;
const shareOfHeap = 0.5;
/**
 * The share of the room that the bodies of one caller may take, and the share that the bodies of all callers except the
 * server's own user may take together. A body takes its room before it arrives, and it may never arrive.
 */
const shareOfOne = 1 / 4;
const shareOfOthers = 3 / 4;
/**
 * All anonymous callers together may take as much room as one other caller. The callers of one network may take this
 * share of that room.
 */
const shareOfOneNetwork = 1 / 4;

type Share = { readonly key: string; readonly most: number };
/** A body of an anonymous caller that has not arrived completely. `network` is the key of a share. */
type Awaited = { readonly network: string; readonly cutOff: () => void };

/**
 * @returns a function that takes room for the body of a request until the answer is sent, or throws the Problem
 * overloaded
 */
export function createBodyRoom(bodyLimitBytes: number): (request: FastifyRequest, reply: FastifyReply) => void {
  // There is always room for a single body of the largest size.
  const heapBytes = getHeapStatistics().heap_size_limit * shareOfHeap;
  const roomBytes = Math.max(bodyLimitBytes, Math.floor(heapBytes / mostGrowth));
  const mostOfOne = Math.max(bodyLimitBytes, roomBytes * shareOfOne);
  const mostOfOthers = Math.max(bodyLimitBytes, roomBytes * shareOfOthers);
  const takenBy = new Map<string, number>();
  /** The bodies of anonymous callers that have not arrived completely, the oldest first. */
  const awaited = new Set<Awaited>();

  const takenOf = (key: string): number => takenBy.get(key) ?? 0;
  const hasRoom = (shares: readonly Share[], bytes: number): boolean =>
    shares.every(({ key, most }) => takenOf(key) + bytes <= most);

  function take(shares: readonly Share[], bytes: number): void {
    for (const { key } of shares) {
      const taken = takenOf(key) + bytes;
      if (taken > 0) takenBy.set(key, taken);
      else takenBy.delete(key);
    }
  }

  /** The shares from which a request takes room. An anonymous caller also takes from the share of its network. */
  function sharesOf({ principal, ip, routeOptions: { bodyLimit } }: FastifyRequest): readonly Share[] {
    const { kind } = accountOf(principal);
    if (kind === 'local') return [{ key: 'all', most: roomBytes }];
    const others = { key: 'all', most: mostOfOthers };
    if (kind !== 'anonymous') return [others, { key: counterKey(principal), most: mostOfOne }];
    const most = Math.max(bodyLimit, roomBytes * shareOfOne);
    const ofNetwork = Math.max(bodyLimit, most * shareOfOneNetwork);
    return [others, { key: counterKey(principal), most }, { key: `network ${networkOf(ip)}`, most: ofNetwork }];
  }

  /**
   * Makes room for a body by cutting off bodies of other networks. Cuts off only bodies of a network that holds more
   * than the sender's network would hold with the new body. So larger bodies that never arrive cannot keep out a
   * smaller body, and two bodies cannot cut off each other in turn.
   */
  function makeRoom(network: Share, shares: readonly Share[], bytes: number): void {
    const wouldHold = takenOf(network.key) + bytes;
    while (wouldHold <= network.most && !hasRoom(shares, bytes)) {
      let largest: Awaited | undefined;
      for (const body of awaited) {
        if (!largest || takenOf(body.network) > takenOf(largest.network)) largest = body;
      }
      if (!largest || takenOf(largest.network) <= wouldHold) return;
      largest.cutOff();
    }
  }

  return (request, reply) => {
    const { raw, routeOptions } = request;
    const { 'content-length': length, 'transfer-encoding': coding } = raw.headers;
    const bytes = coding === undefined ? Number(length ?? 0) : routeOptions.bodyLimit;
    // A body that is larger than the limit is refused without being read.
    if (bytes === 0 || bytes > routeOptions.bodyLimit) return;
    const shares = sharesOf(request);
    const [, , network] = shares;
    if (network) makeRoom(network, shares, bytes);
    if (!hasRoom(shares, bytes)) throw noRoom();
    take(shares, bytes);
    let isTaken = true;
    const giveBack = (): void => {
      if (isTaken) take(shares, -bytes);
      isTaken = false;
      if (body) awaited.delete(body);
    };
    const body = network && {
      network: network.key,
      cutOff() {
        giveBack();
        raw.socket.destroy();
      },
    };
    reply.raw.once('close', giveBack);
    if (!body) return;
    awaited.add(body);
    raw.once('end', () => awaited.delete(body));
  };
}

function noRoom(): Problem {
  return new Problem(
    'overloaded',
    'The bodies of other requests take all the memory that is set aside for bodies; try again later.',
    { retry_after: overloadedSeconds },
  );
}
