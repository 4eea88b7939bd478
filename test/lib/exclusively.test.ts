// Locks on files, taken by this process and by another one.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { exclusively } from '../../src/lib/files/exclusively.ts';

function lockFile(): string {
  const dir = mkdtempSync(join(tmpdir(), 'flwd-lock-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return join(dir, 'lock');
}

function otherProcess(file: string): string {
  const program = join(import.meta.dirname, 'programs/exclusive.ts');
  return spawnSync(process.execPath, [program, file], { encoding: 'utf8' }).stdout.trim();
}

function inThisProcess(file: string): Promise<string | undefined> {
  return exclusively(file, { waitMs: 0 }, async () => 'locked');
}

test('a second call in the same process is refused, and leaves the lock of the first in force', async () => {
  const file = lockFile();
  const found = await exclusively(file, { waitMs: 0 }, async () => [
    await inThisProcess(file),
    otherProcess(file),
    await inThisProcess(join(file, '../lock')),
  ]);
  expect(found).toEqual([undefined, 'refused', undefined]);
  expect(existsSync(file)).toBe(false);
  expect([await inThisProcess(file), otherProcess(file)]).toEqual(['locked', 'locked']);
});

test('a file that cannot be locked is not left open', async () => {
  const file = lockFile();
  writeFileSync(file, 'not a database '.repeat(100));
  await expect(inThisProcess(file)).rejects.toThrow('file is not a database');
  const open = readdirSync('/proc/self/fd').map((name) => linkOf(join('/proc/self/fd', name)));
  expect(open).not.toContain(file);
});

/** Undefined for the descriptor that listed the folder, which is closed again. */
function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
