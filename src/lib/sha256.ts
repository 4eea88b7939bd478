// SHA-256 for what is loaded by commands that may not need it: an import of node:crypto reads each of its exports, Web Crypto among
// them, which takes 5 ms.

import type { Hash } from 'node:crypto';

export function createSha256(): Hash {
  return process.getBuiltinModule('node:crypto').createHash('sha256');
}
