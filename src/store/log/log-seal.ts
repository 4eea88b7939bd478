// Seals the full segments of one log, in order: compresses each file and adds its row to the index.

import type { Logger } from '../../lib/logger.ts';
import type { Database, Transaction } from '../database.ts';
import type { LogSegmentRow } from '../schema.ts';
import { Superseded } from '../superseded.ts';
import { compressSegment, removeRaw, type Segment } from './log-segment.ts';

/** A file smaller than this stays plain: writing a second file would cost more than compression saves. */
export const leastCompressedBytes = 16 * 2 ** 10;
const maxWaiting = 2;

export function createLogSeal(o: {
  readonly dir: string;
  readonly runId: string;
  /** The epoch in which the writer drives the run. */
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
      // This happens in the same turn as the last look at the queue, so that a segment that is added later starts the
      // sealing again.
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
    /** Queues a full segment, whose file is complete. */
    add: (segment: Segment) => void queue.push(segment),
    /** Starts to seal. A failure is logged, and `all` tries again. */
    start(): void {
      all().catch((error: unknown) =>
        log.warn({ err: error, run_id: runId }, 'a log file is not indexed yet; flwd tries again when the log closes'),
      );
    },
    /** Resolves once every queued segment is sealed. May be called again after it failed. */
    all,
    /** A promise to await while too many segments wait. It never rejects: the queue is on disk, not in memory. */
    ready: (): Promise<void> | undefined => (queue.length > maxWaiting ? all().catch(() => undefined) : undefined),
    /** Waits for the sealing that is under way, if any. Never rejects. */
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

/** Returns false when another process has taken the run over: a writer of an earlier epoch adds nothing. */
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
          // PostgreSQL treats a parameter that is only selected as text.
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
