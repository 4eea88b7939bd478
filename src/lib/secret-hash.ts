// What is kept of a secret that is random by itself, 256 bits of it: nothing that a slower hash could make harder to guess.

import { hash, timingSafeEqual } from 'node:crypto';

/** SHA-256, in hex. */
export function hashSecret(secret: string): string {
  return hash('sha256', secret, 'hex');
}

/** Of two hashes, in a time that does not depend on how much of them is alike. */
export function isSameHash(one: string, other: string): boolean {
  return timingSafeEqual(Buffer.from(one, 'hex'), Buffer.from(other, 'hex'));
}
