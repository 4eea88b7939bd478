// Reads the messages on standard input. Answers a line that is not a message with an error, as JSON-RPC 2.0 demands.
// The SDK's transport would skip such lines silently, and would end at a line that is too long.

import { PassThrough, type Readable, type Writable } from 'node:stream';
import { ProtocolErrorCode, parseJSONRPCMessage } from '@modelcontextprotocol/server';
import { idOf, wrongParams } from './params.ts';
import { noBatches } from './server.ts';

const newline = 10;
export const mostLineBytes = 10_485_760;

/**
 * @param output the stream to which the errors are written
 * @returns the lines that are messages, and a function that stops reading
 */
export function readMessages(
  input: Readable,
  output: Writable,
): { readonly lines: Readable; readonly end: () => void } {
  const lines = new PassThrough();
  /** The beginning of a line whose end has not been read. */
  let parts: Buffer[] = [];
  let sizeBytes = 0;
  function take(line: Buffer): void {
    const answer = sizeBytes > mostLineBytes ? tooLong : answerTo(line.toString());
    if (answer === undefined) lines.write(Buffer.concat([line, Buffer.of(newline)]));
    else output.write(`${JSON.stringify({ jsonrpc: '2.0', ...answer })}\n`);
  }
  function read(chunk: Buffer): void {
    let from = 0;
    for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, from)) {
      keep(chunk.subarray(from, at));
      take(Buffer.concat(parts));
      [parts, sizeBytes] = [[], 0];
      from = at + 1;
    }
    keep(chunk.subarray(from));
  }
  function keep(part: Buffer): void {
    sizeBytes += part.length;
    if (sizeBytes > mostLineBytes) parts = [];
    else parts.push(part);
  }
  const finish = (): void => void lines.end();
  input.on('data', read).on('end', finish).on('close', finish).on('error', finish);
  return {
    lines,
    end() {
      input.off('data', read);
      // An open input would keep the process alive.
      input.pause();
    },
  };
}

type Answer = { readonly id: unknown; readonly error: { readonly code: number; readonly message: string } };

function refusal(code: ProtocolErrorCode, message: string, id: unknown = null): Answer {
  return { id, error: { code, message } };
}

const notJson = refusal(ProtocolErrorCode.ParseError, 'Parse error: the line is not JSON');
const tooLong = refusal(ProtocolErrorCode.InvalidRequest, `The line has more than ${mostLineBytes} bytes.`);

/** Returns the error for a line; undefined if the line is a message or empty. */
function answerTo(line: string): Answer | undefined {
  if (line.trim() === '') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return notJson;
  }
  if (Array.isArray(value)) return refusal(ProtocolErrorCode.InvalidRequest, noBatches);
  try {
    parseJSONRPCMessage(value);
    const wrong = wrongParams(value);
    return wrong === undefined ? undefined : refusal(ProtocolErrorCode.InvalidParams, wrong, idOf(value));
  } catch {
    return refusal(ProtocolErrorCode.InvalidRequest, 'The line is not a message of JSON-RPC 2.0.', idOf(value));
  }
}
