// Sends bytes to a server and reads the answer, for requests that no proper client would make.

import { connect } from 'node:net';

export type RawAnswer = { readonly status: number; readonly head: string; readonly body: string };

/**
 * For a live stream, returns the head and the first bytes. `request` is the raw text; it should ask for `Connection:
 * close`.
 */
export async function sendRaw(url: string, request: string): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  const chunks: Buffer[] = [];
  const ended = new Promise<void>((resolve, reject) => {
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      if (isStream(chunk)) socket.destroy();
    });
    socket.on('close', () => resolve());
    socket.on('error', (error) => (chunks.length > 0 ? resolve() : reject(error)));
  });
  socket.write(request);
  await ended;
  const answer = Buffer.concat(chunks)
    .toString('utf8')
    .replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, '');
  const border = answer.indexOf('\r\n\r\n');
  const head = answer.slice(0, border);
  return { status: Number(head.split(' ')[1]), head, body: answer.slice(border + 4) };
}

/** A stream ends only with its run, or never. */
function isStream(chunk: Buffer): boolean {
  return /^content-type: text\/event-stream/im.test(chunk.toString('latin1', 0, 2_000));
}
