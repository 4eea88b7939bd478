// What a program beside a benchmark says once it has begun, or has measured.

import type { ChildProcess } from 'node:child_process';

/** Rejects when the program ends, or cannot be started, before it says anything. */
export function firstMessage<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once('message', (message: T) => resolve(message));
    child.once('error', reject);
    // After all messages.
    child.once('disconnect', () => reject(new Error(`${child.spawnargs.slice(1).join(' ')} ended without a message`)));
  });
}
