import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { engines, nowMs, type Opened } from './engines.ts';

describe.each(engines)('files that triggers follow on $engine', ({ open }) => {
  let dir: string;
  let store: Opened;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'flwd-watched-'));
    store = await open(dir);
  });
  afterEach(async () => {
    await store.database.close();
    await rm(dir, { recursive: true });
  });

  const files = (...stamps: readonly string[]) => stamps.map((stamp, at) => ({ name: `f${at}`, stamp }));
  const note = (...stamps: readonly string[]) =>
    store.database.transact((tx) => store.watchedFiles.note(tx, 'in', files(...stamps)));
  const look = (atMs: number) => store.database.transact((tx) => store.watchedFiles.look(tx, 'in', atMs));
  const gone = (atMs: number, ...names: readonly string[]) =>
    store.database.transact((tx) => store.watchedFiles.noteGone(tx, 'in', names, atMs));

  test('each version of a file is recorded once', async () => {
    expect(await store.watchedFiles.present('in')).toBeUndefined();
    await look(nowMs);
    expect(await note('1', '1')).toBe(2);
    expect(await note('1', '2')).toBe(1);
    expect(await store.watchedFiles.present('in')).toEqual(
      new Map([
        ['f0', '1'],
        ['f1', '2'],
      ]),
    );
    expect(await store.watchedFiles.present('out')).toBeUndefined();
  });

  test('a file that is gone is remembered for a while, and longer if it returns', async () => {
    await look(nowMs);
    await note('1', '1', '1');
    await gone(nowMs, 'f0', 'f1');
    expect([...((await store.watchedFiles.present('in')) ?? []).keys()]).toEqual(['f2']);
    expect(await store.watchedFiles.stamps('in', ['f0', 'f9'])).toEqual(new Map([['f0', '1']]));
    await store.database.transact((tx) => store.watchedFiles.noteBack(tx, 'in', ['f0']));
    expect(await store.watchedFiles.removeGone(nowMs, 10)).toBe(0);
    expect(await store.watchedFiles.removeGone(nowMs + 1, 10)).toBe(1);
    expect([...(await store.watchedFiles.stamps('in', ['f0', 'f1', 'f2'])).keys()].toSorted()).toEqual(['f0', 'f2']);
  });

  test('a folder that is no longer read is removed with its files', async () => {
    await look(nowMs);
    await note('1');
    expect(await store.watchedFiles.removeFolders(nowMs, 10)).toBe(0);
    await look(nowMs + 5);
    expect(await store.watchedFiles.removeFolders(nowMs + 5, 10)).toBe(0);
    expect(await store.watchedFiles.removeFolders(nowMs + 6, 10)).toBe(1);
    expect(await store.watchedFiles.stamps('in', ['f0'])).toEqual(new Map());
  });

  test('many files can be recorded at once', async () => {
    await look(nowMs);
    expect(await note(...Array.from({ length: 1_000 }, () => '1'))).toBe(1_000);
    expect((await store.watchedFiles.present('in'))?.size).toBe(1_000);
  });
});
