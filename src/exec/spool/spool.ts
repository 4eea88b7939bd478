// Follows a spool file while a job writes to it, and passes on whole lines as fast as the reader takes them. The job
// never waits for the reader. The job has the file open, so it can also truncate it, or extend it with a hole.

import { execFile } from 'node:child_process';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { setImmediate as yieldNow } from 'node:timers/promises';
import { errorCode } from '../../lib/error-code.ts';
import { createSpoolAlarm } from './spool-alarm.ts';
import { cutBefore } from './spool-cut.ts';

export type SpoolFollower = ReturnType<typeof followSpool>;

/**
 * A jump to another offset, because the file was truncated or has a hole, or because reading was too far behind the
 * job.
 */
export type SpoolJump = {
  readonly cause: 'truncated' | 'hole' | 'behind';
  readonly fromOffset: number;
  readonly toOffset: number;
};

const readBytes = 1024 * 1024;
const longestLineBytes = 64 * 1024;
const firstBufferBytes = 16 * 1024;
const lastBufferBytes = readBytes + longestLineBytes;
const smallestHoleBytes = 64 * 1024 * 1024;
/** If reading was too far behind, it continues this many bytes before the end of the file. */
const nearEndBytes = 8 * 1024 * 1024;
const newline = 10;

type SpoolOptions = {
  readonly path: string;
  readonly offset: number;
  readonly onBytes: (bytes: Buffer, endOffset: number) => void | Promise<void>;
  readonly onJump?: (jump: SpoolJump) => void;
  /** If more bytes than this are unread, reading continues near the end of the file. */
  readonly mostBehindBytes?: () => number;
};

/**
 * Follows the file. `onBytes` gets whole lines, or a piece of a line longer than 64 KiB, and the offset of their end in
 * the file. It may use the buffer until its promise settles. Only then are the next bytes read into the buffer. The
 * file need not exist yet, but its folder must exist.
 */
export function followSpool(o: SpoolOptions) {
  const alarm = createSpoolAlarm(o.path);
  const reader = createSpoolReader(o);
  let isDraining = false;
  let isClosed = false;

  async function follow(): Promise<void> {
    try {
      // Waits before the first look, because most likely nothing has been written yet.
      await alarm.next(false);
      for (;;) {
        if (isClosed) return;
        const isLast = isDraining;
        const look = await reader.read();
        if (look === 'end' && isLast) return await reader.handRest();
        if (look === 'full') await yieldNow();
        else if (!isLast || look === 'leased') await alarm.next(look === 'some');
      }
    } finally {
      alarm.close();
      reader.closeFile();
    }
  }

  const done = follow();
  // The caller of drain() gets the error.
  done.catch(() => undefined);
  return {
    /**
     * Reads to the end of the file, passes on the last line even if it has no newline, and stops. Rejects if reading or
     * `onBytes` failed.
     */
    drain(): Promise<void> {
      isDraining = true;
      alarm.ring();
      return done;
    },
    /** Stops reading. `onBytes` is not called after this. */
    close(): void {
      isClosed = true;
      reader.stop();
      alarm.ring();
    },
    /** Call this when everything before an offset is stored elsewhere, so that its disk blocks can be freed. */
    discard: createPuncher(o.path),
  };
}

function createSpoolReader(o: SpoolOptions) {
  let fd: number | undefined;
  let offset = o.offset;
  // The buffer grows if a job writes much at a time. Most jobs write little, and many run at once.
  let buffer = Buffer.allocUnsafeSlow(firstBufferBytes);
  /** Bytes before `offset` that wait for their newline, at the beginning of `buffer`. */
  let pendingBytes = 0;
  let isStopped = false;

  async function hand(length: number): Promise<void> {
    if (length === 0 || isStopped) return;
    await o.onBytes(buffer.subarray(0, length), offset - pendingBytes + length);
    buffer.copyWithin(0, length, pendingBytes);
    pendingBytes -= length;
  }

  function grow(): void {
    const larger = Buffer.allocUnsafeSlow(Math.min(buffer.length * 8, lastBufferBytes));
    buffer.copy(larger, 0, 0, pendingBytes);
    buffer = larger;
  }

  /**
   * Skips a hole. A job can extend the file to petabytes without writing anything. The unread rest cannot contain more
   * data than all blocks of the file.
   */
  async function leap(from: number): Promise<void> {
    const { size, blocks } = fstatSync(from);
    const dataFrom = size - blocks * 512;
    if (dataFrom - offset > smallestHoleBytes) await jump('hole', dataFrom);
  }

  async function catchUp(from: number, mostBehindBytes: number): Promise<void> {
    const { size } = fstatSync(from);
    if (size - offset > mostBehindBytes) await jump('behind', Math.max(offset, size - nearEndBytes));
  }

  async function jump(cause: SpoolJump['cause'], toOffset: number): Promise<void> {
    await hand(pendingBytes);
    if (!isStopped) o.onJump?.({ cause, fromOffset: offset, toOffset });
    offset = toOffset;
  }

  return {
    // Synchronous: the new bytes are in the page cache, and a thread would cost more than the read (0.3 ms per run).
    /** Reads once and passes on the whole lines. `full` means that more is likely to follow at once. */
    async read(): Promise<'full' | 'some' | 'end' | 'leased'> {
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
      if (o.mostBehindBytes) await catchUp(fd, o.mostBehindBytes());
      return 'full';
    },
    /** Passes on the last line, which has no newline. */
    handRest: (): Promise<void> => hand(pendingBytes),
    /** Nothing is passed on afterwards. */
    stop(): void {
      isStopped = true;
    },
    closeFile(): void {
      if (fd !== undefined) closeSync(fd);
    },
  };
}

/**
 * Opens the spool. A script's stdout may be this very file, so the script can take a lease on it (F_SETLEASE in
 * fcntl(2)). Without O_NONBLOCK, opening the file would then block the whole server. The kernel breaks the lease after
 * some time (/proc/sys/fs/lease-break-time).
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
 * Returns a function that frees the disk blocks before an offset, in the background. It waits until there are 64 MiB to
 * free, unless the disk is full. If the file system or util-linux does not support this, the spool keeps its size until
 * the run has ended.
 */
function createPuncher(path: string): (endOffset: number, isDiskFull?: boolean) => void {
  let freedBytes = 0;
  let isBusy = false;
  /** If the disk was full and `discard` was called while `fallocate` was running: the offset of that call. */
  let urgentEnd: number | undefined;
  return function discard(endOffset, isDiskFull = false) {
    const length = Math.floor((endOffset - freedBytes) / blockBytes) * blockBytes;
    if (isBusy && isDiskFull) urgentEnd = endOffset;
    if (isBusy || length < (isDiskFull ? blockBytes : freedBatchBytes)) return;
    isBusy = true;
    const range = ['--offset', String(freedBytes), '--length', String(length)];
    execFile('fallocate', ['--punch-hole', '--keep-size', ...range, path], (error) => {
      freedBytes += length;
      // After one failure it is not tried again, because it would always fail.
      isBusy = error !== null;
      if (urgentEnd === undefined || isBusy) return;
      discard(urgentEnd, true);
      urgentEnd = undefined;
    });
  };
}
