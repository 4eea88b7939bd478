// The stored form of a random secret of 256 bits. Such a secret cannot be guessed, so a slow hash is not needed.

import { hash, timingSafeEqual } from 'node:crypto';

/** SHA-256, in hex. */
export function hashSecret(secret: string): string {
  return hash('sha256', secret, 'hex');
}

/** Compares two hashes in a time that does not depend on how similar they are. */
export function isSameHash(one: string, other: string): boolean {
  return timingSafeEqual(Buffer.from(one, 'hex'), Buffer.from(other, 'hex'));
}
