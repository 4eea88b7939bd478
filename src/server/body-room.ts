// How many bytes of bodies may be held at once, all callers together, from their arrival to their answer (ADR 0019). JSON grows
// when it is read: some hundred requests of 1 MiB that wait for their runs would fill any heap, within every rate limit.

import { getHeapStatistics } from 'node:v8';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from '../domain/problem.ts';
import { overloadedSeconds } from './shedding.ts';

/** Bytes of heap for a byte of the body: `{},` takes 64, and what is checked, stored and run are copies. */
const mostGrowth = 128;
const shareOfHeap = 0.5;

/** @returns takes room for a request's body until it is answered, or throws the Problem overloaded */
export function createBodyRoom(bodyLimitBytes: number): (request: FastifyRequest, reply: FastifyReply) => void {
  // One of the largest is always taken.
  const heapBytes = getHeapStatistics().heap_size_limit * shareOfHeap;
  const roomBytes = Math.max(bodyLimitBytes, Math.floor(heapBytes / mostGrowth));
  let takenBytes = 0;

  return ({ raw }, reply) => {
    const { 'content-length': length, 'transfer-encoding': coding } = raw.headers;
    const bytes = coding === undefined ? Number(length ?? 0) : bodyLimitBytes;
    // One over the limit is refused without being read.
    if (bytes === 0 || bytes > bodyLimitBytes) return;
    if (takenBytes + bytes > roomBytes) {
      throw new Problem('overloaded', 'Too many request bodies are being dealt with.', {
        retry_after: overloadedSeconds,
      });
    }
    takenBytes += bytes;
    reply.raw.once('close', () => {
      takenBytes -= bytes;
    });
  };
}
