import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NewAuditEntry } from '../../src/domain/audit.ts';
import type { AuditListQuery } from '../../src/store/audit/audit-list.ts';
import { verifyAudit } from '../../src/store/audit/audit-verify.ts';
import { anEntry } from './an-entry.ts';
import { engines, nowMs, type Opened } from './engines.ts';

describe.each(engines)('the audit log on $engine', ({ open }) => {
  let dir: string;
  let opened: Opened;
  let clockMs: number;
  const clock = { now: () => clockMs };

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'flwd-audit-'));
    clockMs = nowMs;
    opened = await open(dir, { clock });
  });
  afterEach(async () => {
    await opened.database.close();
    await rm(dir, { recursive: true });
  });

  const verdict = () => verifyAudit(opened.database.read);
  async function record(...entries: readonly Partial<NewAuditEntry>[]): Promise<void> {
    await opened.database.transact(async (tx) => {
      for (const entry of entries) tx.record(anEntry(entry));
    });
  }
  async function ids(query: Partial<AuditListQuery> = {}): Promise<number[]> {
    return (await opened.audit.list({ limit: 100, ...query })).entries.map(({ id }) => id);
  }

  test('an entry is shown as it was written', async () => {
    await opened.audit.record(
      anEntry({
        actor: 'jwt:ada',
        action: 'token.create',
        object: { kind: 'token', id: 'token_1' },
        detail: { name: 'ci' },
      }),
    );
    expect((await opened.audit.list({ limit: 1 })).entries).toEqual([
      {
        id: 1,
        at: '2024-01-15T10:30:00.000Z',
        actor: { kind: 'jwt', name: 'jwt:ada' },
        tenant: 'default',
        action: 'token.create',
        object: { kind: 'token', id: 'token_1' },
        from: '127.0.0.1',
        request_id: 'req_01HM',
        result: 'done',
        reason: null,
        detail: { name: 'ci' },
        hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
    ]);
  });

  test('the hash of an entry covers the previous hash and the entry as a JSON array', async () => {
    await record({}, { reason: 'é"' });
    const { entries } = await opened.audit.list({ limit: 2 });
    const values = ['local', 'default', 'run.cancel', 'done', 'run', 'run_01HM', '127.0.0.1', 'req_01HM'];
    const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
    const first = sha256(JSON.stringify([1, nowMs, ...values, null, null]));
    const second = sha256(first + JSON.stringify([2, nowMs, ...values, 'é"', null]));
    expect(entries.map(({ hash }) => hash)).toEqual([second, first]);
  });

  test('entries of simultaneous transactions form one chain without gaps, in the order of their commits', async () => {
    await Promise.all(Array.from({ length: 300 }, (_, n) => opened.audit.record(anEntry({ actor: `t${n}` }))));
    const { entries } = await opened.audit.list({ limit: 300 });
    expect(entries.map(({ id, actor }) => [id, actor.name])).toEqual(
      Array.from({ length: 300 }, (_, n) => [300 - n, `t${299 - n}`]),
    );
    expect(await verdict()).toMatchObject({ rows: 300, broken: null });
  });

  test('a transaction that fails leaves neither entries nor a gap', async () => {
    const failing = opened.database.transact(async (tx) => {
      tx.record(anEntry({ actor: 'never' }));
      tx.emit({ type: 'run.created', runId: 'run_a', jobId: 'a', tenant: 'default', data: {} });
      throw new Error('refused');
    });
    const others = [
      opened.audit.record(anEntry({ actor: 'before' })),
      opened.audit.record(anEntry({ actor: 'after' })),
    ];
    await expect(failing).rejects.toThrow('refused');
    await Promise.all(others);
    const { entries } = await opened.audit.list({ limit: 10 });
    expect(entries.map(({ id, actor }) => [id, actor.name])).toEqual([
      [2, 'after'],
      [1, 'before'],
    ]);
  });

  test('the chain continues after the database is opened again', async () => {
    await record({}, {});
    await opened.database.close();
    opened = await open(dir, { clock });
    await record({});
    expect(await verdict()).toMatchObject({ rows: 3, first: { id: 1 }, last: { id: 3 }, broken: null });
  });

  test('times never decrease, even if the clock is set back, so that a binary search finds a time', async () => {
    await record({});
    clockMs += 1_000;
    await record({});
    clockMs -= 3_600_000;
    await record({});
    const { entries } = await opened.audit.list({ limit: 10 });
    expect(entries.map(({ at }) => at)).toEqual([
      '2024-01-15T10:30:01.000Z',
      '2024-01-15T10:30:01.000Z',
      '2024-01-15T10:30:00.000Z',
    ]);
    expect(await ids({ sinceMs: nowMs + 1 })).toEqual([3, 2]);
  });

  test('after a clock was years ahead, order and chain stay correct across a restart and when that time comes', async () => {
    const year = 365 * 86_400_000;
    clockMs += 2 * year;
    await record({});
    clockMs = nowMs;
    await record({});
    await opened.database.close();
    opened = await open(dir, { clock });
    await record({});
    clockMs += 3 * year;
    await record({});
    const { entries } = await opened.audit.list({ limit: 10 });
    expect(entries.map(({ id, at }) => [id, at.slice(0, 4)])).toEqual([
      [4, '2027'],
      [3, '2026'],
      [2, '2026'],
      [1, '2026'],
    ]);
    expect([await ids({ sinceMs: nowMs + year }), await ids({ untilMs: nowMs + year })]).toEqual([[4, 3, 2, 1], []]);
    expect(await verdict()).toMatchObject({ rows: 4, broken: null });
  });

  describe('a list of audit entries', () => {
    beforeEach(async () => {
      await record({ action: 'run.create', object: { kind: 'run', id: 'run_1' }, tenant: 'acme', actor: 'ci' });
      clockMs += 1_000;
      await record({ action: 'run.create', object: { kind: 'run', id: 'run_2' }, detail: { job_id: 'a "b"' } });
      clockMs += 1_000;
      await record({ action: 'run.cancel', object: { kind: 'run', id: 'run_1' }, result: 'refused', reason: 'late' });
      await record({ action: 'auth.fail', object: null, actor: 'anonymous', tenant: '*', from: '10.0.0.7' });
    });

    test.each<[string, Partial<AuditListQuery>, number[]]>([
      ['nothing', {}, [4, 3, 2, 1]],
      ['actor', { actor: 'ci' }, [1]],
      ['an action that is rare', { action: 'run.cancel' }, [3]],
      ['the action that is not', { action: 'run.create' }, [2, 1]],
      ['object', { object: 'run_1' }, [3, 1]],
      ['result', { result: 'refused' }, [3]],
      ['tenant', { tenant: 'acme' }, [1]],
      ['the instance', { tenant: '*' }, [4]],
      ['an instant, inclusive', { sinceMs: nowMs + 1_000 }, [4, 3, 2]],
      ['an instant, exclusive', { untilMs: nowMs + 1_000 }, [1]],
      ['a time in which nothing was', { sinceMs: nowMs + 5_000 }, []],
      ['a time before all', { untilMs: nowMs }, []],
      ['object and time', { object: 'run_1', sinceMs: nowMs + 1 }, [3]],
      ['text in an address', { q: '10.0.0' }, [4]],
      ['text in a detail, as it was written', { q: 'a "b"' }, [2]],
      ['text in a reason, in either case', { q: 'LATE' }, [3]],
      ['action and tenant', { action: 'run.create', tenant: 'acme' }, [1]],
      ['what is nowhere', { actor: 'nobody' }, []],
    ])('by %s shows its entries, newest first, and counts them', async (_by, query, expected) => {
      const page = await opened.audit.list({ limit: 100, ...query });
      expect(page.entries.map(({ id }) => id)).toEqual(expected);
      expect(page).toMatchObject({ total: expected.length, nextCursor: null });
    });

    test('has pages by cursor, which stay stable while entries are added, and pages by offset', async () => {
      const first = await opened.audit.list({ limit: 2 });
      await record({});
      expect(first).toMatchObject({ total: 4, nextCursor: '3' });
      const second = await opened.audit.list({ limit: 2, cursor: first.nextCursor ?? '' });
      expect(second.entries.map(({ id }) => id)).toEqual([2, 1]);
      expect(second).toMatchObject({ total: 5, nextCursor: null });
      expect(await ids({ limit: 2, offset: 3 })).toEqual([2, 1]);
      expect(await ids({ offset: 9 })).toEqual([]);
      await expect(opened.audit.list({ limit: 2, cursor: 'x' })).rejects.toMatchObject({ slug: 'validation-error' });
    });
  });

  // Twelve thousand statements take minutes on PostgreSQL while other programs use the CPU.
  test('rare entries are found among many, far from the newest, and shown in pages', { timeout: 600_000 }, async () => {
    await record({ actor: 'rare' });
    await record(...Array.from({ length: 12_000 }, (): Partial<NewAuditEntry> => ({ action: 'run.create' })));
    await record({ actor: 'rare' });
    await record({ action: 'run.create' });
    const page = await opened.audit.list({ actor: 'rare', limit: 1 });
    expect(page).toMatchObject({ total: 2, entries: [{ id: 12_002 }], nextCursor: '12002' });
    expect(await opened.audit.list({ actor: 'rare', limit: 1, cursor: '12002' })).toMatchObject({
      entries: [{ id: 1 }],
      nextCursor: null,
    });
    expect(await opened.audit.list({ q: 'rare', limit: 5, offset: 1 })).toMatchObject({
      total: 2,
      entries: [{ id: 1 }],
    });
    expect(await opened.audit.list({ actor: 'local', sinceMs: nowMs, limit: 1 })).toMatchObject({ total: 12_001 });
  });

  describe('retention of the audit log', () => {
    beforeEach(async () => {
      await record({ actor: 'a' }, { actor: 'b' }, { actor: 'c' });
      clockMs += 10_000;
      await record({ actor: 'd' });
    });

    test('removes the oldest entries, and adds an entry that states the last removed id and its hash', async () => {
      const [third] = (await opened.audit.list({ actor: 'c', limit: 1 })).entries;
      expect(await opened.audit.countBefore(nowMs + 10_000)).toBe(3);
      expect(await opened.audit.removeBefore(nowMs + 10_000, 100)).toBe(3);
      expect(await opened.audit.list({ limit: 10 })).toMatchObject({
        total: 2,
        entries: [
          {
            id: 5,
            actor: { kind: 'system', name: 'system:retention' },
            tenant: '*',
            action: 'audit.expire',
            detail: { through: 3, count: 3, hash: third?.hash },
          },
          { id: 4 },
        ],
      });
      expect(await opened.audit.countBefore(nowMs + 10_000)).toBe(0);
      expect(await opened.audit.removeBefore(nowMs + 10_000, 100)).toBe(0);
      expect(await verdict()).toMatchObject({ rows: 2, first: { id: 4 }, removedThrough: 3, broken: null });
    });

    test('removes entries in steps, and the chain is valid after each step', async () => {
      expect(await opened.audit.removeBefore(nowMs + 1, 2)).toBe(2);
      expect(await verdict()).toMatchObject({ removedThrough: 2, broken: null });
      expect(await opened.audit.removeBefore(nowMs + 1, 2)).toBe(1);
      expect(await verdict()).toMatchObject({ rows: 3, removedThrough: 3, broken: null });
    });

    test('leaves one entry that says so when it removes all others', async () => {
      expect(await opened.audit.removeBefore(nowMs + 20_000, 100)).toBe(4);
      expect(await ids()).toEqual([5]);
      await record({});
      expect(await verdict()).toMatchObject({ rows: 2, removedThrough: 4, broken: null });
    });
  });
});
