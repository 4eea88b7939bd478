// A job of an untrusted source tries to make the server call the server's own addresses, those of its local network
// link, and the metadata service of its cloud (ADR 0077).

import { isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { describe, expect, test, vi } from 'vitest';
import { sendRequest } from '../../src/lib/http/http-request.ts';
import { createReach } from '../../src/notify/reach.ts';
import { dataFolder, openNotifier } from '../notify/a-notifier.ts';
import { answerWith, type Receiver, startReceiver } from '../support/receiver.ts';

const mayReach = reachWith();

function reachWith(allow: readonly string[] = []) {
  const reach = createReach(['ext'], allow)('ext/calls', false);
  if (!reach) throw new Error('jobs of the source are not bound');
  return reach;
}

function call(url: string, reach = mayReach) {
  const signal = new AbortController().signal;
  const request = { method: 'POST', headers: {}, body: '{}', nowMs: 0, timeoutMs: 5_000, signal };
  return sendRequest({ ...request, url, mayReach: reach });
}

const forbidden = { kind: 'unreachable', isForbidden: true, hasTimedOut: false };

test.for([
  '127.0.0.1',
  '127.8.9.10',
  '0.0.0.0',
  '::',
  '::1',
  '::ffff:127.0.0.1',
  '::ffff:a9fe:a9fe',
  '::7f00:1',
  '64:ff9b::127.0.0.1',
  '64:ff9b::7f00:1%eth0',
  '64:ff9b::169.254.169.254',
  '64:ff9b::100.100.100.200',
  '64:ff9b::',
  '64:ff9b:1::7f00:1',
  '169.254.169.254',
  'fe80::1',
  'fe80::1%eth0',
  '224.0.0.1',
  '255.255.255.255',
  'ff02::1',
  'fd00:ec2::254',
  'fd00:ec2::23',
  'fd00:c1::a9fe:a9fe',
  'fd00:42::42',
  'fd20:ce::254',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
])('an untrusted job cannot make the server call %s', (address) => {
  expect(mayReach('example.org', address)).toBe(false);
});

test('a job that no longer exists, or whose source was removed, is treated as untrusted', () => {
  const reach = createReach([], []);
  expect(reach(undefined, false)?.('example.org', '127.0.0.1')).toBe(false);
  expect(reach('gone/calls', true)?.('example.org', '127.0.0.1')).toBe(false);
  expect(reach('calls', false)).toBeUndefined();
});

test('an untrusted job can make the server call other addresses, but not the server’s own', () => {
  const own = Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address));
  expect(own).not.toEqual([]);
  const translated = own.filter(isIPv4).map((address) => `64:ff9b::${address}`);
  for (const address of [...own, ...translated]) expect(mayReach('example.org', address)).toBe(false);
  for (const address of ['192.0.2.7', '10.255.1.2', '2001:db8::7', '64:ff9b::192.0.2.7'])
    expect(mayReach('example.org', address)).toBe(true);
});

describe('a receiver on the server’s own machine', () => {
  /** Returns the address of the receiver under another host name. */
  const at = ({ url }: Receiver, host: string) => url.replace('127.0.0.1', host);

  test.for([
    '127.0.0.1',
    '2130706433',
    '0x7f.1',
    '017700000001',
    '127.1',
    '0',
    '[::ffff:127.0.0.1]',
    'localhost',
    'LOCALHOST',
  ])('is not called under the name %s', async (host) => {
    const receiver = await startReceiver();
    expect(await call(at(receiver, host))).toMatchObject(forbidden);
    expect(receiver.received).toEqual([]);
  });

  test('is not called because of a redirect', async () => {
    const [away, receiver] = [await startReceiver(), await startReceiver()];
    away.answer = answerWith(307, { location: receiver.url });
    expect(await call(at(away, '127.0.0.1'), reachWith([]))).toMatchObject(forbidden);
    expect(await call(at(away, '127.0.0.1'), reachWith(['127.0.0.1']))).toMatchObject({ status: 307 });
    expect([away.received.length, receiver.received.length]).toEqual([1, 0]);
  });

  test.for([
    ['an address', '127.0.0.1', ['127.0.0.1']],
    ['a range', '127.0.0.1', ['127.0.0.0/8']],
    ['the name', 'localhost', ['localhost']],
    ['the range of a name', 'localhost', ['127.0.0.0/8', '::1']],
  ] as const)('is called if `notify.allow` lists %s', async ([, host, allow]) => {
    const receiver = await startReceiver();
    expect(await call(at(receiver, host), reachWith(allow))).toMatchObject({ kind: 'answered', status: 200 });
    expect(receiver.received).toMatchObject([{ body: '{}' }]);
  });

  test('is not called over an open connection of a trusted job', async () => {
    const receiver = await startReceiver();
    const signal = new AbortController().signal;
    const request = { method: 'POST', headers: {}, body: '{}', nowMs: 0, timeoutMs: 5_000, signal };
    expect(await sendRequest({ ...request, url: at(receiver, 'localhost') })).toMatchObject({ status: 200 });
    expect(await call(at(receiver, 'localhost'))).toMatchObject(forbidden);
    expect(receiver.received).toHaveLength(1);
  });
});

test.for([
  ['is there', ['ext'], 'ext/calls', false],
  ['has been removed', [], 'ext/calls', true],
] as const)(
  'if the source %s, a notification and a heartbeat fail at once and say what the operator can do',
  async ([, mountPaths, jobId, isUntrusted]) => {
    const receiver = await startReceiver();
    const reachOf = createReach(mountPaths, []);
    const { end, store, log } = await openNotifier(dataFolder(), { reachOf });
    const webhook = `${receiver.url}/secret-path`;
    const rules = [
      { on: ['success'], webhook },
      { on: ['success'], heartbeat: { scheduleId: 'schedule_1', to: webhook } },
    ] as const;
    const untrusted = await end(rules, 'succeed', { run: { jobId }, isUntrusted });
    const last_error = expect.stringMatching(/^it leads to the server itself.* only if `notify\.allow` lists it$/);
    await vi.waitFor(
      async () => {
        const ended = [{ status: 'failed', attempts: 1, last_error, next_attempt_at: null }];
        expect(await store.notifications.list(untrusted)).toMatchObject(ended);
        const called = { nextAtMs: null, lastFailure: { error: last_error } };
        expect(await store.heartbeats.find('schedule_1')).toMatchObject(called);
      },
      { interval: 20, timeout: 60_000 },
    );
    expect(receiver.received).toEqual([]);
    expect(JSON.stringify(log)).not.toContain('secret-path');

    // A job whose id only begins with the same letters belongs to another source.
    const trusted = await end([{ on: ['success'], webhook }], 'succeed', { run: { jobId: 'extra/calls' } });
    await vi.waitFor(
      async () => expect(await store.notifications.list(trusted)).toMatchObject([{ status: 'delivered' }]),
      { interval: 20, timeout: 60_000 },
    );
  },
);
