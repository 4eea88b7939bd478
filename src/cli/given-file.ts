// Reads what a user gives to a command in a file or on standard input.

import { createReadStream } from 'node:fs';
import { Refusal } from './exit-code.ts';
import { fileTrouble } from './file-trouble.ts';

/** No request can be larger: this is the highest value of `server.body_limit`. */
const limitBytes = 256 * 1024 * 1024;

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
      if (bytes > limitBytes) throw new Refusal(`${name} is larger than 256 MiB`);
      chunks.push(part);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(`cannot read ${name}: ${fileTrouble(error)}`);
  }
}
