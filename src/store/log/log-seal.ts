// Seals the full segments of one log, in order. Sealing a segment means compressing its file and adding its row to the
// index.

import type { Logger } from '../../lib/logger.ts';
import type { Database, Transaction } from '../database.ts';
import type { LogSegmentRow } from '../schema.ts';
import { Superseded } from '../superseded.ts';
import { compressSegment, removeRaw, type Segment } from './log-segment.ts';

/** A smaller file stays plain. Writing a second file would cost more than compression would save. */
export const leastCompressedBytes = 16 * 2 ** 10;
const maxWaiting = 2;

export function createLogSeal(o: {
  readonly dir: string;
  readonly runId: string;
  /** This process drives the run in this epoch. */
  readonly epoch: number;
  readonly db: Database;
  readonly log: Logger;
  /** Full segments that an earlier process has left. */
  readonly left: readonly Segment[];
}) {
  const { dir, runId, log } = o;
  const queue = [...o.left];
  let sealing: Promise<void> | undefined;

  async function all(): Promise<void> {
    if (queue.length > 0) sealing ??= sealQueued();
    await sealing;
  }

  async function sealQueued(): Promise<void> {
    try {
      for (let segment = queue[0]; segment; segment = queue[0]) {
        await seal(segment);
        queue.shift();
      }
    } finally {
      // No segment can be added between the last check of the queue and this line. For a segment that is added later,
      // `all` starts the sealing again.
      sealing = undefined;
    }
  }

  async function seal(segment: Segment): Promise<void> {
    const storedBytes = segment.rawBytes < leastCompressedBytes ? undefined : await compress(segment);
    const row = toRow(runId, segment, storedBytes);
    const isAdded = await o.db.transact((tx) => addSegment(tx, row, o.epoch));
    if (!isAdded) throw new Superseded('another process writes the log of this run');
    if (storedBytes === undefined) return;
    segment.encoding = 'zstd';
    await removeRaw(dir, runId, segment.n, log);
  }

  async function compress(segment: Segment): Promise<number | undefined> {
    try {
      return await compressSegment(dir, runId, segment);
    } catch (error) {
      log.warn({ err: error, run_id: runId }, 'a log file could not be compressed and stays plain');
      return undefined;
    }
  }

  return {
    /** Adds a segment to the queue. Its file must be complete. */
    add: (segment: Segment) => void queue.push(segment),
    /** Starts to seal. If that fails, logs the error; `all` tries again. */
    start(): void {
      all().catch((error: unknown) =>
        log.warn({ err: error, run_id: runId }, 'a log file is not indexed yet; flwd tries again when the log closes'),
      );
    },
    /** Resolves once every queued segment is sealed. If this fails, it may be called again. */
    all,
    /**
     * Returns a promise while too many segments wait. It never rejects, because the segments in the queue are safe on
     * disk.
     */
    ready: (): Promise<void> | undefined => (queue.length > maxWaiting ? all().catch(() => undefined) : undefined),
    /** Waits until the sealing in progress ends, if any. Never rejects. */
    settled: async (): Promise<void> => sealing?.catch(() => undefined),
  };
}

function toRow(runId: string, segment: Segment, compressedBytes: number | undefined): LogSegmentRow {
  return {
    run_id: runId,
    n: segment.n,
    first_seq: segment.firstSeq,
    last_seq: segment.lastSeq,
    first_at_us: segment.firstAtUs,
    last_at_us: segment.lastAtUs,
    raw_bytes: segment.rawBytes,
    stored_bytes: compressedBytes ?? segment.rawBytes,
    encoding: compressedBytes === undefined ? 'raw' : 'zstd',
  };
}

const numberColumns = [
  'n',
  'first_seq',
  'last_seq',
  'first_at_us',
  'last_at_us',
  'raw_bytes',
  'stored_bytes',
] as const satisfies readonly (keyof LogSegmentRow)[];

/**
 * Adds a row to the index. Returns false if another process has taken the run over, because a writer of an earlier
 * epoch must not add rows.
 */
async function addSegment(tx: Transaction, row: LogSegmentRow, epoch: number): Promise<boolean> {
  const { run_id, encoding } = row;
  const added = await tx.db
    .insertInto('log_segments')
    .columns(['run_id', 'encoding', ...numberColumns])
    .expression((eb) =>
      tx.db
        .selectNoFrom([
          eb.val(run_id).as('run_id'),
          eb.val(encoding).as('encoding'),
          // Without the cast, PostgreSQL would treat these parameters as text, because the query only selects them.
          ...numberColumns.map((name) => eb.cast<number>(eb.val(row[name]), 'bigint').as(name)),
        ])
        .where((where) =>
          where.not(
            where.exists(where.selectFrom('runs').select('id').where('id', '=', run_id).where('epoch', '!=', epoch)),
          ),
        ),
    )
    .returning('n')
    .executeTakeFirst();
  return added !== undefined;
}
