import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fingerprintOf } from '../../src/store/failure-fingerprint.ts';
import type { DueNotification, NewNotification } from '../../src/store/notifications.ts';
import type { NewRun } from '../../src/store/run/runs.ts';
import { aRun } from './a-run.ts';
import { engines, nowMs, type Opened } from './engines.ts';
import { moveRun } from './moves.ts';

describe.each(engines)('notifications on $engine', ({ open }) => {
  let dir: string;
  let store: Opened;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'flwd-notices-'));
    store = await open(dir);
  });
  afterEach(async () => {
    await store.database.close();
    await rm(dir, { recursive: true });
  });

  async function addRun(over: Partial<NewRun> = {}): Promise<string> {
    const run = aRun(over);
    await store.database.transact((tx) => store.runs.add(tx, run));
    return run.id;
  }

  function aNotification(n: number, over: Partial<NewNotification> = {}): NewNotification {
    const to = { channel: 'team', webhook: null };
    const what = { event: 'failed', stepId: null, failures: 1 } as const;
    const when = { createdAtMs: nowMs, dueAtMs: nowMs + n, isInDigest: false };
    return { id: `notice_${n}`, runId: null, eventId: 7, n, ...what, ...to, ...when, ...over };
  }
  const add = (...added: readonly NewNotification[]): Promise<void> =>
    store.database.transact((tx) => store.notifications.add(tx, added));
  const failed = (id: string, nextAtMs: number, takenBy: readonly string[] = []): Promise<void> => {
    const attempt = { status: 'pending', attempts: 1, error: 'the answer was 503', takenBy, nextAtMs } as const;
    return store.database.transact((tx) => store.notifications.settle(tx, id, { ...attempt, atMs: nowMs }));
  };
  const idsOf = (found: readonly DueNotification[]): string[] => found.map(({ id }) => id);

  test('runs that have ended or wait for an approval are found by their events', async () => {
    const notify = [{ on: ['failed'], channel: 'team' }] as const;
    const base = aRun();
    const run = aRun({ plan: { ...base.plan, job: { ...base.plan.job, notify } } });
    await store.database.transact(async (tx) => {
      await store.runs.add(tx, run);
      await moveRun(tx, store.runs, run.id, 'claim', { atMs: nowMs });
      await moveRun(tx, store.runs, run.id, 'fail', {
        atMs: nowMs + 1,
        reason: 'exit',
        error: { message: 'disk full' },
      });
    });
    const toId = await store.journal.latestId();
    const fingerprint = fingerprintOf({ reason: 'exit', message: 'disk full' });
    const about = { jobId: run.jobId, tenant: 'default', status: 'failed', fingerprint, stepId: null, notify };
    expect(await store.notifications.reported({ fromId: 1, toId })).toMatchObject([{ runId: run.id, ...about }]);
    expect(await store.notifications.cursor()).toBe(1);
    await store.database.transact((tx) => store.notifications.moveCursor(tx, toId + 1));
    expect(await store.notifications.cursor()).toBe(toId + 1);
  });

  test('the number of failures of a job is stored until it succeeds again', async () => {
    const job = { tenant: 'default', jobId: 'backup/daily', runId: await addRun(), failures: 1, told: { team: nowMs } };
    const set = (over: Partial<typeof job>) =>
      store.database.transact((tx) => store.notifications.setFailing(tx, { ...job, ...over }));
    await set({});
    await set({ tenant: 'acme' });
    const again = { runId: await addRun(), failures: 2, told: { team: nowMs + 1 } };
    await set(again);
    expect(await store.notifications.failing([])).toEqual([]);
    expect(
      (await store.notifications.failing(['backup/daily', 'other'])).toSorted((a, b) => b.failures - a.failures),
    ).toEqual([
      { ...job, ...again },
      { ...job, tenant: 'acme' },
    ]);
    await store.database.transact((tx) => store.notifications.setFixed(tx, job));
    expect(await store.notifications.failing(['backup/daily'])).toEqual([{ ...job, tenant: 'acme' }]);
  });

  test('a digest has the notifications of its channel and time, and is split once some addresses have received it', async () => {
    const runId = await addRun();
    const digest = { runId, isInDigest: true, dueAtMs: nowMs + 60 };
    await add(aNotification(1, digest), aNotification(2, digest), aNotification(3, { runId }));
    await add(aNotification(4, { ...digest, channel: 'ops', dueAtMs: nowMs + 50 }));
    // This is the same rule of the same event again.
    await add(aNotification(1, { ...digest, id: 'notice_again' }));
    expect(await store.notifications.openDigests(nowMs)).toEqual(
      expect.arrayContaining([
        ['team', nowMs + 60],
        ['ops', nowMs + 50],
      ]),
    );
    expect(await store.notifications.nextDueAtMs(nowMs)).toBe(nowMs + 3);
    const due = await store.notifications.due(nowMs + 60, [], 10);
    expect(idsOf(due)).toEqual(expect.arrayContaining(['notice_1', 'notice_2', 'notice_3', 'notice_4']));
    expect(idsOf(await store.notifications.due(nowMs + 60, ['channel:team'], 10))).toEqual(['notice_4']);
    const find = (id: string) => due.find((one) => one.id === id) ?? expect.unreachable(id);
    expect(find('notice_3')).toMatchObject({ digestAtMs: null, takenBy: [] });
    expect(idsOf(await store.notifications.digest(find('notice_1')))).toEqual(['notice_1', 'notice_2']);

    await failed('notice_2', nowMs + 60, ['ops@example.org']);
    expect(idsOf(await store.notifications.digest(find('notice_1')))).toEqual(['notice_1']);
    expect(idsOf(await store.notifications.digest({ ...find('notice_2'), takenBy: ['ops@example.org'] }))).toEqual([
      'notice_2',
    ]);
    await store.database.transact((tx) => store.notifications.moveDues(tx, 1_000));
    expect(await store.notifications.due(nowMs + 60, [], 10)).toEqual([]);
  });

  test('a notification about something late has no run, and contains what is late', async () => {
    const late = { tenant: 'default', jobId: 'backup/daily', detail: 'No success.', atMs: nowMs, title: null };
    await add(aNotification(1, { event: 'late', late }));
    expect(await store.notifications.due(nowMs + 1, [], 10)).toMatchObject([{ runId: null, event: 'late', late }]);
  });

  test('for each channel and tenant, the store knows what waits and what was delivered last', async () => {
    const [mine, theirs] = [await addRun(), await addRun({ tenant: 'acme' })];
    await add(aNotification(1, { runId: mine }), aNotification(2, { runId: mine, createdAtMs: nowMs - 5 }));
    await add(aNotification(3, { runId: theirs }), aNotification(4, { runId: mine, channel: 'ops' }));
    await add(aNotification(5, { runId: mine, channel: null, webhook: 'https://example.org/T0KEN' }));
    await failed('notice_1', nowMs + 100);
    await failed('notice_2', nowMs + 200);
    await failed('notice_3', nowMs + 50);
    await failed('notice_5', nowMs + 50);
    const [error, jobId] = ['the answer was 503', 'backup/daily'];
    const team = { channel: 'team', origin: 'channel:team', jobId, sinceMs: nowMs - 5, error };
    const address = { channel: null, origin: 'https://example.org', jobId, messages: 1, sinceMs: nowMs, error };
    expect(await store.notifications.waiting({ tenant: 'default' })).toEqual([
      { ...team, messages: 2, nextAtMs: nowMs + 100 },
      { ...address, nextAtMs: nowMs + 50 },
    ]);
    expect(await store.notifications.waiting({ tenant: '*' })).toEqual([
      { ...team, messages: 3, nextAtMs: nowMs + 50 },
      { ...address, nextAtMs: nowMs + 50 },
    ]);
    expect([await store.notifications.pendingCount(), await store.notifications.waitingCount()]).toEqual([5, 4]);

    const delivered = { status: 'delivered', attempts: 2, error: null, takenBy: [], nextAtMs: null } as const;
    await store.database.transact((tx) =>
      store.notifications.settle(tx, 'notice_1', { ...delivered, atMs: nowMs + 100 }),
    );
    const last = { status: 'delivered', last_error: null, finishedAtMs: nowMs + 100 };
    expect(await store.notifications.lastOf(['team', 'ops'], { tenant: 'default' })).toEqual(new Map([['team', last]]));
    expect(await store.notifications.list(mine)).toMatchObject([
      { id: 'notice_1', status: 'delivered', channel: 'team', origin: null, attempts: 2 },
      { id: 'notice_2', status: 'pending' },
      { id: 'notice_4', channel: 'ops' },
      { id: 'notice_5', channel: null, origin: 'https://example.org' },
    ]);
  });
});
