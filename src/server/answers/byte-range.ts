// Reads a `Range` header that asks for one range of bytes (RFC 9110, section 14).

import { parse } from 'range-parser';

/** `end` is the position of the last byte. */
export type ByteRange = { readonly start: number; readonly end: number };

const isMalformed = 1;
const isUnsatisfiable = 2;

/** @returns undefined if the header is missing, malformed, or has several ranges. All bytes are sent then. */
export function parseRange(header: string | undefined, sizeBytes: number): ByteRange | 'unsatisfiable' | undefined {
  // The parser drops ranges that cannot be satisfied, so its result does not show whether there were several ranges.
  if (header === undefined || header.includes(',')) return undefined;
  const { type, ranges, code } = parse(sizeBytes, header.trim());
  if (type !== 'bytes' || code & isMalformed) return undefined;
  return ranges[0] ?? (code & isUnsatisfiable ? 'unsatisfiable' : undefined);
}
