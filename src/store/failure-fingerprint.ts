// Computes a fingerprint by which the same failure is recognised: a hash of its reason and of its message without
// details (ADR 0071).

import { createHash } from 'node:crypto';
import { withoutDetails } from '../domain/outcome/failure-words.ts';

/**
 * Must be increased with every change of the rules of `withoutDetails`, because the change divides failures into other
 * groups.
 */
const version = 1;
const hexDigits = 16;

/** @returns 16 hexadecimal digits */
export function fingerprintOf({ reason, message }: { readonly reason: string; readonly message: string }): string {
  const text = `${version}\n${reason}\n${withoutDetails(message)}`;
  return createHash('sha256').update(text).digest('hex').slice(0, hexDigits);
}
