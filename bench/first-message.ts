// The first message of a program beside a benchmark: that it has begun, or what it has measured.

import type { ChildProcess } from 'node:child_process';

/** Rejects when the program ends, or cannot be started, before it says anything. */
export function firstMessage<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once('message', (message: T) => resolve(message));
    child.once('error', reject);
    // This event comes after all messages.
    child.once('disconnect', () => reject(new Error(`${child.spawnargs.slice(1).join(' ')} ended without a message`)));
  });
}
