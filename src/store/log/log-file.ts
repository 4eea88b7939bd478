// The segments of one log as its writer sees them: one plain file that grows, and a queue of full ones that are compressed
// and indexed in their order.

import { closeSync, fdatasync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { errorCode } from '../../lib/error-code.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Database, Transaction } from '../database.ts';
import type { LogSegmentRow } from '../schema.ts';
import { Superseded } from '../superseded.ts';
import { compressSegment, makeShard, removeRaw, type Segment, segmentPath } from './log-segment.ts';

/** The lines that chunks hold; of none, `lastSeq` is before `firstSeq`. */
type LineRange = Pick<Segment, 'firstSeq' | 'lastSeq' | 'firstAtUs' | 'lastAtUs'>;

export type LogFile = {
  readonly segments: readonly Segment[];
  /** All of the chunks or, when it throws, none. A file that is begun starts with `head()`. */
  readonly write: (chunks: Buffer, lines: LineRange, head: () => Buffer) => void;
  /** A promise while more files wait to be compressed than should pile up. */
  readonly ready: () => Promise<void> | undefined;
  /** Indexes everything; may be called again when it failed. */
  readonly close: () => Promise<void>;
  /** Leaves what is open to the next process. */
  readonly release: () => Promise<void>;
};

const fullBytes = 4 * 2 ** 20;
/** Below this a second file costs more than compression saves. */
const leastCompressedBytes = 16 * 2 ** 10;
const maxWaiting = 2;
const sync = promisify(fdatasync);

export function openLogFile(o: {
  readonly dir: string;
  readonly runId: string;
  /** Of the run that whoever writes drives. */
  readonly epoch: number;
  readonly db: Database;
  readonly log: Logger;
  readonly indexed: readonly Segment[];
  readonly plain: readonly Segment[];
}): LogFile {
  const { dir, runId, db, log } = o;
  const segments = [...o.indexed, ...o.plain];
  const queue = o.plain.slice(0, -1);
  let sealing: Promise<void> | undefined;
  const open = o.plain.at(-1);
  let current = open && { segment: open, fd: openPlain(dir, runId, open.n) };

  function begin({ firstSeq, firstAtUs }: LineRange): { segment: Segment; fd: number } {
    const n = (segments.at(-1)?.n ?? 0) + 1;
    const fd = openPlain(dir, runId, n);
    const range = { firstSeq, lastSeq: firstSeq - 1, firstAtUs, lastAtUs: firstAtUs };
    const segment: Segment = { n, ...range, rawBytes: 0, encoding: 'raw' };
    segments.push(segment);
    return { segment, fd };
  }

  async function sealAll(): Promise<void> {
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
      // In the same turn as the last look at the queue: what is queued from now on starts it again.
      sealing = undefined;
    }
  }

  async function seal(segment: Segment): Promise<void> {
    const storedBytes = segment.rawBytes < leastCompressedBytes ? undefined : await compress(segment);
    await index(segment, storedBytes);
    if (storedBytes === undefined) return;
    segment.encoding = 'zstd';
    await removeRaw(dir, runId, segment.n, log);
  }

  async function compress(segment: Segment): Promise<number | undefined> {
    try {
      return await compressSegment(dir, runId, segment);
    } catch (error) {
      log.warn({ err: error, run_id: runId }, 'a log file was not compressed and stays as it is');
      return undefined;
    }
  }

  async function index(segment: Segment, compressedBytes: number | undefined): Promise<void> {
    const { n, rawBytes } = segment;
    const row = {
      run_id: runId,
      n,
      first_seq: segment.firstSeq,
      last_seq: segment.lastSeq,
      first_at_us: segment.firstAtUs,
      last_at_us: segment.lastAtUs,
      raw_bytes: rawBytes,
      stored_bytes: compressedBytes ?? rawBytes,
      encoding: compressedBytes === undefined ? 'raw' : 'zstd',
    };
    if (!(await db.transact((tx) => addSegment(tx, row, o.epoch)))) throw new Superseded('the log is another’s by now');
  }

  function sealSoon(): void {
    sealAll().catch((error: unknown) => log.warn({ err: error, run_id: runId }, 'a log file was not indexed yet'));
  }

  if (queue.length > 0) sealSoon();

  return {
    segments,
    write(chunks, lines, head) {
      current ??= begin(lines);
      const { segment, fd } = current;
      if (segment.rawBytes === 0) segment.rawBytes += writeWhole(fd, head(), 0);
      segment.rawBytes += writeWhole(fd, chunks, segment.rawBytes);
      segment.lastSeq = lines.lastSeq;
      segment.lastAtUs = lines.lastAtUs;
      if (segment.rawBytes < fullBytes) return;
      current = undefined;
      closeSync(fd);
      queue.push(segment);
      sealSoon();
    },
    // A failure is close()'s to tell; until then the queue is on the disk, not in memory.
    ready: () => (queue.length > maxWaiting ? sealAll().catch(() => undefined) : undefined),
    async close() {
      if (current) {
        const { segment, fd } = current;
        current = undefined;
        const hasLines = segment.lastSeq >= segment.firstSeq;
        if (hasLines) queue.push(segment);
        else rmSync(segmentPath(dir, runId, segment.n, 'raw'), { force: true });
        try {
          if (hasLines && segment.rawBytes < leastCompressedBytes) await sync(fd);
        } finally {
          closeSync(fd);
        }
      }
      await sealAll();
    },
    async release() {
      if (current) closeSync(current.fd);
      current = undefined;
      await sealing?.catch(() => undefined);
    },
  };
}

function openPlain(dir: string, runId: string, n: number): number {
  const path = segmentPath(dir, runId, n, 'raw');
  try {
    return openSync(path, 'a', 0o600);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    makeShard(dir, runId);
    return openSync(path, 'a', 0o600);
  }
}

/** Returns the bytes written. A disk that is full may take a part of them, which must not stay. */
function writeWhole(fd: number, bytes: Buffer, sizeBefore: number): number {
  try {
    for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
  } catch (error) {
    ftruncateSync(fd, sizeBefore);
    throw error;
  }
  return bytes.length;
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

/** False when another has taken the run over since: whoever writes in an earlier epoch adds nothing. */
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
          // PostgreSQL takes a parameter that is only selected for a text.
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
