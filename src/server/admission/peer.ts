// Finds the user at the other end of a loopback connection, in the kernel's socket table (proc_net(5)).

import { readFile } from 'node:fs/promises';
import { errorCode } from '../../lib/error-code.ts';
import { createSharedRead } from '../../lib/shared-read.ts';

export type Connection = {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
};

/** The socket at the other end. With its inode, the processes that hold the socket can be found. */
export type PeerSocket = { readonly uid: number; readonly inode: string };

/** Requests share one read of a table. A read takes milliseconds, and longer with every connection. */
const tables = ['/proc/self/net/tcp', '/proc/self/net/tcp6'].map((file) =>
  createSharedRead(async () => {
    try {
      return await readFile(file, 'latin1');
    } catch (error) {
      // The table does not exist on a host without IPv6.
      if (errorCode(error) === 'ENOENT') return '';
      throw error;
    }
  }),
);

/**
 * @returns undefined if the table does not have the connection
 * @throws the system's error if descriptors or memory are used up
 */
export async function findPeer(connection: Connection): Promise<PeerSocket | undefined> {
  for (const readTable of tables) {
    const peer = peerIn(await readTable(), connection);
    if (peer) return peer;
  }
  return undefined;
}

/** ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT. In the last three, one side has closed its direction. */
const connectedStates: readonly string[] = ['01', '04', '05', '08'];

/** @param table the text of /proc/net/tcp or tcp6 */
export function peerIn(table: string, connection: Connection): PeerSocket | undefined {
  const peers = endpoints(connection.remoteAddress, connection.remotePort);
  const own = endpoints(connection.localAddress, connection.localPort);
  for (const [form, peer] of peers.entries()) {
    const at = table.indexOf(` ${peer} ${own[form]} `);
    if (at < 0) continue;
    const end = table.indexOf('\n', at);
    const [, , state = '', , , , uid, , inode = '0'] = table.slice(at + 1, end < 0 ? undefined : end).split(/\s+/);
    // When a process has closed its socket, the table shows uid 0 and inode 0 for the socket. Without this check, a
    // caller who sends a request and hangs up would count as root.
    if (inode !== '0' && connectedStates.includes(state)) return { uid: Number(uid), inode };
  }
  return undefined;
}

/**
 * Returns the address as the tables write it: groups of four bytes in host order (little-endian). Returns an IPv4
 * address in its form for IPv6, too.
 */
function endpoints(address: string, port: number): string[] {
  const end = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  if (address === '::1') return [`${'0'.repeat(24)}01000000${end}`];
  const bytes = address
    .replace(/^::ffff:/, '')
    .split('.')
    .map(Number);
  const v4 = Buffer.from(bytes.toReversed()).toString('hex').toUpperCase();
  return [`${v4}${end}`, `0000000000000000FFFF0000${v4}${end}`];
}
