// A connection between a client and a server that a test can cut or let hang.

import { connect, createServer, type Socket } from 'node:net';

export type Wire = {
  /** To use instead of the server's own URL. */
  readonly url: string;
  readonly cut: () => void;
  /** Nothing passes any more, on open and on new connections, and neither end notices. */
  readonly hang: () => void;
  readonly fix: () => void;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
};

export async function openWire(serverUrl: string): Promise<Wire> {
  const { hostname, port } = new URL(serverUrl);
  const sockets = new Set<Socket>();
  let isCut = false;
  let hangs = false;
  const server = createServer((near) => {
    if (isCut) {
      near.destroy();
      return;
    }
    if (hangs) {
      sockets.add(near);
      near.on('error', () => undefined);
      return;
    }
    const far = connect(Number(port), hostname);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  const cut = (): void => {
    isCut = true;
    for (const socket of sockets) socket.destroy();
  };
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
    cut,
    hang() {
      hangs = true;
      for (const socket of sockets) socket.unpipe().pause();
    },
    fix() {
      isCut = false;
      hangs = false;
    },
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}
