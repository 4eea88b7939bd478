import { createServer, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { boundConnections } from '../../src/server/limits/connections.ts';

/** A server with a limit of 10 connections, which answers only when the test tells it to. */
async function aServer() {
  const waiting: ServerResponse[] = [];
  const server = createServer((_, response) => waiting.push(response));
  boundConnections(server, { limit: 10, stallMs: 3_000 });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;

  async function open(): Promise<Socket> {
    const socket = connect({ host: '127.0.0.1', port });
    socket.on('error', () => undefined);
    await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
    return socket;
  }
  async function ask(socket: Socket): Promise<void> {
    const before = waiting.length;
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await expect.poll(() => waiting.length).toBe(before + 1);
  }
  return { open, ask, waiting };
}

test('at the limit, the connection that has been idle for longest is closed for a new one', async () => {
  const { open, ask, waiting } = await aServer();
  const busy = await open();
  await ask(busy);
  const idle: Socket[] = [];
  for (let i = 0; i < 9; i++) idle.push(await open());
  const newest = await open();
  await expect.poll(() => idle.map(({ closed }) => closed)).toEqual([true, ...Array(8).fill(false)]);

  await ask(newest);
  expect(busy.closed).toBe(false);
  for (const response of waiting) response.end();

  // A connection that has just been answered has been idle for the shortest time.
  await expect.poll(() => busy.bytesRead).toBeGreaterThan(0);
  await open();
  await expect.poll(() => idle[1]?.closed).toBe(true);
  expect(busy.closed).toBe(false);
});

test('at the limit, a new connection is closed if all others are busy', async () => {
  const { open, ask } = await aServer();
  const busy: Socket[] = [];
  for (let i = 0; i < 10; i++) {
    const socket = await open();
    await ask(socket);
    busy.push(socket);
  }
  const refused = await open();
  await expect.poll(() => refused.closed).toBe(true);
  expect(busy.filter(({ closed }) => closed)).toEqual([]);
});

test('a client that stops reading is disconnected, and a client that reads slowly gets the whole answer', async () => {
  const { open, ask, waiting } = await aServer();
  const [stuck, slow] = [await open(), await open()];
  for (const socket of [stuck, slow]) await ask(socket.pause());
  const answer = Buffer.alloc(32 * 1024 * 1024);
  const closed = waiting.map(
    (response) => new Promise((resolve) => response.once('close', () => resolve(response.writableFinished))),
  );
  for (const response of waiting) response.end(answer);
  const sips = setInterval(() => {
    slow.resume();
    setTimeout(() => slow.pause(), 10);
  }, 50);
  onTestFinished(() => clearInterval(sips));
  expect(await Promise.all(closed)).toEqual([false, true]);
});
