// How many bytes of bodies may be on their way in at once, all callers together: slow senders of large bodies would
// otherwise hold as much memory as there are connections.

import type { FastifyRequest } from 'fastify';
import { Problem } from '../domain/problem.ts';
import { overloadedSeconds } from './shedding.ts';

const leastRoomBytes = 32 * 1024 * 1024;

/** @returns takes room for a request's body until it is there, or throws the Problem overloaded */
export function createBodyRoom(bodyLimitBytes: number): (request: FastifyRequest) => void {
  const roomBytes = Math.max(leastRoomBytes, 4 * bodyLimitBytes);
  let takenBytes = 0;

  return ({ raw }) => {
    const { 'content-length': length, 'transfer-encoding': coding } = raw.headers;
    const bytes = coding === undefined ? Number(length ?? 0) : bodyLimitBytes;
    // One over the limit is refused without being read.
    if (bytes === 0 || bytes > bodyLimitBytes) return;
    if (takenBytes + bytes > roomBytes) {
      throw new Problem('overloaded', 'Too many request bodies are on their way in.', {
        retry_after: overloadedSeconds,
      });
    }
    takenBytes += bytes;
    raw.once('close', () => {
      takenBytes -= bytes;
    });
  };
}
