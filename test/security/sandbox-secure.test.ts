// Tests every promise of the profile `secure` (docs/security.md) from inside a job, with a server that runs as root and
// with one that does not.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, describe, expect } from 'vitest';
import { testWith } from '../support/host.ts';
import { startServer } from '../support/server.ts';
import { type AttackedHost, attackJob, secureAttacks } from './attacks.ts';

const test = testWith('bwrap', 'python3');

const reached: string[] = [];
const tcp = createServer((socket) => {
  reached.push('tcp');
  socket.destroy();
}).listen(0, '127.0.0.1');
const abstractName = `flwd-attack-${process.pid}`;
const abstract = createServer((socket) => {
  reached.push('abstract');
  socket.destroy();
}).listen(`\0${abstractName}`);
const udp = createSocket('udp4', () => reached.push('udp')).bind(0, '127.0.0.1');
await Promise.all([tcp, abstract, udp].map((server) => once(server, 'listening')));
afterAll(() => {
  for (const server of [tcp, abstract, udp]) server.close();
});

const canary = 'a-value-of-the-servers-environment';
const users = [
  { user: 'the user of these tests' },
  ...(process.getuid?.() === 0 ? [{ user: 'another user than root', uid: 65_534 }] : []),
];

const jobs = Object.fromEntries(
  Object.values(secureAttacks).map(({ script, config }, at) => [`attack-${at}`, attackJob(script, config)]),
);

describe.each(users)('a secure job of a server that runs as $user', async ({ uid }) => {
  const server = await startServer({
    jobs,
    env: { CANARY: canary },
    ...(uid === undefined ? {} : { uid }),
  });
  afterAll(() => server.close());
  const address = tcp.address();
  const host: AttackedHost = {
    serverPort: Number(new URL(server.url).port),
    tcpPort: typeof address === 'object' && address ? address.port : 0,
    udpPort: udp.address().port,
    abstractName,
    hidden: [server.root, server.dataDir, import.meta.dirname],
    // The value is reversed, because the arguments of a job are also in its environment.
    canary: canary.split('').toReversed().join(''),
    serverPid: process.pid,
  };

  for (const [at, [what, { finds }]] of Object.entries(secureAttacks).entries()) {
    test(`cannot reach ${what}`, async () => {
      const run = await server.run(`attack-${at}`, { host: JSON.stringify(host) });
      expect({ error: run.error, found: await server.messages(run.run_id) }).toEqual({ error: null, found: finds });
    });
  }

  test('has sent nothing to the outside', () => {
    expect(reached).toEqual([]);
  });
});
