import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RunMove } from '../../src/domain/run.ts';
import type { NewRun } from '../../src/store/run/runs.ts';
import { aRun } from './a-run.ts';
import { engines, nowMs, type Opened } from './engines.ts';
import { moveRun } from './moves.ts';

describe.each(engines)('failures on $engine', ({ open }) => {
  let dir: string;
  let store: Opened;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'flwd-failures-'));
    store = await open(dir);
  });
  afterEach(async () => {
    await store.database.close();
    await rm(dir, { recursive: true });
  });

  /** A run that ends `minute` minutes later, with this message. */
  async function ended(move: RunMove, minute: number, message: string, over: Partial<NewRun> = {}): Promise<string> {
    const run = aRun(over);
    const change = { atMs: nowMs + minute * 60_000, reason: 'exit', error: { message } } as const;
    await store.database.transact(async (tx) => {
      await store.runs.add(tx, run);
      await moveRun(tx, store.runs, run.id, 'claim', { atMs: nowMs });
      await moveRun(tx, store.runs, run.id, move, change);
    });
    return run.id;
  }

  test('are grouped by their message, fixed by a success of the job, and regressed when they return', async () => {
    const first = await ended('fail', 1, 'no space left on 10.0.0.7');
    const again = await ended('fail', 2, 'no space left on 10.0.0.8');
    const other = await ended('fail', 3, 'no such table');
    await ended('fail', 4, 'no space left on 10.0.0.8', { jobId: 'shop/release' });
    expect((await store.failures.list({ limit: 10, jobId: 'backup/daily' })).failures).toMatchObject([
      { sample: 'no such table', state: 'open', count: 1, firstRunId: other, lastRunId: other },
      { sample: 'no space left on 10.0.0.8', state: 'open', count: 2, firstRunId: first, lastRunId: again },
    ]);

    await ended('succeed', 5, '');
    const source = { name: 'local-fs', type: 'fs' as const, revision: 'sha256:def' };
    const back = await ended('fail', 6, 'no such table', { source });
    await ended('fail', 7, 'no such file', { source });
    expect((await store.failures.list({ limit: 10 })).failures).toMatchObject([
      { sample: 'no such file', firstRevision: 'sha256:def' },
      { state: 'regressed', count: 2, firstRunId: other, firstAtMs: nowMs + 180_000, lastRunId: back },
      { jobId: 'shop/release', state: 'open' },
      { state: 'fixed', count: 2, lastAtMs: nowMs + 120_000, firstRevision: 'sha256:abc' },
    ]);
  });

  test('are not fixed by the success of a run that was created before the failed run', async () => {
    const { id } = aRun();
    await ended('fail', 1, 'disk full');
    await ended('succeed', 2, '', { id });
    expect((await store.failures.list({ limit: 10 })).failures).toMatchObject([{ state: 'open' }]);
    await ended('succeed', 3, '');
    expect((await store.failures.list({ limit: 10 })).failures).toMatchObject([{ state: 'fixed' }]);
  });

  test('are listed in pages, by tenant, state and fingerprint, and old ones are removed', async () => {
    await ended('fail', 1, 'disk full');
    await ended('fail', 1, 'no route', { tenant: 'acme' });
    await ended('fail', 2, 'no route');
    const list = async (query: Partial<Parameters<Opened['failures']['list']>[0]>) => {
      const { failures } = await store.failures.list({ limit: 10, ...query });
      return failures.map(({ tenant, sample }) => [tenant, sample]);
    };
    const page = await store.failures.list({ limit: 2 });
    expect(page.failures).toHaveLength(2);
    expect(await list({ cursor: page.nextCursor ?? '' })).toEqual([['default', 'disk full']]);
    expect(await list({ tenant: 'acme', states: ['open'] })).toEqual([['acme', 'no route']]);
    expect(await list({ states: ['fixed', 'regressed'] })).toEqual([]);
    const [{ fingerprint } = { fingerprint: '' }] = page.failures;
    expect(await list({ fingerprint, jobIds: ['backup/daily'] })).toEqual([
      ['default', 'no route'],
      ['acme', 'no route'],
    ]);
    expect(await store.failures.removeOld(nowMs + 120_000, 10)).toBe(2);
    expect(await list({})).toEqual([['default', 'no route']]);
  });
});
