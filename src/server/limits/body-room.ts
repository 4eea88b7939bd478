// How many bytes of bodies may be held at once, by one caller and by all together, from their arrival to their answer
// (ADR 0019). JSON grows when it is read: some hundred requests of 1 MiB that wait for their runs would fill any heap,
// within every rate limit.

import { getHeapStatistics } from 'node:v8';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from '../../domain/problem.ts';
import { counterKey } from './rate-limits.ts';
import { overloadedSeconds } from './shedding.ts';

/** Bytes of heap for a byte of the body: `{},` takes 64, and what is checked, stored and run are copies. */
const mostGrowth = 128;
const shareOfHeap = 0.5;
/**
 * Of the room: what a caller declares is taken before it comes, and may never come. The server's own user has all that
 * is left.
 */
const shareOfOne = 1 / 4;
const shareOfOthers = 3 / 4;

/** @returns takes room for a request's body until it is answered, or throws the Problem overloaded */
export function createBodyRoom(bodyLimitBytes: number): (request: FastifyRequest, reply: FastifyReply) => void {
  // One of the largest is always taken.
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
    // One over the limit is refused without being read.
    if (bytes === 0 || bytes > bodyLimitBytes) return;
    const by = counterKey(principal);
    if (!hasRoom(by, principal.kind === 'local', bytes)) {
      throw new Problem('overloaded', 'Too many request bodies are being dealt with.', {
        retry_after: overloadedSeconds,
      });
    }
    take(by, bytes);
    reply.raw.once('close', () => take(by, -bytes));
  };
}
