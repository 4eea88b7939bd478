// Reads the first line of a script, such as its `#!` line.

import { closeSync, openSync, readSync } from 'node:fs';

/** Returns at most 256 bytes of the line, without the newline; an empty text if the file cannot be read. */
export function firstLineOf(path: string): string {
  const buffer = Buffer.alloc(256);
  try {
    const fd = openSync(path, 'r');
    try {
      return buffer.toString('utf8', 0, readSync(fd, buffer)).split('\n', 1)[0] ?? '';
    } finally {
      closeSync(fd);
    }
  } catch {
    return '';
  }
}
