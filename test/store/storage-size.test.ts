import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { openStore } from '../../src/store/open.ts';

test('the store measures its size at most every 15 s, and the size of the logs at most every 5 min', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'flwd-size-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const time = { nowMs: 1_705_314_600_000 };
  const store = await openStore({
    dbPath: join(dir, 'flwd.db'),
    blobsDir: dir,
    clock: { now: () => time.nowMs },
    log: pino({ level: 'silent' }),
    onCommit: () => undefined,
  });
  onTestFinished(() => store.close());
  const addSegments = (firstN: number, count: number): Promise<void> =>
    store.db.transact(async (tx) => {
      const about = { first_seq: 1, last_seq: 2, first_at_us: 0, last_at_us: 0, raw_bytes: 9, encoding: 'raw' };
      for (let n = firstN; n < firstN + count; n += 1) {
        await tx.db
          .insertInto('log_segments')
          .values({ ...about, run_id: `run_${n}`, n: 0, stored_bytes: 2 })
          .execute();
      }
    });

  // More rows than one query sums.
  await addSegments(0, 4_500);
  const first = await store.size();
  expect(first).toMatchObject({ logBytes: 9_000, artifacts: { count: 0, bytes: 0 } });
  expect(first.database.walBytes).toBeGreaterThan(100_000);

  await addSegments(4_500, 1);
  time.nowMs += 14_999;
  expect(await store.size()).toBe(first);
  time.nowMs += 1;
  expect((await store.size()).logBytes).toBe(9_000);
  time.nowMs += 300_000;
  expect((await store.size()).logBytes).toBe(9_002);
});
