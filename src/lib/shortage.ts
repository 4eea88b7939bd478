// Recognizes a temporary shortage of the host: disk space, file descriptors or memory. When the shortage is over, the
// same work succeeds, so flwd waits and retries it.

import { setTimeout as delay } from 'node:timers/promises';
import { errorCode } from './error-code.ts';

const shortages: Readonly<Record<string, string>> = {
  EDQUOT: 'the disk is full for this user (quota)',
  EIO: 'the disk cannot be read or written',
  EMFILE: 'the server has too many files open',
  ENFILE: 'the host has too many files open',
  ENOMEM: 'the host has no memory left',
  ENOSPC: 'the disk is full',
  EROFS: 'the file system is read-only',
};
const retryMs = 250;

export function isShortage(error: unknown): boolean {
  return shortageIn(error) !== undefined;
}

/**
 * Whether the error is about a single file. An I/O error while reading means a bad sector of the file, which waiting
 * does not fix. An I/O error while writing concerns the disk.
 */
export function isUnreadable(error: unknown): boolean {
  return errorCode(error) === 'EIO' && !(error instanceof Error && 'syscall' in error && error.syscall === 'write');
}

/** Says what the host lacks; undefined when the error has another cause. */
export function shortageIn(error: unknown): string | undefined {
  const code = errorCode(error) ?? '';
  return Object.hasOwn(shortages, code) ? shortages[code] : undefined;
}

/** Whether the host lacks disk space. */
export function isDiskFull(error: unknown): boolean {
  return ['EDQUOT', 'ENOSPC'].includes(errorCode(error) ?? '');
}

/** Whether the host lacks file descriptors or memory, which become free again by themselves. */
export function isHostShort(error: unknown): boolean {
  return ['EMFILE', 'ENFILE', 'ENOMEM'].includes(errorCode(error) ?? '');
}

/**
 * Repeats the work until it succeeds, or fails with an error that is not `isPassing`. Work that fails must have changed
 * nothing.
 * @throws any other error of the work; the signal's reason, checked before each try
 */
export async function retryShortage<T>(
  work: () => T | Promise<T>,
  o: {
    readonly isPassing?: (error: unknown) => boolean;
    readonly signal?: AbortSignal;
    /** Called once, at the first wait. */
    readonly onWait?: (error: unknown) => void;
  } = {},
): Promise<T> {
  const { isPassing = isShortage, signal } = o;
  for (let isFirst = true; ; isFirst = false) {
    signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (!isPassing(error)) throw error;
      if (isFirst) o.onWait?.(error);
    }
    await delay(retryMs, undefined, signal ? { signal } : {});
  }
}
