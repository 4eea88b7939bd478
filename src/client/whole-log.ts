// Reads a whole log in one answer, as JSON lines. Pages of it would take the server more than ten times as long.

import type { QueryOf } from '../contract/operations.ts';
import type { LogLine } from '../domain/log-line.ts';
import type { Client } from './client.ts';

/**
 * Yields the lines from `query.cursor` to the present end of the log, several at a time, each as JSON. It ends early if
 * the signal is aborted or the connection breaks. A long pause of the reader also breaks the connection. @throws
 * ApiProblem, ServerUnreachable
 */
export async function* logTexts(
  client: Client,
  runId: string,
  { query, signal }: { readonly query: QueryOf<'getRunLogs'>; readonly signal: AbortSignal },
): AsyncGenerator<readonly string[], void> {
  const headers = { accept: 'application/x-ndjson' };
  const decoder = new TextDecoder();
  let rest = '';
  try {
    const { body } = await client.request('getRunLogs', { path: { run_id: runId }, query, headers, signal });
    for await (const chunk of body ?? []) {
      const texts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = texts.pop() ?? '';
      if (texts.length > 0) yield texts;
    }
  } catch (error) {
    if (!signal.aborted && !(error instanceof TypeError)) throw error;
  }
}

const plainLine =
  /^\{"seq":(\d+),"timestamp":"([^"\\]*)","level":"(\w+)","message":"([^"\\]*)","step_id":"([^"\\]*)","stream":"(\w+)","attempt":(\d+)\}$/;

/**
 * Most lines have no escapes and no fields. For them there is a shortcut, because JSON.parse takes three times as long.
 */
export function toLogLine(text: string): LogLine {
  const found = plainLine.exec(text);
  if (!found) return JSON.parse(text);
  const [, seq, timestamp = '', level, message = '', step_id = '', stream, attempt] = found;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a level and a stream, by the contract
  return { seq: Number(seq), timestamp, level, message, step_id, stream, attempt: Number(attempt) } as LogLine;
}
