// The wire between a browser and a server, which a test can cut.

import { connect, createServer, type Socket } from 'node:net';

export type Wire = {
  /** In place of the server's. */
  readonly url: string;
  readonly cut: () => void;
  /** Nothing comes through any more, on what is open and on what is opened, and neither end is told. */
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
