// How many connections are open at once, and for how long. Where there are too many, the one without a request for
// longest makes room; one whose reader takes nothing of an answer is closed.

import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { isThere } from '../../lib/files/is-there.ts';

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
  // By both ends, which a TLS socket shares with the one below it. In the order in which they fell idle.
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
    // The newest is among them: it goes itself where all others are at work.
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
      // Node starts this time anew while bytes leave, and sets its own once the answer is out.
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
}

/** The same for a TLS socket as for the one below it. */
export function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

/** proc_pid_limits(5). */
function descriptorLimit(): number {
  const limits = isThere('/proc/self/limits') ? readFileSync('/proc/self/limits', 'latin1') : '';
  const [, soft] = /^Max open files +(\d+)/m.exec(limits) ?? [];
  return soft === undefined ? fewestDescriptors : Number(soft);
}
