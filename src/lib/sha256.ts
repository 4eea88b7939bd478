// SHA-256 without an import of node:crypto, which loads Web Crypto as well and takes 5 ms. For modules of commands that
// may not hash anything.

import type { Hash } from 'node:crypto';

export function createSha256(): Hash {
  return process.getBuiltinModule('node:crypto').createHash('sha256');
}
