// Follows a spool file while a job writes to it: whole lines, as they come, at the reader's pace. The job never waits.
// The job has the file open, so it may also cut it short, or stretch it by a hole.

import { execFile } from 'node:child_process';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { setImmediate as yieldNow } from 'node:timers/promises';
import { errorCode } from '../../lib/error-code.ts';
import { createSpoolAlarm } from './spool-alarm.ts';
import { cutBefore } from './spool-cut.ts';

export type SpoolFollower = {
  /** Reads to the end of the file, hands over a last line without a newline too, and stops. Rejects where reading or `onBytes` failed. */
  drain(): Promise<void>;
  /** No `onBytes` begins after this. */
  close(): void;
  /** What lies below is stored elsewhere: its disk blocks may go. */
  discard(endOffset: number): void;
};

/** Reading goes on elsewhere than where it stopped: the file was cut short, or goes on behind a hole. */
export type SpoolJump = {
  readonly cause: 'truncated' | 'hole';
  readonly fromOffset: number;
  readonly toOffset: number;
};

const readBytes = 1024 * 1024;
const longestLineBytes = 64 * 1024;
const firstBufferBytes = 16 * 1024;
const lastBufferBytes = readBytes + longestLineBytes;
const smallestHoleBytes = 64 * 1024 * 1024;
const newline = 10;

/**
 * `onBytes` gets whole lines, or a piece of a line that is longer than 64 KiB, and the offset in the file of their end.
 * The buffer is the caller's until the promise of `onBytes` is settled; only then is the next one read into it. The file
 * need not exist yet, its folder must.
 */
export function followSpool(o: {
  path: string;
  offset: number;
  onBytes: (bytes: Buffer, endOffset: number) => void | Promise<void>;
  onJump?: (jump: SpoolJump) => void;
}): SpoolFollower {
  const alarm = createSpoolAlarm(o.path);
  let fd: number | undefined;
  let offset = o.offset;
  // Grows with what is written at a time: most jobs write little, and many run at once.
  let buffer = Buffer.allocUnsafeSlow(firstBufferBytes);
  /** The bytes before `offset` that wait for their newline, at the beginning of `buffer`. */
  let pendingBytes = 0;
  let isDraining = false;
  let isClosed = false;

  async function follow(): Promise<void> {
    try {
      // Nothing is there yet, most likely.
      await alarm.next(false);
      for (;;) {
        if (isClosed) return;
        const isLast = isDraining;
        const look = await read();
        if (look === 'end' && isLast) return await hand(pendingBytes);
        if (look === 'full') await yieldNow();
        else if (!isLast || look === 'leased') await alarm.next(look === 'some');
      }
    } finally {
      alarm.close();
      if (fd !== undefined) closeSync(fd);
    }
  }

  /** What was just written is in the page cache: a thread to read it would cost more than the reading (0.3 ms a run). */
  async function read(): Promise<'full' | 'some' | 'end' | 'leased'> {
    const opened = fd ?? openIfThere(o.path);
    if (opened === 'leased') return opened;
    if (opened === undefined) return 'end';
    fd = opened;
    const room = buffer.length - pendingBytes;
    const bytesRead = readSync(fd, buffer, pendingBytes, room, offset);
    if (bytesRead === 0) {
      const { size } = fstatSync(fd);
      if (size < offset) await jump('truncated', size);
      return 'end';
    }
    const isHollow = bytesRead >= readBytes && isZero(buffer.subarray(pendingBytes, pendingBytes + bytesRead));
    offset += bytesRead;
    pendingBytes += bytesRead;
    await hand(buffer.subarray(0, pendingBytes).lastIndexOf(newline) + 1);
    if (pendingBytes > longestLineBytes) await hand(cutBefore(buffer, pendingBytes));
    if (bytesRead < room) return 'some';
    if (buffer.length < lastBufferBytes) grow();
    if (isHollow) await leap(fd);
    return 'full';
  }

  async function hand(length: number): Promise<void> {
    if (length === 0 || isClosed) return;
    await o.onBytes(buffer.subarray(0, length), offset - pendingBytes + length);
    buffer.copyWithin(0, length, pendingBytes);
    pendingBytes -= length;
  }

  function grow(): void {
    const larger = Buffer.allocUnsafeSlow(Math.min(buffer.length * 8, lastBufferBytes));
    buffer.copy(larger, 0, 0, pendingBytes);
    buffer = larger;
  }

  /** A job can stretch the file to petabytes that nobody wrote: what is left of it holds no more than its blocks. */
  async function leap(from: number): Promise<void> {
    const { size, blocks } = fstatSync(from);
    const dataFrom = size - blocks * 512;
    if (dataFrom - offset > smallestHoleBytes) await jump('hole', dataFrom);
  }

  async function jump(cause: SpoolJump['cause'], toOffset: number): Promise<void> {
    await hand(pendingBytes);
    if (!isClosed) o.onJump?.({ cause, fromOffset: offset, toOffset });
    offset = toOffset;
  }

  const done = follow();
  // It is told to whoever drains.
  done.catch(() => undefined);
  return {
    drain() {
      isDraining = true;
      alarm.ring();
      return done;
    },
    close() {
      isClosed = true;
      alarm.ring();
    },
    discard: createPuncher(o.path),
  };
}

/**
 * The script's stdout may be the file itself, and so it can take a lease on it (F_SETLEASE in fcntl(2)): without O_NONBLOCK
 * the opening would then hold up the whole server. The kernel breaks the lease by itself (/proc/sys/fs/lease-break-time).
 */
function openIfThere(path: string): number | 'leased' | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT') return undefined;
    if (code === 'EAGAIN') return 'leased';
    throw error;
  }
}

const zeros = Buffer.alloc(longestLineBytes);

function isZero(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += zeros.length) {
    const part = bytes.subarray(at, at + zeros.length);
    if (part.compare(zeros, 0, part.length) !== 0) return false;
  }
  return true;
}

const freedBatchBytes = 64 * 1024 * 1024;
const blockBytes = 4096;

/**
 * Returns a function that frees the blocks below an offset, once there are 64 MiB of them. It does so in the background,
 * and not at all where the file system or util-linux cannot: the spool then keeps its size until the run is over.
 */
function createPuncher(path: string): (endOffset: number) => void {
  let freedBytes = 0;
  let isBusy = false;
  return (endOffset) => {
    const length = Math.floor((endOffset - freedBytes) / blockBytes) * blockBytes;
    if (isBusy || length < freedBatchBytes) return;
    isBusy = true;
    const range = ['--offset', String(freedBytes), '--length', String(length)];
    execFile('fallocate', ['--punch-hole', '--keep-size', ...range, path], (error) => {
      freedBytes += length;
      // Once it has failed it would fail again.
      isBusy = error !== null;
    });
  };
}
