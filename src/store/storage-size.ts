// Measures how much is stored. Monitoring asks often, so no request reads everything at once.

import { setImmediate as yieldNow } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import type { Clock } from '../lib/clock.ts';
import { cached } from '../lib/shared-read.ts';
import type { ArtifactStore } from './blobs/artifacts.ts';
import type { Database, DatabaseSize } from './database.ts';
import type { KvStore } from './kv.ts';
import type { Schema } from './schema.ts';

export type StorageSize = {
  readonly database: DatabaseSize;
  /** The size of all closed segments on disk. */
  readonly logBytes: number;
  readonly artifacts: { readonly count: number; readonly bytes: number };
  /** The totals of the key-value store. Expired keys count until retention has removed them. */
  readonly kv: { readonly keys: number; readonly bytes: number };
};

const knownForMs = 15_000;
/**
 * How long the size of logs stays valid. There is no counter for it, so computing it reads the whole index of the logs.
 */
const logsKnownForMs = 300_000;
/** How many rows are read before other work runs. Reading them blocks the event loop for 2 ms. */
const rowsAtOnce = 2_000;

/**
 * Creates a function that returns the size of the storage. The result may be a few seconds old, and the size of logs a
 * few minutes.
 */
export function createStorageMeter(o: {
  readonly read: Kysely<Schema>;
  readonly databaseSize: Database['size'];
  readonly artifacts: Pick<ArtifactStore, 'totals'>;
  readonly kv: Pick<KvStore, 'totals'>;
  readonly clock: Clock;
}): () => Promise<StorageSize> {
  const { clock } = o;
  const logBytes = cached(clock, logsKnownForMs, () => addUpLogs(o.read));
  return cached(clock, knownForMs, async () => ({
    database: await o.databaseSize(),
    logBytes: await logBytes(),
    artifacts: await o.artifacts.totals(),
    kv: await o.kv.totals(),
  }));
}

async function addUpLogs(db: Kysely<Schema>): Promise<number> {
  let bytes = 0;
  let after = { run_id: '', n: -1 };
  for (;;) {
    const rows = await db
      .selectFrom('log_segments')
      .select(['run_id', 'n', 'stored_bytes'])
      .where((eb) => eb(eb.refTuple('run_id', 'n'), '>', eb.tuple(after.run_id, after.n)))
      .orderBy('run_id')
      .orderBy('n')
      .limit(rowsAtOnce)
      .execute();
    for (const row of rows) bytes += row.stored_bytes;
    const last = rows.at(-1);
    if (!last || rows.length < rowsAtOnce) return bytes;
    after = last;
    await yieldNow();
  }
}
