// Measures workspaces, and notices when one exceeds its limit.

import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, renameSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { measureWorkspace, watchWorkspace } from '../../src/exec/collect/workspace-size.ts';
import { temporaryFolder } from './sample.ts';

const noLimit = Number.MAX_SAFE_INTEGER;

/** The size according to find(1): the blocks of each inode once, and at least 4 KiB for each inode. */
function sizeOf(dir: string): number {
  const lines = execFileSync('find', [dir, '-printf', '%i %b\n'], { encoding: 'utf8' }).trim().split('\n');
  return [...new Set(lines)].reduce((sum, line) => sum + Math.max(4096, 512 * Number(line.split(' ')[1])), 0);
}

test('the size is that of the blocks, with hard links counted once, links as themselves, and names of any bytes', async () => {
  const dir = temporaryFolder();
  mkdirSync(join(dir, 'a/b'), { recursive: true });
  writeFileSync(join(dir, 'a/b/file'), 'x'.repeat(100_000));
  linkSync(join(dir, 'a/b/file'), join(dir, 'again'));
  symlinkSync('/usr', join(dir, 'usr'));
  writeFileSync(Buffer.concat([Buffer.from(`${dir}/`), Buffer.from([0xff, 0xfe])]), 'x'.repeat(50_000));
  writeFileSync(join(dir, 'sparse'), '');
  truncateSync(join(dir, 'sparse'), 2 ** 40);
  const bytes = await measureWorkspace(dir, noLimit);
  expect(bytes).toBe(sizeOf(dir));
  expect(bytes).toBeGreaterThan(150_000);
});

test('files without blocks still take an inode: empty files, folders and links count as 4 KiB each', async () => {
  const dir = temporaryFolder();
  for (let n = 0; n < 100; n++) {
    writeFileSync(join(dir, `file-${n}`), '');
    mkdirSync(join(dir, `folder-${n}`));
    symlinkSync('nowhere', join(dir, `link-${n}`));
  }
  expect(await measureWorkspace(dir, noLimit)).toBeGreaterThanOrEqual(300 * 4096);
  const bytes = await measureWorkspace(dir, 400_000);
  expect(bytes).toBeGreaterThan(400_000);
  expect(bytes).toBeLessThan(500_000);
});

test('the walk stops once the limit is exceeded', async () => {
  const dir = temporaryFolder();
  for (let file = 0; file < 50; file++) writeFileSync(join(dir, String(file)), 'x'.repeat(65_536));
  const bytes = await measureWorkspace(dir, 500_000);
  expect(bytes).toBeGreaterThan(500_000);
  expect(bytes).toBeLessThan(700_000);
});

test('a folder that is missing or unreadable is not an error', async () => {
  const dir = temporaryFolder();
  mkdirSync(join(dir, 'closed'));
  chmodSync(join(dir, 'closed'), 0);
  expect(await measureWorkspace(dir, noLimit)).toBeLessThan(100_000);
  expect(await measureWorkspace(join(dir, 'never'), noLimit)).toBe(0);
  chmodSync(join(dir, 'closed'), 0o700);
});

test.each(['the folder itself', 'a folder above it'])(
  'a walk never leaves the workspace, even when %s is swapped for a link',
  async (what) => {
    const dir = join(temporaryFolder(), 'workspace');
    const host = temporaryFolder();
    mkdirSync(join(dir, 'a/b'), { recursive: true });
    mkdirSync(join(host, 'b'));
    writeFileSync(join(host, 'large'), 'x'.repeat(1_000_000));
    writeFileSync(join(host, 'b/large'), 'x'.repeat(1_000_000));
    const { signal } = new AbortController();
    let seen = 0;
    Object.defineProperty(signal, 'aborted', {
      get() {
        // Called after each entry that was found: `a`, then `b`.
        if (++seen === (what === 'the folder itself' ? 1 : 2)) {
          renameSync(join(dir, 'a'), join(dir, 'was'));
          symlinkSync(host, join(dir, 'a'));
        }
        return false;
      },
    });
    expect(await measureWorkspace(dir, noLimit, { signal })).toBeLessThan(100_000);
    expect(seen).toBeGreaterThanOrEqual(1);
  },
);

test('a workspace over the limit is reported once, with the size that was found', async () => {
  const dir = temporaryFolder();
  const told: number[] = [];
  const watch = watchWorkspace({
    attemptDirs: async () => [],
    dir,
    limitBytes: 100_000,
    onOver: (bytes) => told.push(bytes),
    onError: (error) => expect.fail(String(error)),
  });
  writeFileSync(join(dir, 'within'), 'x'.repeat(10_000));
  writeFileSync(join(dir, 'draft'), 'x'.repeat(200_000));
  renameSync(join(dir, 'draft'), join(dir, 'over'));
  await expect.poll(() => told.length).toBe(1);
  expect(told[0]).toBeGreaterThan(200_000);
  watch.close();
});
