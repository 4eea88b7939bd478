import { expect, test } from 'vitest';
import { peerIn } from '../../src/server/admission/peer.ts';

const head =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     \n';
const row = (local: string, remote: string, state: string, uid: number, inode: number) =>
  `   7: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000 ${String(uid).padStart(5)}        0 ${inode} 1 000000008f3c7821 100 0 0 10 0                       \n`;

const connection = { remoteAddress: '127.0.0.1', remotePort: 40_000, localAddress: '127.0.0.1', localPort: 8080 };
const peer = '0100007F:9C40';
const own = '0100007F:1F90';
const mapped = (address: string) => `0000000000000000FFFF0000${address}`;

test('the owner of the peer’s socket is found, not the owner of the server’s socket', () => {
  const table = head + row(own, peer, '01', 0, 11) + row(peer, own, '01', 1000, 12);
  expect(peerIn(table, connection)).toEqual({ uid: 1000, inode: '12' });
});

test('an IPv4 peer is found in the IPv6 table, however its address is written', () => {
  const table = head + row(mapped(peer), mapped(own), '01', 1000, 12);
  expect(peerIn(table, connection)).toEqual({ uid: 1000, inode: '12' });
  const dual = { ...connection, remoteAddress: '::ffff:127.0.0.1', localAddress: '::ffff:127.0.0.1' };
  expect(peerIn(table, dual)).toEqual({ uid: 1000, inode: '12' });
  expect(peerIn(head + row(peer, own, '01', 1000, 12), dual)).toEqual({ uid: 1000, inode: '12' });
});

test('an IPv6 peer is found', () => {
  const loopback = '00000000000000000000000001000000';
  const table = head + row(`${loopback}:9C40`, `${loopback}:1F90`, '01', 1000, 12);
  expect(peerIn(table, { ...connection, remoteAddress: '::1', localAddress: '::1' })).toEqual({
    uid: 1000,
    inode: '12',
  });
});

test('a peer that has closed its sending side is still known', () => {
  expect(peerIn(head + row(peer, own, '05', 1000, 12), connection)).toEqual({ uid: 1000, inode: '12' });
});

test('a socket that its process has closed has no owner, although the kernel says uid 0', () => {
  expect(peerIn(head + row(peer, own, '04', 0, 0), connection)).toBeUndefined();
});

test('a connection from the same address that is only half open is not the peer', () => {
  expect(peerIn(head + row(peer, own, '02', 1000, 12), connection)).toBeUndefined();
});

test('a connection from another port is another peer', () => {
  expect(peerIn(head + row('0100007F:9C41', own, '01', 1000, 12), connection)).toBeUndefined();
});
