// Answers lines that are not JSON, as JSON-RPC 2.0 demands. The SDK's transport skips them and tells nobody.

import type { Readable, Writable } from 'node:stream';

const newline = 10;
const answer = { jsonrpc: '2.0', id: null, error: { code: -32_700, message: 'Parse error: the line is not JSON' } };

/** Reads along with the transport. @returns a function that ends the reading */
export function answerParseErrors(input: Readable, output: Writable): () => void {
  /** The beginning of a line whose end has not been read. */
  let parts: Buffer[] = [];
  const read = (chunk: Buffer): void => {
    let from = 0;
    for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, from)) {
      const line = Buffer.concat([...parts, chunk.subarray(from, at)]).toString();
      parts = [];
      from = at + 1;
      if (line.trim() !== '' && !isJson(line)) output.write(`${JSON.stringify(answer)}\n`);
    }
    parts.push(chunk.subarray(from));
  };
  input.on('data', read);
  return () => {
    input.off('data', read);
    // The transport pauses its input only if nobody else reads it, and an open one would keep the process alive.
    input.pause();
  };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
