// Callers that try to exhaust the server: slow senders, slow readers, unused connections, and bodies that grow when
// parsed. The server must answer other callers meanwhile, and its memory must return to what it was.

import { connect, type Socket } from 'node:net';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import type { LogAnswer } from '../support/answers.ts';
import { expectWithin, msOf } from '../support/goes.ts';
import { heapBytes, withInspector } from '../support/heap.ts';
import { bash, python } from '../support/jobs.ts';
import { type ServerOptions, startServer } from '../support/server.ts';

const mib = 1024 * 1024;
const options = (readTimeout: string): ServerOptions => ({
  env: { NODE_OPTIONS: `${withInspector.NODE_OPTIONS} --max-old-space-size=160` },
  jobs: {
    quick: bash('true'),
    prints: python('for n in range(120_000): print(n, "x" * 60)'),
    wide: python('for n in range(400): print("x" * 60_000)'),
    takes: bash('sleep 1', { argspec: { type: 'object', properties: { list: { type: 'array' } } } }),
  },
  config: {
    server: { read_timeout: readTimeout, write_timeout: '2s', body_limit: '1MiB' },
    logging: { level: 'error' },
  },
});
const server = await startServer(options('1s'));
afterAll(() => server.close());
await server.run('quick');

async function open(count: number, text: string): Promise<Socket[]> {
  const { hostname, port } = new URL(server.url);
  const sockets = Array.from({ length: count }, () => connect({ host: hostname, port: Number(port) }));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  await Promise.all(
    sockets.map(async (socket) => {
      socket.on('error', () => undefined);
      await new Promise((resolve) => socket.once('connect', resolve));
      if (text !== '') socket.write(text);
    }),
  );
  return sockets;
}

async function expectToAnswer(asked = server): Promise<void> {
  await expectWithin(2_000, () =>
    msOf(async () => {
      expect((await asked.fetch('//healthz')).status).toBe(204);
      expect((await asked.fetch('/jobs')).status).toBe(200);
    }),
  );
}

const head = 'POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';

test.each([
  ['a head', 'GET /api/v1/jobs HTTP/1.1\r\nX-A: '],
  ['a body', `${head}Content-Length: 1000\r\n\r\n`],
  ['chunks', `${head}Transfer-Encoding: chunked\r\n\r\n`],
])(
  'a client that sends %s byte by byte is disconnected after server.read_timeout, and does not delay anyone',
  async (_what, text) => {
    const sockets = await open(150, text);
    const drip = setInterval(() => {
      for (const socket of sockets) if (!socket.destroyed) socket.write('1');
    }, 100);
    onTestFinished(() => clearInterval(drip));
    for (const socket of sockets) socket.resume();
    await expectToAnswer();
    await expect.poll(() => sockets.filter(({ closed }) => !closed).length).toBe(0);
  },
);

test('unused connections are closed, and do not delay anyone', async () => {
  const sockets = await open(500, '');
  for (const socket of sockets) socket.resume();
  await expectToAnswer();
  await expect.poll(() => sockets.filter(({ closed }) => !closed).length).toBe(0);
});

test('clients that stop reading use little memory, and are disconnected', async () => {
  const { run_id: runId } = await server.run('prints');
  const before = await heapBytes(server.stderr);
  const all = `GET /api/v1/runs/${runId}/logs HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain\r\n\r\n`;
  const follow = `GET /api/v1/runs/${runId}/logs?follow=true HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  const sockets = [...(await open(20, all)), ...(await open(20, follow))];
  for (const socket of sockets) socket.pause();
  await expectToAnswer();
  expect((await heapBytes(server.stderr)) - before).toBeLessThan(60 * mib);
  const streams = async () => (await server.fetch('//metrics')).text();
  await expect.poll(streams).toMatch(/^flwd_sse_streams 0$/m);
  await expect.poll(streams).toMatch(/^flwd_slow_readers_disconnected_total 40$/m);
  expect((await heapBytes(server.stderr)) - before).toBeLessThan(16 * mib);
});

test('a page of a log has a limited size, and is not kept in memory for a client that stops reading', async () => {
  const { run_id: runId } = await server.run('wide');
  for (const query of ['limit=10000', 'tail=10000']) {
    const text = await (await server.fetch(`/runs/${runId}/logs?${query}`)).text();
    expect(text.length).toBeGreaterThan(4 * mib);
    expect(text.length).toBeLessThan(5 * mib);
  }
  const seen: string[] = [];
  let cursor: string | null = '0';
  while (cursor !== null) {
    const page: LogAnswer = await server.json(`/runs/${runId}/logs?limit=10000&cursor=${cursor}`);
    seen.push(...page.logs.map(({ message }) => message));
    cursor = page.next_cursor;
  }
  expect(seen).toHaveLength(400);
  const limited = await server.fetch(`/runs/${runId}/logs?limit=399`, { headers: { accept: 'text/plain' } });
  expect((await limited.text()).length).toBe(399 * 60_001);

  const opened = async () =>
    Number(/^process_open_fds (\d+)/m.exec(await (await server.fetch('//metrics')).text())?.[1]);
  const before = await opened();
  const sockets = await open(20, `GET /api/v1/runs/${runId}/logs?limit=10000 HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  for (const socket of sockets) socket.pause();
  await expect.poll(opened).toBeGreaterThan(before + 15);
  await expect.poll(opened).toBeLessThan(before + 5);
});

test('bodies that grow when parsed are refused before memory runs out, and the server continues', async () => {
  // All bodies arrive in time, however busy the machine is.
  await using patient = await startServer(options('2m'));
  await patient.run('quick');
  const before = await heapBytes(patient.stderr);
  // One megabyte that takes 21 MB once it is parsed. 60 of these are more than the heap can hold.
  const body = `{"job_id":"takes","async":false,"args":{"list":[${'{},'.repeat(300_000)}{}]}}`;
  const answers = await Promise.all(
    Array.from({ length: 60 }, async () => await patient.fetch('/runs', { body }).then(({ status }) => status)),
  );
  expect(new Set(answers)).toEqual(new Set([201, 503]));
  // For a moment after the last of these requests, the server may refuse all other requests.
  await expect.poll(async () => (await patient.json<{ status: string }>('/health')).status).toBe('healthy');
  await expectToAnswer(patient);
  await expect.poll(async () => (await heapBytes(patient.stderr)) - before).toBeLessThan(24 * mib);
});
