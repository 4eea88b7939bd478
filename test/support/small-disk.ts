// Mounts for tests, including a small disk that a test can fill and free again. Only root can mount.

import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished, test } from 'vitest';

const canMount = process.getuid?.() === 0 && spawnSync('mount', ['--version']).status === 0;

/** vitest's `test` for tests that need a mount. */
export const testWithDisk: typeof test.only = test.skipIf(!canMount && !process.env.CI);

/**
 * Mounts a disk on a folder until the test has ended. With `inodes`, the disk can hold only that many files and
 * folders.
 */
export function mountDisk(dir: string, sizeMiB: number, inodes?: number): void {
  const bound = inodes === undefined ? '' : `,nr_inodes=${inodes}`;
  mountOn(dir, '-t', 'tmpfs', '-o', `size=${sizeMiB}m,mode=755${bound}`, 'flwd-test');
}

/** Mounts on a folder until the test has ended. `words` are the arguments of mount(8) before the folder. */
export function mountOn(dir: string, ...words: readonly string[]): void {
  mustRun('mount', ...words, dir);
  onTestFinished(() => mustRun('umount', '--lazy', dir));
}

function mustRun(command: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command}: ${stderr}`);
}

/** Takes all free inodes of a disk. Returns a function that frees them. */
export function fillInodes(dir: string): () => void {
  const path = join(dir, 'files');
  mkdirSync(path);
  try {
    for (let n = 0; ; n++) writeFileSync(join(path, String(n)), '');
  } catch {
    return () => rmSync(path, { recursive: true });
  }
}

/** Takes all free bytes of a disk. Returns a function that frees them. */
export function fillDisk(dir: string): () => void {
  const path = join(dir, 'filler');
  const fd = openSync(path, 'w');
  for (let sizeBytes = 1024 * 1024; sizeBytes > 0; ) {
    try {
      writeSync(fd, Buffer.alloc(sizeBytes));
    } catch {
      sizeBytes = Math.floor(sizeBytes / 2);
    }
  }
  closeSync(fd);
  return () => rmSync(path);
}
