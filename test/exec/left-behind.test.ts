// Only files in a run's own folders are counted, even when those are swapped meanwhile.

import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { findLeftFiles, joinLeftFiles } from '../../src/exec/collect/left-behind.ts';
import { readTmpLeft } from '../../src/exec/collect/tmp-left.ts';
import { testWithDisk } from '../support/small-disk.ts';
import { run, temporaryFolder } from './sample.ts';

/** Folders of a run, and folders of the host beside them with the same names. */
function makeFolders(dir: string, host: string): void {
  for (const root of [dir, host]) mkdirSync(join(root, 'a/b'), { recursive: true });
  writeFileSync(join(dir, 'a/b/own'), 'x');
  writeFileSync(join(host, 'a/secret'), 'of the host');
  writeFileSync(join(host, 'a/b/secret'), 'of the host');
  writeFileSync(join(host, 'a/b/own'), 'of the host');
}

/** Replaces `a` by a link to the host's folder just before the walk continues from `path`. */
function findWhileSwapped(dir: string, openedAt: string, host: string, path: string): ReturnType<typeof findLeftFiles> {
  return findLeftFiles({
    dir: openedAt,
    shownBelow: '',
    isKept(found) {
      if (found === path) {
        renameSync(join(dir, 'a'), join(dir, 'was'));
        symlinkSync(join(host, 'a'), join(dir, 'a'));
      }
      return false;
    },
  });
}

test.each([
  ['the folder itself', 'a', { count: 0, bytes: 0, names: [] }],
  ['a folder above it', 'a/b', { count: 0, bytes: 0, names: [] }],
  ['the folder of a file', 'a/b/own', { count: 1, bytes: 1, names: ['a/b/own'] }],
])('nothing about the host is revealed when %s is swapped for a link', async (_, path, left) => {
  const dir = temporaryFolder();
  const host = temporaryFolder();
  makeFolders(dir, host);
  expect(await findWhileSwapped(dir, dir, host, path)).toEqual({ ...left, more: false });
});

testWithDisk(
  'nothing about the host is revealed by a /tmp that is unmounted because its sandbox has ended',
  async () => {
    const dir = temporaryFolder();
    const host = temporaryFolder();
    execFileSync('mount', ['-t', 'tmpfs', 'flwd-test', dir]);
    const fd = openSync(dir, 'r');
    onTestFinished(() => closeSync(fd));
    execFileSync('umount', ['--lazy', dir]);
    const open = `/proc/self/fd/${fd}`;
    makeFolders(open, host);
    mkdirSync(join(open, 'c/d'), { recursive: true });
    writeFileSync(join(open, 'c/d/deep'), 'xx');
    expect(await findWhileSwapped(open, open, host, 'a/b')).toEqual({
      count: 1,
      bytes: 2,
      names: ['c/d/deep'],
      more: false,
    });
  },
);

test('files in /tmp are found however long bwrap takes to start', async () => {
  const bin = temporaryFolder();
  writeFileSync(join(bin, 'bwrap'), '#!/bin/sh\nsleep 2\nexec /usr/bin/bwrap "$@"\n', { mode: 0o755 });
  vi.stubEnv('PATH', `${bin}:${process.env.PATH}`);
  onTestFinished(() => void vi.unstubAllEnvs());
  const { end, spec } = await run('echo 1 > /tmp/left');
  expect(end).toEqual({ kind: 'exited', code: 0 });
  expect(readTmpLeft(spec.attemptDir)).toEqual({ count: 1, bytes: 2, names: ['/tmp/left'], more: false });
});

test('counting stops at the limit, which covers the workspace and several /tmp', () => {
  const found = { count: 6_000, bytes: 10, names: ['one'], more: false };
  expect(joinLeftFiles([found, found])).toEqual({ count: 10_000, bytes: 20, names: ['one', 'one'], more: true });
});
