// A proxy to a server through which a test can close open streams cleanly, as a server that stops does.

import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { onTestFinished } from 'vitest';

export type StreamGate = {
  /** The URL to use instead of the server's. */
  readonly url: string;
  /** How many streams are open, apart from those that were ended. */
  readonly open: () => number;
  /** Ends the open streams. Nothing that the server sends afterwards reaches their clients. */
  readonly endStreams: () => void;
};

export async function openStreamGate(serverUrl: string): Promise<StreamGate> {
  const ends = new Set<() => void>();
  const gate = createServer((asked, response) => {
    const { method, headers, url = '' } = asked;
    const far = request(`${serverUrl}${url}`, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
      if (!answer.headers['content-type']?.startsWith('text/event-stream')) return;
      const end = (): void => {
        answer.unpipe(response);
        response.end();
      };
      ends.add(end);
      response.on('close', () => ends.delete(end));
    });
    far.on('error', () => response.destroy());
    response.on('close', () => far.destroy());
    asked.pipe(far);
  });
  onTestFinished(() => {
    gate.close().closeAllConnections();
  });
  await once(gate.listen(0, '127.0.0.1'), 'listening');
  const address = gate.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
    open: () => ends.size,
    endStreams() {
      for (const end of ends) end();
      ends.clear();
    },
  };
}
