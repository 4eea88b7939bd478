// Reads what a user gives to a command in a file or on standard input.

import { closeSync, createReadStream, openSync, readSync } from 'node:fs';
import { Refusal } from './exit-code.ts';
import { fileTrouble } from './file-trouble.ts';

/** No request can be larger: this is the highest value of `server.body_limit`. */
const limitBytes = 256 * 1024 * 1024;
export const tooLarge = 'is larger than 256 MiB';

/**
 * Reads text.
 *
 * @param path a file, or `-` for standard input
 * @param name how messages name it
 * @throws Refusal if it cannot be read or is too large
 */
export async function readGivenFile(path: string, name: string): Promise<string> {
  return (await readGivenBytes(path, name)).toString();
}

/** Like readGivenFile, for any bytes. */
export async function readGivenBytes(path: string, name: string): Promise<Buffer> {
  try {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of path === '-' ? process.stdin : createReadStream(path)) {
      const part = Buffer.from(chunk);
      bytes += part.length;
      if (bytes > limitBytes) throw new Refusal(`${name} ${tooLarge}`);
      chunks.push(part);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(`cannot read ${name}: ${fileTrouble(error)}`);
  }
}

/** Returns undefined if there is more than `limitBytes`. @throws the errors of the file system */
export function readGivenSync(path: string): Buffer | undefined {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const fd = path === '-' ? 0 : openSync(path, 'r');
  try {
    while (bytes <= limitBytes) {
      const chunk = Buffer.allocUnsafe(64 * 1024);
      const count = readSync(fd, chunk);
      if (count === 0) return Buffer.concat(chunks);
      chunks.push(chunk.subarray(0, count));
      bytes += count;
    }
    return undefined;
  } finally {
    if (fd !== 0) closeSync(fd);
  }
}
