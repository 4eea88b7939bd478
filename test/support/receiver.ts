// A receiver of webhooks: records requests, and answers as the test says.

import { createServer, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

type Received = {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

export type Receiver = {
  readonly url: string;
  readonly received: readonly Received[];
  /** Sets how it answers from now on; at first with 200. */
  answer: (response: ServerResponse, n: number) => void;
};

export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value)]);
      received.push({ path: request.url ?? '', headers: Object.fromEntries(headers), body });
      receiver.answer(response, received.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const receiver: Receiver = {
    url: `http://127.0.0.1:${port}`,
    received,
    answer: (response) => response.end(),
  };
  return receiver;
}

export function answerWith(status: number, headers: Readonly<Record<string, string>> = {}): Receiver['answer'] {
  return (response) => response.writeHead(status, headers).end('a body that nobody reads');
}
