// Commands that use an HTTPS server whose certificate no client on this machine trusts.

import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { connect, createServer as createListener, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createPinnedFetch } from '../../src/cli/session/pinned-fetch.ts';
import { createCertificate, createPairFiles, getSecurely } from '../support/a-certificate.ts';
import { createFolder, flwd, start } from './terminal.ts';

const own = createCertificate('own', 'DNS:flwd.example.org');
const renewed = createCertificate('renewed', 'DNS:flwd.example.org');

test('the server’s own user reaches it, because flwd pins its certificate', async () => {
  const dir = createFolder();
  mkdirSync(join(dir, 'jobs'));
  const { files, put } = createPairFiles(dir, own);
  const tls = { cert_file: files.certFile, key_file: files.keyFile };
  const config = { instance: { data_dir: 'data' }, server: { bind: '127.0.0.1:0', tls }, auth: { mode: 'required' } };
  writeFileSync(join(dir, 'flwd.yaml'), JSON.stringify(config));
  const { child, ended, prints } = start(dir, ['serve']);
  const [, url] = await prints(/listening on (https:\S+)/);

  expect(await flwd(dir, 'gc')).toMatchObject({ code: 0, stdout: expect.stringContaining('removed nothing') });
  expect(await flwd(dir, 'tokens', 'create', '--name', 'ci', '--scopes', 'runs:read')).toMatchObject({ code: 0 });
  // Without the configuration file, the command finds the certificate through the data dir.
  const list = await flwd(createFolder(), 'tokens', 'list', '--data-dir', join(dir, 'data'));
  expect(list).toMatchObject({ code: 0, stdout: expect.stringContaining('ci') });

  put(renewed);
  await expect.poll(async () => (await getSecurely(`${url}/healthz`, null)).shown).toBe('renewed');
  expect(await flwd(dir, 'gc')).toMatchObject({ code: 0 });

  child.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 0 });
});

test('nothing is sent to a server with another certificate', async () => {
  let asked = 0;
  const other = createServer(renewed, (_request, response) => {
    asked += 1;
    response.end();
  });
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void other.close());
  const address = other.address();
  const url = `https://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/`;
  const send = createPinnedFetch('AB:CD');
  await expect(send(url, { method: 'GET', headers: {} })).rejects.toThrow('is not the one that this data dir');
  expect(asked).toBe(0);
});

test('a client that never begins its handshake does not keep the server from stopping', async () => {
  const dir = createFolder();
  mkdirSync(join(dir, 'jobs'));
  const { files } = createPairFiles(dir, own);
  const tls = { cert_file: files.certFile, key_file: files.keyFile };
  const server = { bind: '127.0.0.1:0', tls, read_timeout: '10m' };
  writeFileSync(join(dir, 'flwd.yaml'), JSON.stringify({ instance: { data_dir: 'data' }, server }));
  const { child, ended, prints } = start(dir, ['serve']);
  const [, port] = await prints(/listening on https:\/\/127\.0\.0\.1:(\d+)/);
  const silent = connect(Number(port), '127.0.0.1');
  onTestFinished(() => void silent.destroy());
  await once(silent, 'connect');

  child.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 0 });
});

describe('if the listener does not speak TLS', () => {
  /** Accepts connections and never sends anything. */
  async function listen() {
    const sockets: Socket[] = [];
    const silent = createListener((socket) => void sockets.push(socket.on('error', () => undefined).resume()));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      silent.close();
    });
    const address = silent.address();
    return { url: `https://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/`, sockets };
  }

  test('a command gives up, says so, and hangs up', async () => {
    const { url, sockets } = await listen();
    const send = createPinnedFetch('AB:CD', { connectMs: 50 });
    await expect(send(url, { method: 'GET', headers: {} })).rejects.toThrow(
      'did not complete the TLS handshake within 50ms',
    );
    await expect.poll(() => sockets.map(({ destroyed, readableEnded }) => destroyed || readableEnded)).toEqual([true]);
  });

  test('an aborted request ends at once', async () => {
    const { url, sockets } = await listen();
    const caller = new AbortController();
    const asked = createPinnedFetch('AB:CD')(url, { method: 'GET', headers: {}, signal: caller.signal });
    await expect.poll(() => sockets.length).toBe(1);
    caller.abort();
    await expect(asked).rejects.toMatchObject({ name: 'AbortError' });
    await expect.poll(() => sockets.map(({ destroyed, readableEnded }) => destroyed || readableEnded)).toEqual([true]);
  });
});
