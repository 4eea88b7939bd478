// SHA-256 without an import of node:crypto, which takes 5 ms because it also loads Web Crypto. It is meant for modules
// of commands that often hash nothing.

import type { Hash } from 'node:crypto';

export function createSha256(): Hash {
  return process.getBuiltinModule('node:crypto').createHash('sha256');
}
