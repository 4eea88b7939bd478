// The files of a log. Each segment is one file of chunks. It is plain while it is written, and is compressed later.

import { readFileSync } from 'node:fs';
import { open, readFile, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { constants, type ZstdOptions, zstdCompress, zstdDecompress, zstdDecompressSync } from 'node:zlib';
import { errorCode } from '../../lib/error-code.ts';
import { makeFolders } from '../../lib/files/make-folders.ts';
import { shardOf } from '../../lib/ids.ts';
import type { Logger } from '../../lib/logger.ts';
import { isUnreadable } from '../../lib/shortage.ts';
import { chunkEnd, firstSeqAt, isWholeChunk, isWithin, lineCountAt, readChunk } from './log-chunk.ts';
import { fix, readPlain } from './log-fix.ts';
import { isBehindGap } from './log-placeholder.ts';

export type SegmentEncoding = 'raw' | 'zstd';

/**
 * A part of a log in one file. `lastSeq`, `lastAtUs` and `rawBytes` grow while the file is written. `encoding` changes
 * once, when the compressed file exists.
 */
export type Segment = {
  readonly n: number;
  readonly firstSeq: number;
  lastSeq: number;
  readonly firstAtUs: number;
  lastAtUs: number;
  rawBytes: number;
  encoding: SegmentEncoding;
};

/** The bytes of a segment, and the places where its chunks with lines start. */
export type LoadedSegment = {
  readonly file: Buffer;
  readonly chunkStarts: readonly number[];
  /** True if the file was damaged. Placeholders then say which lines cannot be read. */
  readonly isDamaged?: true;
  /** True if the file is missing. The segment then contains only a placeholder. */
  readonly isMissing?: true;
};

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);
/** Reads a file and decompresses it. */
export type ReadCompressed = (path: string, options: ZstdOptions) => Buffer | Promise<Buffer>;

/**
 * The fastest level. It compresses logs at 300 MB/s, to between a tenth and a fifth of their size. No other level made
 * them smaller.
 */
const zstdLevel = 1;
/**
 * The least size of the pieces in which zlib works. zlib calls the thread pool for each piece. With zlib's default of
 * 16 KiB, these calls take 30 ms for a segment.
 */
const leastChunkBytes = 65_536;
/**
 * Added to the size of a piece. Without it, the result would fill the piece exactly, and zlib would allocate another
 * piece of the same size.
 */
const spareBytes = 1024;

export function segmentPath(dir: string, runId: string, n: number, encoding: SegmentEncoding): string {
  return join(dir, shardOf(runId), `${runId}.${n}.${encoding === 'raw' ? 'raw' : 'zst'}`);
}

/** Returns the name of a plain file and the name of the file before it, as users see them. */
export function plainNames(runId: string, n: number): { readonly name: string; readonly nameBefore: string } {
  return { name: segmentPath('logs', runId, n, 'raw'), nameBefore: segmentPath('logs', runId, n - 1, 'raw') };
}

export function makeShard(dir: string, runId: string): void {
  makeFolders([dir, dirname(segmentPath(dir, runId, 1, 'raw'))]);
}

/**
 * Reads a segment. If it is still being written, returns what it contains now, or a little more.
 * @throws DamagedSegment if none of its lines can be read, the system's ENOENT if the file does not exist
 */
export async function loadSegment(
  dir: string,
  runId: string,
  segment: Segment,
  readCompressed: ReadCompressed = readInPool,
): Promise<LoadedSegment> {
  for (;;) {
    // Copies the numbers, because they may grow while the file is read.
    const known = { ...segment };
    try {
      if (known.encoding === 'raw') return await loadPlain(dir, runId, known);
      const path = segmentPath(dir, runId, known.n, known.encoding);
      const file = await readCompressed(path, { chunkSize: Math.max(known.rawBytes, leastChunkBytes) + spareBytes });
      return { file, chunkStarts: findChunks(file, known) };
    } catch (error) {
      // The plain file was compressed and removed while it was read.
      if (known.encoding !== segment.encoding) continue;
      throw isUnreadable(error) ? new DamagedSegment('the disk cannot read it', { cause: error }) : toDamage(error);
    }
  }
}

async function readInPool(path: string, options: ZstdOptions): Promise<Buffer> {
  const stored = await readFile(path);
  const file = await decompress(stored, options);
  free(stored);
  return file;
}

/**
 * Reads on the calling thread, which must have nothing else to do. Calls of the thread pool would take a tenth of the
 * CPU time.
 */
export function readOnThisThread(path: string, options: ZstdOptions): Buffer {
  const stored = readFileSync(path);
  const file = zstdDecompressSync(stored, options);
  free(stored);
  return file;
}

async function loadPlain(dir: string, runId: string, segment: Segment): Promise<LoadedSegment> {
  const { n, rawBytes, encoding, firstSeq, firstAtUs, lastSeq, lastAtUs } = segment;
  const plain = await readPlain(segmentPath(dir, runId, n, encoding));
  const bytes = plain.bytes.subarray(0, rawBytes);
  const sound = plain.isUnreadable ? undefined : soundChunks(bytes, segment);
  if (sound) return { file: bytes, chunkStarts: sound };
  const { file, wholeBytes } = fix(
    { ...plain, bytes },
    {
      afterSeq: firstSeq - 1,
      afterAtUs: firstAtUs - 1,
      through: { lastSeq, lastAtUs },
      isLast: false,
      ...plainNames(runId, n),
    },
  );
  if (wholeBytes === 0) throw new DamagedSegment('none of its chunks can be read');
  return { file, chunkStarts: findChunks(file, { rawBytes: file.length, encoding }), isDamaged: true };
}

/** Returns where the chunks start. Returns undefined if the file is damaged or lines are missing. */
function soundChunks(bytes: Buffer, segment: Segment): number[] | undefined {
  try {
    const starts = findChunks(bytes, segment);
    const [first] = starts;
    return first !== undefined && isBehindGap(readChunk(bytes, first), segment.firstSeq - 1) ? undefined : starts;
  } catch (error) {
    if (!(error instanceof DamagedSegment)) throw error;
    return undefined;
  }
}

/**
 * Frees the memory of a segment at once. Only the single owner of the segment may call this. V8 counts the size of
 * buffers, so without this the garbage collector would run a full collection of 20 ms for every few segments of a long
 * log.
 */
export function freeSegment({ file }: LoadedSegment): void {
  free(file);
}

function free({ buffer }: Buffer): void {
  // A smaller buffer may be part of the memory that Node shares among its buffers.
  if (buffer instanceof ArrayBuffer && buffer.byteLength > Buffer.poolSize) buffer.transfer(0);
}

/** The content of the file is not what was stored. */
export class DamagedSegment extends Error {
  override readonly name = 'DamagedSegment';
}

/** Whether a copy of a segment is undamaged. */
export async function isWholeSegment(path: string, form: SegmentForm): Promise<boolean> {
  try {
    const stored = await readFile(path);
    findChunks(form.encoding === 'raw' ? stored.subarray(0, form.rawBytes) : await decompress(stored), form);
    return true;
  } catch (error) {
    if (toDamage(error) instanceof DamagedSegment) return false;
    throw error;
  }
}

type SegmentForm = Pick<Segment, 'rawBytes' | 'encoding'>;

/** Whether the error says that zlib could not decompress the file. Every error of zlib means that. */
export function isNoZstd(error: unknown): boolean {
  return errorCode(error)?.startsWith('Z') === true;
}

function toDamage(error: unknown): unknown {
  return isNoZstd(error) ? new DamagedSegment('it cannot be decompressed', { cause: error }) : error;
}

/**
 * Returns where the chunks with lines start. Verifies the checksums of a plain file. For a compressed file, zstd has
 * verified its own checksum.
 * @throws DamagedSegment
 */
function findChunks(file: Buffer, { rawBytes, encoding }: SegmentForm): number[] {
  if (file.length < rawBytes) throw new DamagedSegment('it is too short');
  const isSound = encoding === 'raw' ? isWholeChunk : isWithin;
  const starts: number[] = [];
  for (let start = 0; start < file.length; start = chunkEnd(file, start)) {
    if (!isSound(file, start)) throw new DamagedSegment('it is not made of chunks');
    if (lineCountAt(file, start) > 0) starts.push(start);
  }
  return starts;
}

/**
 * Returns the index of the chunk that contains the line `seq` or, if there is no such chunk, of the first chunk after
 * it.
 */
export function chunkIndexOf({ file, chunkStarts }: LoadedSegment, seq: number): number {
  let low = 0;
  let high = chunkStarts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const start = chunkStarts[middle] ?? 0;
    if (firstSeqAt(file, start) + lineCountAt(file, start) <= seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Writes the compressed file beside the plain one, makes it durable, and returns its size in bytes.
 * @throws DamagedSegment if the plain file is damaged. It should then stay plain, because a damaged plain file can
 * still be read in part
 */
export async function compressSegment(dir: string, runId: string, { n, rawBytes }: Segment): Promise<number> {
  const raw = await readFile(segmentPath(dir, runId, n, 'raw'));
  findChunks(raw, { rawBytes, encoding: 'raw' });
  const stored = await compress(raw, {
    chunkSize: Math.max(raw.length >>> 2, leastChunkBytes),
    // If a file states its size, it is decompressed straight into the result, which is a tenth faster.
    pledgedSrcSize: raw.length,
    params: { [constants.ZSTD_c_compressionLevel]: zstdLevel, [constants.ZSTD_c_checksumFlag]: 1 },
  });
  const path = segmentPath(dir, runId, n, 'zstd');
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(stored);
    await file.datasync();
  } catch (error) {
    // Removes the part that was written, because it would fill a full disk further.
    await unlink(path).catch(() => undefined);
    throw error;
  } finally {
    await file.close();
  }
  return stored.length;
}

/** Removes the plain file of a segment that has been compressed. If that fails, only disk space is lost. */
export async function removeRaw(dir: string, runId: string, n: number, log: Logger): Promise<void> {
  await unlink(segmentPath(dir, runId, n, 'raw')).catch((error: unknown) => {
    if (errorCode(error) !== 'ENOENT')
      log.warn({ err: error, run_id: runId }, 'the plain file of a compressed log segment could not be removed');
  });
}

/** Removes the file of a segment. Returns false if it did not exist. */
export async function removeSegment(
  dir: string,
  runId: string,
  n: number,
  encoding: SegmentEncoding,
): Promise<boolean> {
  try {
    await unlink(segmentPath(dir, runId, n, encoding));
    return true;
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    return false;
  }
}
