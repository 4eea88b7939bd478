// Changes while a source is being read. Each test makes its change at the worst moment: right before a directory is
// watched, or where no watch reports it.

import { appendFileSync, chmodSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createDirectoryWatch } from '../../src/catalog/source/directory-watch.ts';
import { createIgnoreReader, type Ignore } from '../../src/catalog/source/ignore.ts';
import { createSourceTree, type SourceTree } from '../../src/catalog/source/source-tree.ts';
import { watchSource } from '../../src/catalog/source/source-watch.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { LogLines } from '../../src/lib/logger.ts';
import { asNobody, job, makeSource, sourceAt, write } from './source-fixture.ts';

const silent = pino({ level: 'silent' });

/** Reads a tree once and watches nothing. `beforeWatching` gets each directory that would be watched. */
async function readTree(
  root: string,
  beforeWatching: (path: string) => void = () => undefined,
  log: LogLines = silent,
): Promise<SourceTree> {
  const tree = createSourceTree(sourceAt(root), {
    ignoreOf: createIgnoreReader({ exclude: [] }),
    log,
    watch(dir) {
      beforeWatching(dir.slice(root.length));
      return () => undefined;
    },
    onEntry: () => undefined,
  });
  onTestFinished(() => tree.close());
  await tree.rescan();
  return tree;
}

/** The ids of usable jobs. */
function usable(tree: Pick<SourceTree, 'jobs'>): string[] {
  return tree.jobs.filter(({ read }) => 'id' in read).map(({ id }) => id);
}

test('a .flwdignore that is written while it is read for the first time is noticed', async () => {
  const root = makeSource({ ...job('a'), ...job('b') });
  const read = createIgnoreReader({ exclude: [] });
  let isWritten = false;
  const ignoreOf = (of: string): Ignore => {
    const ignore = read(of);
    if (!isWritten) writeFileSync(join(root, '.flwdignore'), 'b/\n');
    isWritten = true;
    return ignore;
  };
  const directories = createDirectoryWatch(silent);
  const source = watchSource({
    source: sourceAt(root),
    directories,
    ignoreOf,
    log: silent,
    hadJobs: async () => false,
    onChange: () => undefined,
  });
  onTestFinished(() => source.close());
  await source.start();
  await vi.waitFor(() => expect(usable(source.tree)).toEqual(['a']), { timeout: 30_000, interval: 5 });
});

test('a change of .flwdignore that no watch reports is found by the next look', async () => {
  const root = makeSource({ ...job('a'), ...job('b') });
  const tree = await readTree(root);
  for (const [content, ids] of [
    ['b/\n', ['a']],
    ['a/\n', ['b']],
    ['#a\n', ['a', 'b']],
  ] as const) {
    writeFileSync(join(root, '.flwdignore'), content);
    await tree.refresh(await tree.findMarks());
    expect(usable(tree).toSorted()).toEqual(ids);
  }
  rmSync(join(root, '.flwdignore'));
  expect([...(await tree.findMarks()).keys()]).toContain('');
});

test('a change of a job’s files that no watch reports is found by the next look', async () => {
  const root = makeSource({ ...job('a'), 'a/lib/x.sh': '', 'b/config.yaml': 'command: ./tool\n', 'b/tool': 'x' });
  const tree = await readTree(root);
  const marks = async () => [...(await tree.findMarks()).keys()];
  async function readUntilKnown(): Promise<void> {
    await expect
      .poll(async () => {
        await tree.refresh(await tree.findMarks());
        return marks();
      })
      .toEqual([]);
  }
  await readUntilKnown();
  appendFileSync(join(root, 'a/run.sh'), 'true\n');
  expect(await marks()).toEqual(['a']);
  await readUntilKnown();
  appendFileSync(join(root, 'a/lib/x.sh'), 'true\n');
  expect(await marks()).toEqual(['a/lib']);
  await readUntilKnown();
  chmodSync(join(root, 'b/tool'), 0o755);
  expect(await marks()).toEqual(['b']);
  await readUntilKnown();
  expect(usable(tree).toSorted()).toEqual(['a', 'b']);
});

test('a directory whose mode changes is watched again, because it may have been unreadable before', async () => {
  const root = makeSource({ ...job('a'), 'x/y': '' });
  const watched: string[] = [];
  const tree = await readTree(root, (path) => watched.push(path));
  chmodSync(join(root, 'x'), 0o711);
  watched.length = 0;
  await tree.refresh(await tree.findMarks());
  expect(watched).toEqual(['/x']);
});

test('a folder that flwd may not read is an invalid job, and the log says nothing else about it', async () => {
  const root = makeSource({ ...job('a'), ...job('a/data'), ...job('group/b'), ...job('lost+found') });
  chmodSync(root, 0o755);
  const logged: string[] = [];
  const tree = await asNobody(() =>
    readTree(root, () => undefined, pino({ base: null }, { write: (line: string) => void logged.push(line) })),
  );
  expect(usable(tree).toSorted()).toEqual(['a', 'a/data', 'group/b']);

  for (const folder of ['group/b', 'lost+found']) chmodSync(join(root, folder), 0);
  await asNobody(async () => tree.refresh(await tree.findMarks()));
  const message =
    'flwd may not read this folder: let the user of the server read and enter it, or name it in .flwdignore';
  expect(tree.jobs.find(({ id }) => id === 'group/b')?.read).toEqual([
    { file: 'group/b/config.yaml', line: 1, column: 1, message },
  ]);
  expect(usable(tree).toSorted()).toEqual(['a', 'a/data']);
  expect(tree.jobs).toHaveLength(3);
  expect(logged).toEqual([]);

  chmodSync(join(root, 'group/b'), 0o755);
  await asNobody(async () => expect(await tree.refresh(await tree.findMarks())).toBe(true));
  expect(usable(tree).toSorted()).toEqual(['a', 'a/data', 'group/b']);
});

test('a folder that flwd may list but not enter is an invalid job; if it is inside a job, the log names it once', async () => {
  const root = makeSource({ ...job('a'), 'a/data/x': '', ...job('group/b') });
  chmodSync(root, 0o755);
  const logged: string[] = [];
  const tree = await asNobody(() =>
    readTree(root, () => undefined, pino({ base: null }, { write: (line: string) => void logged.push(line) })),
  );
  const refresh = () => asNobody(async () => void (await tree.refresh(await tree.findMarks())));

  for (const folder of ['group', 'a/data']) chmodSync(join(root, folder), 0o644);
  await refresh();
  await refresh();
  expect(usable(tree)).toEqual(['a']);
  expect(tree.jobs.find(({ id }) => id === 'group')?.read).toMatchObject([{ file: 'group/config.yaml' }]);
  expect(logged.map((line) => JSON.parse(line))).toMatchObject([
    { path: 'a/data', msg: 'a folder cannot be read (EACCES)' },
  ]);

  chmodSync(join(root, 'group'), 0o755);
  await refresh();
  expect(usable(tree).toSorted()).toEqual(['a', 'group/b']);
});

test('a directory that was read so soon after a change that a second change could be missed is read again', async () => {
  const root = makeSource(job('a'));
  const now = vi.spyOn(systemClock, 'now');
  onTestFinished(() => now.mockRestore());
  const changedAtMs = statSync(join(root, 'a/run.sh')).ctimeMs;
  now.mockReturnValue(changedAtMs + 10);
  const tree = await readTree(root);
  now.mockReturnValue(changedAtMs + 60_000);
  expect([...(await tree.findMarks()).keys()]).toContain('a');
  await tree.refresh(await tree.findMarks());
  expect((await tree.findMarks()).size).toBe(0);
});

test('a script that appears below a job before its directory is watched is part of the job', async () => {
  const root = makeSource({ 'a/config.yaml': 'command: ./lib/run.sh\n', 'a/lib/x': '' });
  const tree = await readTree(root, (path) => {
    if (path === '/a/lib') write(root, { 'a/lib/run.sh': '#!/bin/bash\n' });
  });
  expect(usable(tree)).toEqual(['a']);
});

test('a config.d that is filled before it is watched makes its directory a job', async () => {
  const root = makeSource({ 'a/config.d/x': '', 'a/run.sh': '#!/bin/bash\n' });
  const tree = await readTree(root, (path) => {
    if (path === '/a/config.d') write(root, { 'a/config.d/config.yaml': 'command: ./run.sh\n' });
  });
  expect(usable(tree)).toEqual(['a']);
});
