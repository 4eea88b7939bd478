// Which user owns the other end of a loopback connection, from the kernel's socket table (proc_net(5)).

import { readFile } from 'node:fs/promises';

export type Connection = {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
};

const tables = ['/proc/self/net/tcp', '/proc/self/net/tcp6'].map(createTable);

/** A reading takes milliseconds, more with each connection there is: whoever asks during one shares the next. */
function createTable(file: string): () => Promise<string> {
  let running: Promise<string> | undefined;
  let next: Promise<string> | undefined;
  return () => {
    next ??= Promise.resolve(running).then(() => {
      next = undefined;
      running = readFile(file, 'latin1').catch(() => '');
      return running;
    });
    return next;
  };
}

/** The uid of the peer's process; undefined when the kernel does not say. */
export async function uidOfPeer(connection: Connection): Promise<number | undefined> {
  for (const readTable of tables) {
    const uid = findUid(await readTable(), connection);
    if (uid !== undefined) return uid;
  }
  return undefined;
}

/** ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT: a peer that may have closed one direction. */
const connectedStates: readonly string[] = ['01', '04', '05', '08'];

/** @param table the text of /proc/net/tcp or tcp6 */
export function findUid(table: string, connection: Connection): number | undefined {
  const peers = endpoints(connection.remoteAddress, connection.remotePort);
  const own = endpoints(connection.localAddress, connection.localPort);
  for (const [form, peer] of peers.entries()) {
    const at = table.indexOf(` ${peer} ${own[form]} `);
    if (at < 0) continue;
    const end = table.indexOf('\n', at);
    const [, , state = '', , , , uid, , inode] = table.slice(at + 1, end < 0 ? undefined : end).split(/\s+/);
    // A socket that its process has closed shows uid 0 and inode 0: without this, anyone who sends a request and hangs up
    // would pass for root.
    if (inode !== '0' && connectedStates.includes(state)) return Number(uid);
  }
  return undefined;
}

/** How the table writes an address: each group of four bytes in the host's order, little-endian; IPv4 also as IPv6. */
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
