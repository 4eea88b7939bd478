import { spawn } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectSecurely } from 'node:tls';
import { pino } from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { openTlsCertificate } from '../../src/server/tls.ts';
import { type Certificate, createCertificate, createPairFiles, getSecurely } from '../support/a-certificate.ts';
import { sendRaw } from '../support/raw-http.ts';
import { type ServingOptions, startServing } from './serving.ts';

const pem = { type: 'pkcs8', format: 'pem' } as const;
const [first, second] = [createCertificate('first'), createCertificate('second')];

/**
 * Starts a server whose clock advances by a second per reading, so that each connection looks for a new certificate.
 */
async function serveSecurely(pair: Certificate = first, o: ServingOptions = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'flwd-tls-'));
  const { files, put } = createPairFiles(dir, pair);
  const logged: string[] = [];
  let looks = 0;
  const clock = {
    now() {
      looks += 1;
      return Date.now() + looks * 1_000;
    },
  };
  const server = await startServing({
    clock,
    onLog: ({ level, msg, reason = '' }) =>
      void (
        Number(level) >= 30 &&
        String(msg).includes('certificate') &&
        logged.push(`${String(msg)}: ${String(reason)}`)
      ),
    ...o,
    server: { ...o.server, tls: files },
  });
  onTestFinished(async () => {
    await server.close();
    rmSync(dir, { recursive: true });
  });
  return { ...server, files, put, logged };
}

test('the server speaks HTTPS, and recognizes the server’s own user over it', async () => {
  const { url } = await serveSecurely();
  expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
  expect(await getSecurely(`${url}/api/v1/jobs`, first)).toMatchObject({ status: 200, shown: 'first' });
  expect(await getSecurely(`${url.replace('127.0.0.1', 'localhost')}/healthz`, first)).toMatchObject({ status: 204 });
});

test.skipIf(process.getuid?.() !== 0)('another user of the machine needs a token over HTTPS, too', async () => {
  const { url } = await serveSecurely();
  const script = `require('https').get('${url}/api/v1/jobs', { rejectUnauthorized: false }, (r) => console.log(r.statusCode))`;
  const child = spawn(process.execPath, ['-e', script], {
    uid: 65534,
    gid: 65534,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.on('data', (chunk) => {
    printed += chunk;
  });
  await once(child, 'close');
  expect(printed).toBe('401\n');
});

test('a stream of events works over HTTPS', async () => {
  const server = await serveSecurely();
  const run = await server.addRun();
  await run.move('claim');
  await run.print('one', 'two');
  await run.finish();
  const { body, headers } = await getSecurely(`${server.url}/api/v1/runs/${run.id}/logs?follow=true`, first);
  expect(headers['content-type']).toBe('text/event-stream');
  expect(body).toMatch(/"message":"one".*"message":"two".*event: end/s);
});

test.each(['TLSv1', 'TLSv1.1'] as const)('a handshake with %s is refused', async (maxVersion) => {
  const { url } = await serveSecurely();
  const old = { minVersion: 'TLSv1', maxVersion, ciphers: 'ALL:@SECLEVEL=0', rejectUnauthorized: false } as const;
  const socket = connectSecurely({ host: '127.0.0.1', port: Number(new URL(url).port), ...old });
  const [error] = await once(socket, 'error');
  expect(error).toMatchObject({ code: expect.stringMatching(/ALERT_PROTOCOL_VERSION|ECONNRESET/) });
});

describe('a new certificate', () => {
  test('is used for new connections, while open connections continue', async () => {
    const { url, put, logged } = await serveSecurely();
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: first.cert });
    onTestFinished(() => agent.destroy());
    expect(await getSecurely(`${url}/healthz`, first, { agent })).toMatchObject({ status: 204, shown: 'first' });

    put(second);

    expect(await getSecurely(`${url}/healthz`, second)).toMatchObject({ status: 204, shown: 'second' });
    await expect(getSecurely(`${url}/healthz`, first)).rejects.toThrow('self-signed certificate');
    expect(await getSecurely(`${url}/healthz`, first, { agent })).toMatchObject({ status: 204, shown: 'first' });
    expect(logged).toEqual(['the certificate was read again: ']);
  });

  test('that does not fit its key, is invalid or is missing is not used, with one warning each', async () => {
    const { url, put, files, logged } = await serveSecurely();
    const ask = () => getSecurely(`${url}/healthz`, null);
    for (const spoil of [
      () => put({ cert: second.cert, key: first.key }),
      () => put({ cert: '', key: second.key }),
      () => put({ cert: second.cert, key: 'x' }),
      () => rmSync(files.keyFile),
    ]) {
      spoil();
      for (let i = 0; i < 3; i++) expect(await ask()).toMatchObject({ status: 204, shown: 'first' });
    }
    expect(logged.map((line) => line.replaceAll(/\/\S*\//g, ''))).toEqual([
      expect.stringContaining(
        'the earlier one stays in use: `server.tls.key_file`: key.pem does not belong to the certificate in',
      ),
      expect.stringContaining('`server.tls.cert_file`: cert.pem has no certificate in PEM'),
      expect.stringContaining('`server.tls.key_file`: key.pem has no private key in PEM'),
      expect.stringContaining('`server.tls.key_file`: key.pem is not there'),
    ]);
    put(second);
    expect(await ask()).toMatchObject({ shown: 'second' });
  });

  test('is looked for at most once a second, however many connections there are', async () => {
    const { url, put } = await serveSecurely(first, { clock: { now: () => 1_790_000_000_000 } });
    put(second);
    expect(await getSecurely(`${url}/healthz`, null)).toMatchObject({ shown: 'first' });
  });
});

test.each<[string, Partial<Certificate> | 'gone', string]>([
  [
    'a certificate that is not there',
    'gone',
    '`server.tls.cert_file`: /.*cert.pem is not there; put the certificate there',
  ],
  [
    'a file that is not a certificate',
    { cert: first.key },
    '`server.tls.cert_file`: /.*cert.pem has no certificate in PEM format; convert',
  ],
  ['a certificate that is cut off', { cert: first.cert.slice(0, 200) }, 'has no certificate in PEM'],
  [
    'a file that is not a key',
    { key: first.cert },
    '`server.tls.key_file`: /.*key.pem has no private key in PEM format; convert',
  ],
  [
    'the key of another certificate',
    { key: second.key },
    'key.pem does not belong to the certificate in /.*cert.pem; name the private key',
  ],
  [
    'an encrypted key',
    { key: String(createPrivateKey(first.key).export({ ...pem, cipher: 'aes-256-cbc', passphrase: 'x' })) },
    'key.pem is encrypted with a passphrase; remove the passphrase: openssl pkey',
  ],
])('%s prevents the start, and the error says what to do', (_what, wrong, message) => {
  const dir = mkdtempSync(join(tmpdir(), 'flwd-tls-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const { files } = createPairFiles(dir, { ...first, ...(wrong !== 'gone' && wrong) });
  if (wrong === 'gone') rmSync(files.certFile);
  const start = () => openTlsCertificate(files, { clock: systemClock, log: pino({ level: 'silent' }) });
  expect(start).toThrow(new RegExp(message));
});

describe('a connection without TLS', () => {
  test('is closed, and the server keeps running', async () => {
    const { url } = await serveSecurely();
    for (const noise of ['GET / HTTP/1.1\r\nHost: localhost\r\n\r\n', '\0'.repeat(1_000), '\x16\x03\x01\xff\xff']) {
      await sendRaw(url, noise).catch(() => undefined);
    }
    expect(await getSecurely(`${url}/healthz`, first)).toMatchObject({ status: 204 });
  });

  test('is told to use https if it speaks HTTP', async () => {
    const { url } = await serveSecurely();
    const plain = url.replace('https:', 'http:');
    for (const request of [
      'GET /healthz HTTP/1.1\r\n\r\n',
      `POST /api/v1/runs HTTP/1.1\r\nX: ${'x'.repeat(8_000)}\r\n\r\n{}`,
    ]) {
      const { status, head, body } = await sendRaw(plain, request);
      expect([status, head]).toEqual([400, expect.stringContaining('application/problem+json')]);
      expect(JSON.parse(body)).toMatchObject({ detail: 'This port speaks HTTPS; use an https:// URL.' });
    }
    expect(await getSecurely(`${url}/healthz`, first)).toMatchObject({ status: 204 });
  });

  test('is closed after server.read_timeout if nothing is received', async () => {
    const { url } = await serveSecurely(first, { server: { readTimeoutMs: 200 } });
    const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port) });
    await once(socket, 'close');
    // On a busy machine, a request may also take longer than this timeout.
    await expect.poll(async () => (await getSecurely(`${url}/healthz`, first)).status).toBe(204);
  });
});
