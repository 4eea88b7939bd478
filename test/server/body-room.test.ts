// Webhooks accept bodies from unknown callers. In these tests, callers announce bodies but never send them, each from
// its own addresses.

import { createHmac, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { startServing } from './serving.ts';

const mebibyte = 2 ** 20;
const key = 'the key of the sender';
const server = await startServing({
  // With this limit, all anonymous callers together get at least 4 MiB, and each address gets at least 1 MiB but less
  // than 2 MiB.
  server: { bodyLimitBytes: 16 * mebibyte, readTimeoutMs: 120_000 },
  jobs: { deploy: bash('true', { webhooks: [{ name: 'push', scheme: 'hmac', secret: 'signing' }] }) },
});
const { hostname, port } = new URL(server.url);
afterAll(() => server.close());
beforeAll(async () => {
  const headers = { 'content-type': 'application/json' };
  await server.fetch('/secrets/signing', { method: 'PUT', headers, body: JSON.stringify({ value: key }) });
});

type Framing = `Content-Length: ${number}` | 'Transfer-Encoding: chunked';

/** Announces a body, and waits until the server has reserved memory for it or has refused it. */
async function announce(from: string, framing: Framing = `Content-Length: ${mebibyte}`) {
  const socket: Socket = connect({ host: hostname, port: Number(port), localAddress: from });
  socket.on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  socket.write(`POST /hooks/deploy/push HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n${framing}\r\n\r\n`);
  let answer = '';
  socket.on('data', (chunk) => (answer += String(chunk)));
  await expect.poll(() => answer).toContain('100 Continue');
  return { isHeld: () => !socket.closed && !answer.includes(' 503 ') };
}

async function announceFromMany() {
  const announced: Awaited<ReturnType<typeof announce>>[] = [];
  for (let i = 1; i <= 20; i++) announced.push(await announce(`127.0.1.${i}`));
  return announced;
}

/** Sends a signed delivery. @returns the status of the answer */
async function deliver(from: string, sizeBytes = 1_000, isChunked = false): Promise<number | undefined> {
  const body = JSON.stringify({ id: randomUUID() }).padEnd(sizeBytes);
  const signature = createHmac('sha256', key).update(body).digest('hex');
  const sent = request(`${server.url}/hooks/deploy/push`, {
    method: 'POST',
    localAddress: from,
    agent: false,
    headers: {
      'content-type': 'application/json',
      'x-signature-256': `sha256=${signature}`,
      ...(isChunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': sizeBytes }),
    },
  });
  const answered = once(sent, 'response');
  sent.end(body);
  const [answer]: IncomingMessage[] = await answered;
  answer?.resume();
  return answer?.statusCode;
}

test('one address that announces bodies but never sends them does not block deliveries of other addresses', async () => {
  for (let i = 0; i < 20; i++) await announce('127.0.0.1');
  expect(await deliver('127.0.0.1', mebibyte)).toBe(503);
  expect(await deliver('127.0.0.2', mebibyte)).toBe(202);
});

test('many addresses that announce large bodies do not block smaller deliveries or callers with a token', async () => {
  const announced = await announceFromMany();
  const held = () => announced.filter(({ isHeld }) => isHeld()).length;
  await expect.poll(held).toBeLessThan(20);
  const heldBefore = held();
  expect(await deliver('127.0.0.2', mebibyte / 2)).toBe(202);
  await expect.poll(held).toBe(heldBefore - 1);
  const { headers } = await server.token();
  expect((await server.post('/plans', { job_id: 'deploy', args: {} }, headers)).status).toBe(200);
});

test('an announced body is not aborted in favour of another one of the same size', async () => {
  const announced = await announceFromMany();
  expect(await deliver('127.0.0.2', mebibyte)).toBe(503);
  expect(announced[0]?.isHeld()).toBe(true);
});

test('a body of unknown length reserves as much memory as the largest body that a webhook accepts', async () => {
  for (let i = 1; i <= 3; i++) await announce(`127.0.2.${i}`, 'Transfer-Encoding: chunked');
  expect(await deliver('127.0.2.1', 1_000, true)).toBe(503);
  expect(await deliver('127.0.0.2', 1_000, true)).toBe(202);
});
