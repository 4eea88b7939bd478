// Limits how many bytes of request bodies are held at once, for one caller and in all, from their arrival to their
// answer (ADR 0019). JSON grows when it is parsed: a hundred requests of 1 MiB that wait for their runs would fill any
// heap, although they stay within every rate limit.

import { getHeapStatistics } from 'node:v8';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { accountOf } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import { counterKey } from './rate-limits.ts';
import { overloadedSeconds } from './shedding.ts';

/** Bytes of heap per byte of body: parsing `{},` takes 64 bytes, and validating, storing and running make copies. */
const mostGrowth = 128;
const shareOfHeap = 0.5;
/**
 * The most that one caller may take, and the most that all callers but the server's own user may take together. A body
 * takes its room before it arrives, and may never arrive.
 */
const shareOfOne = 1 / 4;
const shareOfOthers = 3 / 4;

/**
 * @returns a function that takes room for the body of a request until the answer is sent, or throws the Problem
 * overloaded
 */
export function createBodyRoom(bodyLimitBytes: number): (request: FastifyRequest, reply: FastifyReply) => void {
  // There is always room for one body of the largest size.
  const heapBytes = getHeapStatistics().heap_size_limit * shareOfHeap;
  const roomBytes = Math.max(bodyLimitBytes, Math.floor(heapBytes / mostGrowth));
  const mostOfOne = Math.max(bodyLimitBytes, roomBytes * shareOfOne);
  const mostOfOthers = Math.max(bodyLimitBytes, roomBytes * shareOfOthers);
  const takenBy = new Map<string, number>();
  let takenBytes = 0;

  function hasRoom(by: string, isLocal: boolean, bytes: number): boolean {
    if (takenBytes + bytes > (isLocal ? roomBytes : mostOfOthers)) return false;
    return isLocal || (takenBy.get(by) ?? 0) + bytes <= mostOfOne;
  }

  function take(by: string, bytes: number): void {
    takenBytes += bytes;
    const taken = (takenBy.get(by) ?? 0) + bytes;
    if (taken > 0) takenBy.set(by, taken);
    else takenBy.delete(by);
  }

  return ({ raw, principal }, reply) => {
    const { 'content-length': length, 'transfer-encoding': coding } = raw.headers;
    const bytes = coding === undefined ? Number(length ?? 0) : bodyLimitBytes;
    // A body over the limit is refused without being read.
    if (bytes === 0 || bytes > bodyLimitBytes) return;
    const by = counterKey(principal);
    if (!hasRoom(by, accountOf(principal).kind === 'local', bytes)) {
      throw new Problem(
        'overloaded',
        'The bodies of other requests take all the memory that is set aside for bodies; try again later.',
        {
          retry_after: overloadedSeconds,
        },
      );
    }
    take(by, bytes);
    reply.raw.once('close', () => take(by, -bytes));
  };
}
