// Readers that take nothing: what they are sent fills the kernel's buffers, some MB for each of them.

import { connect, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startServing } from './serving.ts';

const readerCount = 80;

test('many readers that stand still hold up nobody else for long', async () => {
  await using server = await startServing();
  const run = await server.addRun();
  await run.move('claim');
  for (let n = 0; n < 40; n++)
    await run.print(...Array.from({ length: 5_000 }, (_, i) => `${n * 5_000 + i} copied /srv/data/orders.parquet`));
  await run.finish();

  const { hostname, port } = new URL(server.url);
  const sockets: Socket[] = [];
  for (let n = 0; n < readerCount; n++) {
    const socket = connect(Number(port), hostname).pause();
    socket.write(`GET /api/v1/runs/${run.id}/logs?follow=true HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
    sockets.push(socket);
  }
  // A turn of the event loop is what anybody else waits for; its processor time, since other programs take the clock's.
  const turnsMs: number[] = [];
  let quietTurns = 0;
  while (quietTurns < 2_000) {
    const before = process.threadCpuUsage();
    await nextTurn();
    const { user, system } = process.threadCpuUsage(before);
    turnsMs.push((user + system) / 1000);
    quietTurns = user + system > 1_000 ? 0 : quietTurns + 1;
  }
  for (const socket of sockets) socket.destroy();
  const busyMs = turnsMs.filter((ms) => ms > 1).reduce((sum, ms) => sum + ms, 0);
  expect(Math.max(...turnsMs)).toBeLessThan(busyMs / 5);
});
