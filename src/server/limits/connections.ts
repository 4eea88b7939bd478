// Limits how many connections are open at once. If there are too many, the connection that has been idle for longest is
// closed. A connection is also closed if its client stops reading an answer.

import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { descriptorLimit } from '../../lib/files/descriptor-limit.ts';

const mostConnections = 10_000;

/** Half of the file descriptors that this process may open. The other half is for runs and files. */
export function connectionLimit(): number {
  return Math.min(mostConnections, Math.floor(descriptorLimit() / 2));
}

/** @returns a function that closes the connections on which no request is being answered */
export function boundConnections(
  server: Server,
  o: { readonly limit: number; readonly stallMs: number },
): { readonly closeIdle: () => void } {
  // With a limit on the number of headers, Node would silently drop further headers, and admission may have to check
  // these. The size of the headers is limited to 16 KiB.
  server.maxHeadersCount = 0;
  let open = 0;
  // The idle connections, in the order in which they became idle. The key is both ends of a connection, because a TLS
  // socket has the same ends as the socket below it.
  const idle = new Map<string, Socket>();
  const busy = new Map<string, number>();

  server.on('connection', (socket: Socket) => {
    const ends = endsOf(socket);
    open += 1;
    idle.set(ends, socket);
    socket.once('close', () => {
      open -= 1;
      idle.delete(ends);
    });
    if (open <= o.limit) return;
    // The new connection is idle too. If all others are busy, it is the one that is closed.
    for (const [place, oldest] of idle) {
      idle.delete(place);
      oldest.destroy();
      return;
    }
  });

  server.on('request', ({ socket }, response) => {
    const ends = endsOf(socket);
    idle.delete(ends);
    busy.set(ends, (busy.get(ends) ?? 0) + 1);
    response.once('prefinish', () => {
      // Node restarts this timeout whenever bytes are sent, and replaces it when the answer has been sent.
      if (socket.writableLength > 0) socket.setTimeout(o.stallMs);
    });
    response.once('close', () => {
      const left = (busy.get(ends) ?? 1) - 1;
      if (left > 0) busy.set(ends, left);
      else {
        busy.delete(ends);
        if (!socket.destroyed) idle.set(ends, socket);
      }
    });
  });
  return {
    // Node's own function leaves out connections that have not finished the TLS handshake.
    closeIdle(): void {
      for (const socket of idle.values()) socket.destroy();
    },
  };
}

/** A key for a connection. It is the same for a TLS socket and for the socket below it. */
export function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
