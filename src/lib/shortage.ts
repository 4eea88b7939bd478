// What a host may lack for a while: room on a disk, descriptors, memory. It says nothing about the work it stands in the way
// of, so that work waits and is tried again.

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
 * Where one stored file is read, the disk's refusal is about that file: a bad sector, which no waiting fixes. A refusal
 * to write is about the disk.
 */
export function isUnreadable(error: unknown): boolean {
  return errorCode(error) === 'EIO' && !(error instanceof Error && 'syscall' in error && error.syscall === 'write');
}

/** What the host lacks, in words; undefined when that is not what the error says. */
export function shortageIn(error: unknown): string | undefined {
  const code = errorCode(error) ?? '';
  return Object.hasOwn(shortages, code) ? shortages[code] : undefined;
}

/** Room on the disk alone. */
export function isDiskFull(error: unknown): boolean {
  return ['EDQUOT', 'ENOSPC'].includes(errorCode(error) ?? '');
}

/** Descriptors or memory, which come back by themselves. */
export function isHostShort(error: unknown): boolean {
  return ['EMFILE', 'ENFILE', 'ENOMEM'].includes(errorCode(error) ?? '');
}

/**
 * Does the work again until it is not `isPassing` that fails it; work that was refused must have changed nothing.
 * @throws what else the work throws; the signal's reason, before each try
 */
export async function retryShortage<T>(
  work: () => T | Promise<T>,
  o: {
    readonly isPassing?: (error: unknown) => boolean;
    readonly signal?: AbortSignal;
    /** Called once, when there is something to wait for. */
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
