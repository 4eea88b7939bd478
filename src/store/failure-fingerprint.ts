// Recognises the same failure again: a hash of its reason and its message without details (ADR 0071).

import { createHash } from 'node:crypto';
import { withoutDetails } from '../domain/outcome/failure-words.ts';

/** A change of the rules of `withoutDetails` makes other groups, so it changes this number. */
const version = 1;
const hexDigits = 16;

/** @returns 16 hexadecimal digits */
export function fingerprintOf({ reason, message }: { readonly reason: string; readonly message: string }): string {
  const text = `${version}\n${reason}\n${withoutDetails(message)}`;
  return createHash('sha256').update(text).digest('hex').slice(0, hexDigits);
}
