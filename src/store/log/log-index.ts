// Reads from the database which segments of logs are stored.

import type { Database } from '../database.ts';
import type { Segment } from './log-segment.ts';

/** Returns the segments of the run, in order. */
export async function readIndex(db: Database, runId: string): Promise<Segment[]> {
  return (await readIndexes(db, [runId])).get(runId) ?? [];
}

/** Returns the segments of each run, in order. A run without segments is not in the map. */
export async function readIndexes(db: Database, runIds: readonly string[]): Promise<ReadonlyMap<string, Segment[]>> {
  const found = new Map<string, Segment[]>();
  if (runIds.length === 0) return found;
  const rows = await db.read
    .selectFrom('log_segments')
    .selectAll()
    .where('run_id', 'in', runIds)
    .orderBy('n')
    .execute();
  for (const row of rows) {
    const segments = found.get(row.run_id) ?? [];
    found.set(row.run_id, segments);
    segments.push({
      n: row.n,
      firstSeq: row.first_seq,
      lastSeq: row.last_seq,
      firstAtUs: row.first_at_us,
      lastAtUs: row.last_at_us,
      rawBytes: row.raw_bytes,
      encoding: row.encoding === 'raw' ? 'raw' : 'zstd',
    });
  }
  return found;
}
