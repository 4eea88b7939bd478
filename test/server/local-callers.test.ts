// Which connections are checked while a job has network access (ADR 0032). In these tests every check finds a job.

import { spawn } from 'node:child_process';
import dns from 'node:dns';
import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Problem } from '../../src/domain/problem.ts';
import { createLocalCallers, type RunCallers } from '../../src/server/admission/local-callers.ts';
import { testWith } from '../support/host.ts';
import { startServing } from './serving.ts';

/** A server that answers with the name of its caller. */
async function aServer({ host = '127.0.0.1', runs = {} }: { host?: string; runs?: Partial<RunCallers> } = {}) {
  const found: RunCallers = { canCall: () => true, ownerOf: async () => 'run', ...runs };
  const callers = createLocalCallers({ mode: 'auto', proxies: { isTrusted: () => false }, runs: found });
  const server = createServer((asked, response) => {
    const answer = (caller: Awaited<ReturnType<typeof callers.identify>>) =>
      response.setHeader('connection', 'close').end(caller instanceof Problem ? 'nobody' : caller.kind);
    void Promise.resolve(callers.identify(asked)).then(answer);
  });
  const { port } = await listen(server, host);
  return { server, callers, port };
}

async function listen(server: Server, host: string): Promise<AddressInfo> {
  await once(server.listen(0, host), 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('no address');
  return address;
}

/** Runs a Python script and returns its output. */
async function printedBy(script: string): Promise<string> {
  const child = spawn('python3', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const chunks: Buffer[] = await child.stdout.toArray();
  return Buffer.concat(chunks).toString().trim();
}

const python = `
import collections, socket, struct

def connect(own, server):
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.settimeout(5)
    one.bind(own)
    one.connect(server)
    return one

def reset(one):
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    one.close()

def ask(one):
    one.sendall(b'GET / HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\n\\r\\n')
    text = b''
    while more := one.recv(4096): text += more
    return text.decode().split('\\r\\n\\r\\n')[-1]
`;

testWith('python3')(
  'a job that reuses the port of a connection that it has reset is not treated as the server’s user',
  async () => {
    const { server, callers, port } = await aServer();
    callers.watch(server);
    const script = `
seen = collections.Counter()
for n in range(50):
    one = connect(('127.0.0.1', 0), ('127.0.0.1', ${port}))
    own = one.getsockname()
    # The server has accepted it once it has answered another.
    ask(connect(('127.0.0.1', 0), ('127.0.0.1', ${port})))
    reset(one)
    seen[ask(connect(own, ('127.0.0.1', ${port})))] += 1
print(dict(seen))`;
    expect(await printedBy(python + script)).toBe("{'nobody': 50}");
  },
);

testWith('python3')(
  'a job that calls two addresses of the server from one port is not treated as the server’s user at either',
  async () => {
    const { server, callers, port } = await aServer({ host: '0.0.0.0' });
    callers.watch(server);
    const script = `
one = connect(('127.0.0.1', 0), ('127.0.0.1', ${port}))
other = connect(one.getsockname(), ('127.0.0.2', ${port}))
print(ask(other))
other.close()
ask(connect(('127.0.0.1', 0), ('127.0.0.1', ${port})))
print(ask(one))`;
    expect(await printedBy(python + script)).toBe('nobody\nnobody');
  },
);

test('a connection accepted while no job could call needs no check, but an unknown connection does', async () => {
  const { server, callers, port } = await aServer({ runs: { canCall: () => false } });
  expect(await ask(port)).toBe('nobody');
  callers.watch(server);
  expect(await ask(port)).toBe('local');
});

async function ask(port: number): Promise<string> {
  const [response] = await once(request({ host: '127.0.0.1', port }).end(), 'response');
  return Buffer.concat(await response.toArray()).toString();
}

test('if localhost has two addresses, the server listens on IPv4 only', async () => {
  // The test simulates two addresses, because its host may have only one.
  const both = [
    { address: '::1', family: 6 },
    { address: '127.0.0.1', family: 4 },
  ];
  const { lookup } = dns;
  const lookupBoth = (name: string, ...rest: unknown[]) => {
    const done = rest.at(-1);
    if (name === 'localhost' && typeof done === 'function') done(null, both);
    else Reflect.apply(lookup, dns, [name, ...rest]);
  };
  vi.spyOn(dns, 'lookup').mockImplementation(Object.assign(lookupBoth, lookup));
  onTestFinished(() => void vi.restoreAllMocks());
  await using serving = await startServing({ server: { bind: { host: 'localhost', port: 0 } } });
  const { hostname, port } = new URL(serving.url);
  expect(hostname).toBe('127.0.0.1');
  await expect(fetch(`http://[::1]:${port}/healthz`)).rejects.toThrow('fetch failed');
});
