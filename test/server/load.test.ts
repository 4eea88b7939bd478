// What the server does when it is overloaded. These tests simulate the overload. http-flood.test.ts tests that a real
// overload is detected.

import { connect, type Socket } from 'node:net';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { connectionLimit } from '../../src/server/limits/connections.ts';
import { sendRaw } from '../support/raw-http.ts';
import { startServing } from './serving.ts';

let complaint: string | null = null;
const server = await startServing({
  load: { complaint: () => complaint },
  server: { bodyLimitBytes: 8 * 1024 * 1024 },
});
afterAll(() => server.close());

function overloaded(detail: string): void {
  complaint = detail;
  onTestFinished(() => {
    complaint = null;
  });
}

test('under load, expensive requests are refused with Retry-After and the reason', async () => {
  overloaded('the heap is 93 % full');
  const answers = [
    await server.fetch('/jobs'),
    await server.fetch('/runs?q=x'),
    await server.fetch('/runs/run_x/logs?follow=true'),
    await server.fetch('/events/runs'),
    await server.post('/runs', { job_id: 'x' }),
    await server.post('/plans', { job_id: 'x' }),
  ];
  for (const answer of answers) {
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('5');
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(await answer.json()).toMatchObject({
      type: 'https://flowd.org/problems/overloaded',
      detail: 'The server is overloaded: the heap is 93 % full.',
    });
  }
});

test('under load, probes, cancels and deletes are still answered, and health is degraded with the reason', async () => {
  overloaded('timers are 3 s late');
  expect((await server.fetch('//healthz')).status).toBe(204);
  expect((await server.fetch('//readyz')).status).toBe(204);
  expect((await server.fetch('//metrics')).status).toBe(200);
  expect((await server.fetch('/runs/run_x/cancel', { method: 'POST' })).status).toBe(404);
  expect((await server.fetch('/schedules/x', { method: 'DELETE' })).status).toBe(404);
  const health = await server.fetch('/health');
  expect(health.status).toBe(200);
  expect(await health.json()).toMatchObject({
    status: 'degraded',
    checks: { load: { status: 'degraded', detail: 'timers are 3 s late' } },
  });
});

test('request bodies use a limited amount of memory, and free it afterwards', async () => {
  const { hostname, port } = new URL(server.url);
  const senders: Socket[] = [];
  onTestFinished(() => {
    for (const socket of senders) socket.destroy();
  });
  const head = `POST /api/v1/runs HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: application/json\r\n`;
  const sendPart = async (framing: string): Promise<void> => {
    const socket = connect({ host: hostname, port: Number(port) });
    socket.on('error', () => undefined);
    senders.push(socket);
    await new Promise<void>((resolve) => socket.write(`${head}${framing}\r\n\r\n`, () => resolve()));
  };
  const large = '{"job_id":"x"}'.padStart(7 * 1024 * 1024);
  const ask = () => sendRaw(server.url, `${head}Connection: close\r\nContent-Length: ${large.length}\r\n\r\n${large}`);
  // Half of the requests declare a body of the largest size, and the others do not declare a size.
  for (let i = 0; i < 20; i++) await sendPart(`Content-Length: ${8 * 1024 * 1024}`);
  for (let i = 0; i < 20; i++) await sendPart('Transfer-Encoding: chunked');

  await expect.poll(async () => (await ask()).status).toBe(503);
  expect((await server.fetch('/jobs')).status).toBe(200);
  for (const socket of senders) socket.destroy();
  await expect.poll(async () => (await ask()).status).toBe(404);
});

test('a caller that announces bodies but never sends them does not block others', async () => {
  const [idle, other] = [await server.token({ scopes: ['jobs:read'] }), await server.token({ scopes: ['jobs:read'] })];
  const { hostname, port } = new URL(server.url);
  const senders: Socket[] = [];
  onTestFinished(() => {
    for (const socket of senders) socket.destroy();
  });
  const head = `POST /api/v1/plans HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: application/json\r\n`;
  for (let i = 0; i < 40; i++) {
    const socket = connect({ host: hostname, port: Number(port) });
    socket.on('error', () => undefined);
    senders.push(socket);
    const declared = `Authorization: ${idle.headers.authorization}\r\nContent-Length: ${1024 * 1024}\r\n\r\n`;
    await new Promise<void>((resolve) => socket.write(`${head}${declared}{`, () => resolve()));
  }
  const plan = async (headers: Readonly<Record<string, string>>) =>
    (await server.post('/plans', { job_id: 'x'.padEnd(1024 * 1024, 'x') }, headers)).status;
  await expect.poll(() => plan(idle.headers)).toBe(503);
  expect([await plan(other.headers), await plan({})]).toEqual([400, 400]);
});

test('the limit on connections leaves enough file descriptors for runs and files', () => {
  expect(connectionLimit()).toBeGreaterThanOrEqual(128);
  expect(connectionLimit()).toBeLessThanOrEqual(10_000);
});
