import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { sendRaw } from '../support/raw-http.ts';
import { type ServingOptions, startServing } from './serving.ts';

/** Starts a server that trusts these proxies. Returns the address that its audit log records for a failed login. */
async function behind(trustProxy: boolean | readonly string[], o: ServingOptions = {}) {
  const server = await startServing({ ...o, server: { ...o.server, trustProxy } });
  onTestFinished(() => server.close());
  const admin = await server.token({ scopes: ['admin'], tenant: '*' });
  const ask = (path: string, headers: Readonly<Record<string, string>>) => {
    const lines = Object.entries({ Host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    return sendRaw(server.url, `GET /api/v1${path} HTTP/1.1\r\n${lines.join('')}Connection: close\r\n\r\n`);
  };
  return {
    ask,
    async takenFor(forwardedFor: string): Promise<string> {
      await ask('/jobs', { Authorization: 'Bearer wrong', 'X-Forwarded-For': forwardedFor });
      // The entry may be written after the answer.
      return vi.waitFor(
        async () => {
          const response = await server.fetch('/audit?action=auth.fail', { headers: admin.headers });
          const { entries }: { entries: { from: string }[] } = JSON.parse(await response.text());
          expect(entries).toHaveLength(1);
          return String(entries[0]?.from);
        },
        { interval: 25, timeout: 60_000 },
      );
    },
  };
}

describe('the address of a caller', () => {
  test.each<[string, boolean | readonly string[], string, string]>([
    ['who connects, where no proxy is trusted', false, '203.0.113.9', '127.0.0.1'],
    ['who connects, where others are trusted', ['10.0.0.0/8'], '203.0.113.9', '127.0.0.1'],
    ['whom the proxy saw', ['127.0.0.1'], '203.0.113.9', '203.0.113.9'],
    [
      'whom the last proxy saw, whatever stood there before',
      ['127.0.0.0/8'],
      '198.51.100.1, 203.0.113.9',
      '203.0.113.9',
    ],
    ['whom the first of two proxies saw', ['127.0.0.1', '10.0.0.0/8'], '203.0.113.9, 10.1.2.3', '203.0.113.9'],
    ['the first, where everybody is trusted', true, '203.0.113.9, 10.1.2.3', '203.0.113.9'],
    ['an address without its port', ['127.0.0.1'], '203.0.113.9:50000', '203.0.113.9'],
    ['an address of six', ['127.0.0.1'], '[2001:db8::1]:443', '2001:db8::1'],
    ['no text, even where everybody is trusted', true, '<script>, 203.0.113.9', '203.0.113.9'],
    ['who connects, where there is only nonsense', true, 'unknown, a.example, 1.2.3', '127.0.0.1'],
    ['somebody, whatever the length', true, `9.9.9.9, ${'1.1.1.1, '.repeat(1_000)}203.0.113.9`, '1.1.1.1'],
  ])('is %s', async (_what, trust, header, address) => {
    const server = await behind(trust);
    expect(await server.takenFor(header)).toBe(address);
  });
});

test('a caller behind a trusted proxy is never treated as the server’s user, whatever the proxy sends', async () => {
  const { ask } = await behind(['127.0.0.1']);
  for (const headers of [
    {},
    { 'X-Forwarded-For': '127.0.0.1' },
    { 'X-Forwarded-For': '::1', 'X-Forwarded-Host': 'localhost' },
  ]) {
    const answer = await ask('/jobs', headers);
    expect(answer).toMatchObject({ status: 401 });
    expect(answer.body).toContain(
      'The request needs a token (`Authorization: Bearer …`). To create one: `flwd tokens create --name NAME --scopes A,B`.',
    );
  }
  const direct = await behind(['10.0.0.1']);
  expect(await direct.ask('/jobs', {})).toMatchObject({ status: 200 });
});

test('behind a trusted proxy any `Host` is accepted, unless auth.mode is `none`', async () => {
  const { ask } = await behind(['127.0.0.1']);
  expect(await ask('/health', { Host: 'flwd.example.org' })).toMatchObject({ status: 200 });
  expect(await ask('/jobs', { Host: 'flwd.example.org' })).toMatchObject({ status: 401 });
  const direct = await behind(['10.0.0.1']);
  expect(await direct.ask('/health', { Host: 'flwd.example.org' })).toMatchObject({ status: 403 });
  const open = await behind(['127.0.0.1'], { authMode: 'none' });
  expect(await open.ask('/jobs', { Host: 'rebound.example' })).toMatchObject({ status: 403 });
});

test('behind a trusted proxy, the server’s own origin has the name and scheme that the client used', async () => {
  const forwarded = { 'X-Forwarded-Host': 'flwd.example.org', 'X-Forwarded-Proto': 'https' };
  const page = { Origin: 'https://flwd.example.org', Authorization: 'Bearer wrong', ...forwarded };
  expect(await (await behind(['127.0.0.1'])).ask('/jobs', page)).toMatchObject({ status: 401 });
  expect(await (await behind(['10.0.0.1'])).ask('/jobs', page)).toMatchObject({ status: 403 });
});
