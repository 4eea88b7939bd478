import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import type { Hub } from '../../src/engine/hub.ts';
import { allFramesOf, framesOf } from '../support/event-stream.ts';
import { expectWithin } from '../support/goes.ts';
import { type Serving, startServing } from './serving.ts';

/** Opens a stream without reading from it. */
async function openStalled(server: Serving, path: string, headers = ''): Promise<Socket> {
  const { hostname, port } = new URL(server.url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.pause();
  socket.write(`GET /api/v1${path} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`);
  return socket;
}

/** Counts the streams that listen for events from now on. */
function countFollowers({ hub }: Serving): () => number {
  const { onEvents } = hub;
  let open = 0;
  const counting: Hub['onEvents'] = (listener) => {
    open += 1;
    const stop = onEvents(listener);
    return () => {
      open -= 1;
      stop();
    };
  };
  Object.assign(hub, { onEvents: counting });
  return () => open;
}

/** The files that this process has open. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return '';
    }
  });
}

const longLines = Array.from({ length: 10 }, () => 'x'.repeat(60_000));

test('a client that stops reading is disconnected, and does not delay others', async () => {
  await using server = await startServing({ server: { writeTimeoutMs: 2_000 } });
  const followers = countFollowers(server);
  const run = await server.addRun();
  await run.move('claim');
  const path = `/runs/${run.id}/logs?follow=true`;
  const stalled = await openStalled(server, path);
  const closed = once(stalled, 'close');
  const reader = allFramesOf(await server.fetch(path));
  await expect.poll(followers).toBe(2);
  for (let i = 0; i < 40; i++) await run.print(...longLines);
  await run.finish();
  expect(await reader).toHaveLength(401);
  await expect.poll(followers).toBe(0);

  let receivedBytes = 0;
  stalled.on('data', (chunk) => {
    receivedBytes += chunk.length;
  });
  stalled.resume();
  await closed;
  expect(receivedBytes).toBeLessThan(400 * 60_000);
  const metrics = await (await server.fetch('//metrics')).text();
  expect(metrics).toContain('\nflwd_slow_readers_disconnected_total 1\n');
  expect(metrics).toContain('\nflwd_sse_streams 0\n');
});

test('a slow reader gets everything, however long it takes to read', async () => {
  await using server = await startServing({ server: { writeTimeoutMs: 3_000 } });
  const run = await server.addRun();
  for (let i = 0; i < 40; i++) await run.print(...longLines);
  // The server writes 24 MB at once, which takes longer to read than the time after which a stalled reader is
  // disconnected.
  const socket = await openStalled(server, `/runs/${run.id}/logs?limit=400`, 'Accept: text/plain\r\n');
  const startedAtMs = performance.now();
  let receivedBytes = 0;
  socket.on('data', (chunk) => {
    receivedBytes += chunk.length;
    socket.pause();
    setTimeout(() => socket.resume(), 10);
    if (chunk.toString('latin1').endsWith('\r\n0\r\n\r\n')) socket.destroy();
  });
  socket.resume();
  await once(socket, 'close');
  expect(receivedBytes).toBeGreaterThan(400 * 60_000);
  expect(performance.now() - startedAtMs).toBeGreaterThan(3_000);
});

test('a download that nobody reads is aborted', async () => {
  await using server = await startServing({ server: { writeTimeoutMs: 200 } });
  const run = await server.addRun();
  const size = 32 * 2 ** 20;
  const id = await server.addArtifact(run, { name: 'large', content: Buffer.alloc(size) });
  const stalled = await openStalled(server, `/artifacts/${id}`);
  // A slow server may close the connection before the buffers are full, which the client notices without reading.
  const closed = once(stalled, 'close');
  await expect.poll(() => openFiles()).toContainEqual(expect.stringContaining(id));
  await expect.poll(() => openFiles()).not.toContainEqual(expect.stringContaining(id));
  let receivedBytes = 0;
  stalled.on('data', (chunk) => {
    receivedBytes += chunk.length;
  });
  stalled.resume();
  await closed;
  expect(receivedBytes).toBeLessThan(size);
});

test('a client that disconnects leaves nothing behind on the server', async () => {
  await using server = await startServing();
  const followers = countFollowers(server);
  const run = await server.addRun();
  const hangUp = new AbortController();
  // Keep the responses, because a response without references is garbage-collected, which closes its connection.
  const held: Response[] = [];
  for (let i = 0; i < 5; i++) {
    for (const path of [`/runs/${run.id}/logs?follow=true`, '/events/runs', `/events/runs?run_id=${run.id}`]) {
      held.push(await server.fetch(path, { signal: hangUp.signal }));
    }
  }
  await expect.poll(followers).toBe(15);
  expect(held.filter(({ bodyUsed }) => bodyUsed)).toEqual([]);
  hangUp.abort();
  await expect.poll(followers).toBe(0);
});

test('a client that disconnects before its stream begins does not count as an open stream', async () => {
  await using server = await startServing();
  const run = await server.addRun();
  await run.move('claim');
  await run.print(...longLines);
  const { page } = server.store.logs;
  const asked = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  Object.assign(server.store.logs, {
    page: (...query: Parameters<typeof page>) => {
      asked.resolve();
      return gate.promise.then(() => page(...query));
    },
  });
  const early = await openStalled(server, `/runs/${run.id}/logs?follow=true&tail=5`);
  await asked.promise;
  early.resetAndDestroy();
  // Once these requests have been answered, the server has seen everything that was sent before them.
  for (let i = 0; i < 5; i++) await server.fetch('/health');
  gate.resolve();
  const metrics = async () => (await server.fetch('//metrics')).text();
  await expect.poll(metrics).toMatch(/^flwd_sse_streams_opened_total 1$/m);
  await expect.poll(metrics).toMatch(/^flwd_sse_streams 0$/m);
});

test('closing the server ends every stream and connection within 2 s, even unread ones, and accepts no new ones', () =>
  expectWithin(2_000, closeWithReaders));

/** @returns how long it took to close the server */
async function closeWithReaders(): Promise<number> {
  const server = await startServing({ server: { writeTimeoutMs: 60_000 } });
  const run = await server.addRun();
  await run.move('claim');
  for (let i = 0; i < 20; i++) await run.print(...longLines);
  const quiet = await server.addRun();
  await quiet.print('one line');
  const stalled = await openStalled(server, `/runs/${run.id}/logs?follow=true`);
  const next = framesOf(await server.fetch('/events/runs')).next();
  const follower = allFramesOf(await server.fetch(`/runs/${quiet.id}/logs?follow=true`));
  const idle = await openStalled(server, '/health');
  // This request becomes a stream only when the server is already stopping.
  const { summary } = server.store.runs;
  const asked = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  Object.assign(server.store.runs, {
    summary: (id: string) => {
      asked.resolve();
      return gate.promise.then(() => summary(id));
    },
  });
  const late = await openStalled(server, `/runs/${quiet.id}/logs?follow=true`);
  await asked.promise;
  const startedAtMs = performance.now();
  const closed = server.close();
  gate.resolve();
  await closed;
  const tookMs = performance.now() - startedAtMs;
  expect((await next).done).toBe(true);
  await follower;
  for (const socket of [stalled, idle, late]) socket.destroy();
  await expect(server.fetch('//healthz')).rejects.toThrow('fetch failed');
  return tookMs;
}

test.each(['text/plain', 'application/x-ndjson'])(
  'the reader of a log as %s notices that the server has stopped',
  async (accept) => {
    const server = await startServing({ server: { writeTimeoutMs: 60_000 } });
    const run = await server.addRun();
    await run.move('claim');
    for (let n = 0; n < 20; n++) await run.print(...longLines);
    await run.finish();
    const answer = await server.fetch(`/runs/${run.id}/logs`, { headers: { accept } });
    await server.close();
    await expect(answer.text()).rejects.toThrow('terminated');
  },
);

test('a stream ends when its token is revoked or expires, and continues for other callers', async () => {
  let nowMs = Date.parse('2026-05-01T12:00:00Z');
  await using server = await startServing({ clock: { now: () => nowMs } });
  const run = await server.addRun();
  await run.move('claim');
  const revoked = await server.token({ scopes: ['runs:read'] });
  const expired = await server.token({ scopes: ['runs:read'], expiresIn: '1m' });
  const good = await server.token({ scopes: ['runs:read'] });
  const paths = ['/events/runs', `/runs/${run.id}/events`, `/runs/${run.id}/logs?follow=true`];
  const open = async (headers: Readonly<Record<string, string>>) =>
    Promise.all(paths.map(async (path) => (await server.fetch(path, { headers })).text()));
  const followers = countFollowers(server);
  // These streams continue until the server stops.
  for (const headers of [good.headers, {}]) open(headers).catch(() => undefined);
  const agent = { ...revoked.headers, 'x-flwd-agent': 'runs:read' };
  const ending = Promise.all([open(revoked.headers), open(expired.headers), open(agent)]);
  await expect.poll(followers).toBe(15);
  await server.fetch(`/tokens/${revoked.id}`, { method: 'DELETE' });
  nowMs += 60_000;
  await ending;
  await expect.poll(followers).toBe(6);
  await run.finish();
  // The streams of the finished run have ended.
  await expect.poll(followers).toBe(2);
});
