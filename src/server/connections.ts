// How many connections are open at once, and for how long. Where there are too many, the one without a request for longest makes
// room; one whose reader takes nothing of an answer is closed.

import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

const mostConnections = 10_000;
/** As POSIX has it at least. */
const fewestDescriptors = 256;

/** Half of the descriptors that this process may open: the other half is for runs and files. */
export function connectionLimit(): number {
  return Math.min(mostConnections, Math.floor(descriptorLimit() / 2));
}

export function boundConnections(server: Server, o: { readonly limit: number; readonly stallMs: number }): void {
  // What Node would drop in silence may be what admission asks for; 16 KiB of headers bound their number.
  server.maxHeadersCount = 0;
  let open = 0;
  // By the peer's address and port, which a TLS socket shares with the one below it. In the order in which they fell idle.
  const idle = new Map<string, Socket>();
  const busy = new Map<string, number>();

  server.on('connection', (socket: Socket) => {
    const peer = peerOf(socket);
    open += 1;
    idle.set(peer, socket);
    socket.once('close', () => {
      open -= 1;
      idle.delete(peer);
    });
    if (open <= o.limit) return;
    // The newest is among them: it goes itself where all others are at work.
    for (const [place, oldest] of idle) {
      idle.delete(place);
      oldest.destroy();
      return;
    }
  });

  server.on('request', ({ socket }, response) => {
    const peer = peerOf(socket);
    idle.delete(peer);
    busy.set(peer, (busy.get(peer) ?? 0) + 1);
    response.once('prefinish', () => {
      // Node starts this time anew while bytes leave, and sets its own once the answer is out.
      if (socket.writableLength > 0) socket.setTimeout(o.stallMs);
    });
    response.once('close', () => {
      const left = (busy.get(peer) ?? 1) - 1;
      if (left > 0) busy.set(peer, left);
      else {
        busy.delete(peer);
        if (!socket.destroyed) idle.set(peer, socket);
      }
    });
  });
}

/** The same for a TLS socket as for the one below it. */
export function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** proc_pid_limits(5). */
function descriptorLimit(): number {
  const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
  return soft === undefined ? fewestDescriptors : Number(soft);
}
