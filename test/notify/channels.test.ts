// Channels: which events a rule reports, and what happens when a channel or its secret is missing.

import { expect, test, vi } from 'vitest';
import { matchesJob, rulesFor } from '../../src/domain/notification.ts';
import { aRun } from '../store/a-run.ts';
import { answerWith, startReceiver } from '../support/receiver.ts';
import { aChannel } from './a-channel.ts';
import { dataFolder, type Opened, openNotifier } from './a-notifier.ts';

function when<T>(look: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(look, { interval: 10, timeout: 60_000 });
}

async function openChannel(dir = dataFolder()) {
  const receiver = await startReceiver();
  const channels = [aChannel({ type: 'webhook', url: receiver.url })];
  const told = () =>
    receiver.received.map(({ body }) => JSON.parse(body).data).map(({ event, message }) => [event, message.reason]);
  return { receiver, channels, told, opened: await openNotifier(dir, { channels }), dir };
}

test('after a failure, a success counts as fixed, another failure as still failing, and a cancelled run as neither', async () => {
  const { opened, told } = await openChannel();
  const rule = [{ on: ['failed', 'fixed', 'still_failing'], channel: 'team' }] as const;
  const change = { error: { message: 'exit code 3' } };
  for (const [move, count] of [
    ['succeed', 0],
    ['fail', 1],
    ['fail', 2],
    ['cancel', 2],
    ['fail', 3],
    ['succeed', 4],
    ['succeed', 4],
    ['fail', 5],
  ] as const) {
    await opened.end(rule, move, move === 'fail' ? { change } : {});
    await when(() => expect(told()).toHaveLength(count));
  }
  expect(told()).toEqual([
    ['failed', 'Exit code 3.'],
    ['still_failing', '2nd failure in a row. Exit code 3.'],
    ['still_failing', '3rd failure in a row. Exit code 3.'],
    ['fixed', 'It succeeded in 1.5s, after 3 failures in a row.'],
    ['failed', 'Exit code 3.'],
  ]);
});

test('a message about a cancelled run says who cancelled it, if that is known', async () => {
  const { opened, told } = await openChannel();
  const rule = [{ on: ['cancelled'], channel: 'team' }] as const;
  const parent = { run_id: 'run_parent', step_id: 'sub' };
  for (const [count, more] of [
    {},
    { cancelBy: 'mara' },
    { cancelBy: 'run:run_newer' },
    { cancelBy: 'run:run_parent', run: { parent } },
  ].entries()) {
    await opened.end(rule, 'cancel', more);
    await when(() => expect(told()).toHaveLength(count + 1));
  }
  expect(told()).toEqual([
    ['cancelled', 'It was cancelled after 1.5s.'],
    ['cancelled', 'It was cancelled by mara after 1.5s.'],
    ['cancelled', 'It was cancelled by the newer run run_newer after 1.5s.'],
    ['cancelled', 'It was cancelled by its parent run run_parent after 1.5s.'],
  ]);
});

test('a success of a run that was created before the failed runs does not count as fixed', async () => {
  const { opened, told } = await openChannel();
  const rule = [{ on: ['failed', 'fixed', 'success'], channel: 'team' }] as const;
  const slow = aRun().id;
  const change = { error: { message: 'exit code 3' } };
  const failed = aRun().id;
  for (const [move, more, count] of [
    ['fail', { change }, 1],
    ['fail', { change, run: { id: failed } }, 2],
    ['succeed', { run: { id: slow } }, 3],
    ['succeed', {}, 4],
  ] as const) {
    await opened.end(rule, move, more);
    await when(() => expect(told()).toHaveLength(count));
  }
  expect(told()).toEqual([
    ['failed', 'Exit code 3.'],
    ['failed', '2nd failure in a row. Exit code 3.'],
    ['success', 'It succeeded in 1.5s.'],
    ['fixed', 'It succeeded in 1.5s, after 2 failures in a row.'],
  ]);
});

test('a message about a job with steps begins with the id of the failed step, which is not capitalised', async () => {
  const { opened, told } = await openChannel();
  const rule = [{ on: ['failed'], channel: 'team' }] as const;
  await opened.end(rule, 'fail', { change: { error: { message: 'exited with code 1', step_id: 'transform' } } });
  await when(() => expect(told()).toHaveLength(1));
  await opened.end(rule, 'fail', {
    change: { error: { message: 'exited with code 1', step_id: 'step_01' } },
    run: { jobId: 'other' },
  });
  await when(() =>
    expect(told()).toEqual([
      ['failed', 'transform: exited with code 1.'],
      ['failed', 'Exited with code 1.'],
    ]),
  );
});

test('whether a job is failing is stored across a restart, for each job and tenant', async () => {
  const { opened, told, channels, dir } = await openChannel();
  const rule = [{ on: ['failed', 'fixed'], channel: 'team' }] as const;
  await opened.end(rule, 'fail');
  await when(() => expect(opened.notifier.outcomes.delivered).toBe(1));
  await opened.close();

  const again = await openNotifier(dir, { channels });
  await again.end(rule, 'succeed', { run: { jobId: 'other' } });
  await again.end(rule, 'succeed', { run: { tenant: 'acme' } });
  await again.end(rule, 'succeed');
  await when(() => expect(told().map(([event]) => event)).toEqual(['failed', 'fixed']));
});

test('failures that end together are counted in the order in which they ended', async () => {
  const { opened, channels, told, dir } = await openChannel();
  await opened.notifier.close();
  const rule = [{ on: ['failed', 'fixed', 'still_failing'], channel: 'team' }] as const;
  for (const move of ['fail', 'fail', 'succeed', 'fail'] as const) await opened.end(rule, move);
  await opened.close();
  await openNotifier(dir, { channels });
  await when(() => expect(told()).toHaveLength(4));
  const events = told().map(([event]) => String(event));
  expect(events.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(['failed', 'failed', 'fixed', 'still_failing']);
});

test.each(['a channel', 'the address of a job'])(
  'the log says once that messages to %s cannot be sent, and once that they are sent again',
  async (what) => {
    const { receiver, opened, channels, dir } = await openChannel();
    const isChannel = what === 'a channel';
    const rule = isChannel
      ? ([{ on: ['failed'], channel: 'team' }] as const)
      : ([{ on: ['failed'], webhook: receiver.url }] as const);
    const to = isChannel ? { channel: 'team' } : { job_id: 'backup/daily', origin: new URL(receiver.url).origin };
    const said = ({ log }: Opened) =>
      log
        .filter(({ msg }) => String(msg).startsWith('messages to '))
        .map(({ msg, error, channel, job_id, origin }) => ({ msg, error, channel, job_id, origin }));
    const fails = {
      ...to,
      msg: `messages to ${what} cannot be sent; flwd tries again for 22 hours`,
      error: 'the answer was 503',
    };
    const works = { ...to, msg: `messages to ${what} arrive again` };
    receiver.answer = answerWith(503);
    for (const _ of [1, 2, 3]) await opened.end(rule);
    await when(() => expect(opened.notifier.outcomes.retried).toBe(3));
    expect(said(opened)).toEqual([fails]);
    await opened.close();

    receiver.answer = answerWith(200);
    const again = await openNotifier(dir, { channels, nowMs: opened.time.nowMs + 60_000 });
    await when(() => expect(again.notifier.outcomes.delivered).toBe(3));
    expect(said(again)).toEqual([works]);
    receiver.answer = answerWith(503);
    await again.end(rule);
    await when(() => expect(again.notifier.outcomes.retried).toBe(1));
    expect(said(again)).toEqual([works, fails]);
  },
);

test('when the last failed run of a job is removed, its failures are forgotten', async () => {
  const { opened, told } = await openChannel();
  const runId = await opened.end([{ on: ['failed'], channel: 'team' }], 'fail');
  await when(() => expect(told()).toHaveLength(1));
  expect(await opened.store.notifications.failing(['backup/daily'])).toMatchObject([{ runId, failures: 1 }]);
  await opened.store.db.transact((tx) => tx.db.deleteFrom('runs').where('id', '=', runId).execute());
  expect(await opened.store.notifications.failing(['backup/daily'])).toEqual([]);
});

test('a run that succeeds writes nothing to the database if no rule reports successes', async () => {
  const { opened } = await openChannel();
  for (let n = 0; n < 5; n += 1) await opened.end([{ on: ['failed', 'fixed'], channel: 'team' }], 'succeed');
  await opened.notifier.close();
  const { read } = opened.store.db;
  expect(await read.selectFrom('notices').selectAll().execute()).toEqual([]);
  expect(await read.selectFrom('failing_jobs').selectAll().execute()).toEqual([]);
});

async function errorOf(opened: Opened, runId: string): Promise<string | null> {
  return when(async () => {
    const [notification] = await opened.store.notifications.list(runId);
    expect(notification?.attempts).toBe(1);
    expect(notification).toMatchObject({ status: 'pending', channel: 'team', origin: null, event: 'failed' });
    return notification?.last_error ?? null;
  });
}

test.each([
  [
    'has a secret that is not stored',
    [aChannel({ type: 'slack', url: { secret: 'slack' } })],
    {},
    'a secret that it needs is not stored, or cannot be read',
  ],
  [
    'has a secret that is no address',
    [aChannel({ type: 'slack', url: { secret: 'slack' } })],
    { slack: 'https://user:S3CRET@example.org' },
    'the address is not an http or https URL without a user and password',
  ],
  [
    'has a secret that no header can hold',
    [aChannel({ type: 'gotify', url: 'http://127.0.0.1:9', token: { secret: 'slack' } })],
    { slack: 'S3CRET\nX-Injected: 1' },
    '`token` has a character that a header cannot contain',
  ],
  [
    'cannot be reached',
    [aChannel({ type: 'slack', url: 'http://127.0.0.1:9/S3CRET' })],
    {},
    'it cannot be reached (no connection)',
  ],
  [
    'has an expression without a value',
    [aChannel({ type: 'template', url: 'http://127.0.0.1:9', body: 'run.nothing' })],
    {},
    '`body` has no value: no such key: nothing',
  ],
])(
  'for a channel that %s, the delivery shows the error and is tried again',
  async (_what, channels, secrets, error) => {
    const opened = await openNotifier(dataFolder(), { channels, secrets });
    const runId = await opened.end([{ on: ['failed'], channel: 'team' }], 'fail');
    const found = await errorOf(opened, runId);
    expect(found?.replace(/\([\w ]+\)$/, '(no connection)')).toBe(error);
    expect(JSON.stringify([opened.log, found])).not.toContain('S3CRET');
  },
);

test('a notification for a channel that flwd.yaml does not have is given up at once', async () => {
  const opened = await openNotifier(dataFolder(), {});
  const runId = await opened.end([{ on: ['failed'], channel: 'team' }], 'fail');
  await when(async () =>
    expect(await opened.store.notifications.list(runId)).toMatchObject([
      {
        status: 'failed',
        attempts: 1,
        next_attempt_at: null,
        last_error: "flwd.yaml has no channel 'team', so the message was not sent",
      },
    ]),
  );
});

test('a secret that is stored later is used for the next attempt', async () => {
  const receiver = await startReceiver();
  const secrets: Record<string, string> = {};
  const channels = [aChannel({ type: 'slack', url: { secret: 'slack' } })];
  const opened = await openNotifier(dataFolder(), { channels, secrets });
  const runId = await opened.end([{ on: ['failed'], channel: 'team' }], 'fail');
  await errorOf(opened, runId);
  secrets.slack = `${receiver.url}/T0KEN\n`;
  opened.time.nowMs += 5_000;
  await when(() => expect(receiver.received.map(({ path }) => path)).toEqual(['/T0KEN']));
});

test('a redirect of a channel is not followed, and Retry-After is respected', async () => {
  const { opened, receiver } = await openChannel();
  receiver.answer = answerWith(302, { location: 'http://127.0.0.1:9/', 'retry-after': '60' });
  const runId = await opened.end([{ on: ['failed'], channel: 'team' }], 'fail');
  expect(await errorOf(opened, runId)).toBe('the answer was 302, and redirects are not followed');
  const [notification] = await opened.store.notifications.list(runId);
  expect(notification?.next_attempt_at).toBe('2024-01-15T10:31:00.000Z');
});

test.each([
  ['**', 'a/b', true],
  ['prod/**', 'prod/a', true],
  ['prod/**', 'prod/a/b', true],
  ['prod/**', 'prod', false],
  ['prod/**', 'product/a', false],
  ['*/backup', 'db/backup', true],
  ['*/backup', 'db/x/backup', false],
  ['**/backup', 'db/x/backup', true],
  ['**/backup', 'backup', true],
  ['db/nightly-*', 'db/nightly-1', true],
  ['*a*b*', 'xaxbx', true],
  ['*ab', 'ab', true],
  ['a*a', 'a', false],
  ['exact', 'exact', true],
  ['exact', 'exactly', false],
])('whether the pattern %s matches the job %s is %s', (pattern, jobId, expected) => {
  expect(matchesJob(pattern, jobId)).toBe(expected);
});

test('a run follows the rules of its job and the rules of flwd.yaml that match it', () => {
  const own = [{ on: ['success'], webhook: 'https://example.org' }] as const;
  const rules = [
    { jobs: ['prod/**', 'db'], terms: { on: ['failed'] }, to: ['team', 'pager'] },
    { jobs: ['dev/**'], terms: { on: ['failed'] }, to: ['team'] },
  ] as const;
  expect(rulesFor('prod/a', own, rules)).toEqual([
    ...own,
    { on: ['failed'], channel: 'team' },
    { on: ['failed'], channel: 'pager' },
  ]);
  expect(rulesFor('other', [], rules)).toEqual([]);
});
