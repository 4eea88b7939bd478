import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { CatalogEntry } from '../../src/catalog/catalog.ts';
import { createSnapshots, type Snapshots } from '../../src/catalog/source/snapshot.ts';
import { Problem } from '../../src/domain/problem.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { type Files, job, makeDirectory, makeSource, openCatalog, sourceAt, write } from './source-fixture.ts';

/** A job in the directory `job` of a source, and a place for snapshots. */
async function setUp(files: Files) {
  const root = makeSource({ ...job('job'), ...files });
  const dir = join(makeDirectory(), 'snapshots');
  const entry = (await openCatalog([sourceAt(root, { watch: false })])).find('job');
  return { root, dir, entry, snapshots: createSnapshots({ dir, exclude: [] }) };
}

function filesIn(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1))
    .toSorted();
}

/** Waits until the job's files are so old that their times can be trusted. Then taking a snapshot copies nothing. */
async function untilKnown(snapshots: Snapshots, entry: CatalogEntry, dir: string): Promise<void> {
  const isCopiedAgain = async () => {
    await snapshots.take(entry);
    const before = statSync(dir).mtimeMs;
    await snapshots.take(entry);
    return statSync(dir).mtimeMs !== before;
  };
  await expect.poll(isCopiedAgain).toBe(false);
}

test('jobs with the same files can be copied at the same time, and each snapshot has all the files', async () => {
  const names = Array.from({ length: 8 }, (_, n) => `same${n}`);
  const root = makeSource(Object.assign({}, ...names.map((name) => job(name))));
  const dir = join(makeDirectory(), 'snapshots');
  const catalog = await openCatalog([sourceAt(root, { watch: false })]);
  for (let round = 0; round < 20; round += 1) {
    for (const name of names) writeFileSync(join(root, name, 'extra.txt'), `round ${round}`);
    const snapshots = createSnapshots({ dir, exclude: [] });
    const taken = await Promise.all(names.map((name) => snapshots.take(catalog.find(name))));
    expect(new Set(taken.map(({ revision }) => revision)).size).toBe(1);
    expect(filesIn(taken[0]?.dir ?? '')).toContain('extra.txt');
  }
});

test('a snapshot has the files of one tree, even if somebody switches the link to the source again and again', async () => {
  const dir = makeDirectory();
  for (const version of ['v1', 'v2']) {
    const files = Array.from({ length: 20 }, (_, n) => [`${version}/job/folder${n}/file.txt`, version]);
    write(dir, { ...job(`${version}/job`), ...Object.fromEntries(files) });
  }
  const link = join(dir, 'link');
  symlinkSync('v1', link);
  const entry = (await openCatalog([sourceAt(link, { watch: false })])).find('job');
  let switches = 0;
  const switching = setInterval(() => {
    symlinkSync(switches++ % 2 === 0 ? 'v2' : 'v1', `${link}.new`);
    renameSync(`${link}.new`, link);
  });
  onTestFinished(() => clearInterval(switching));
  for (let round = 0; round < 5; round += 1) {
    const snapshots = createSnapshots({ dir: join(dir, `snapshots${round}`), exclude: [] });
    const taken = await snapshots.take(entry);
    const texts = filesIn(taken.dir)
      .filter((name) => name.endsWith('file.txt'))
      .map((name) => readFileSync(join(taken.dir, name), 'utf8'));
    expect([texts.length, new Set(texts).size]).toEqual([20, 1]);
  }
});

async function problemOf(promise: Promise<unknown>): Promise<Problem> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof Problem) return error;
  throw error ?? new Error('no problem');
}

describe('what a snapshot holds', () => {
  test('the job’s files with content and executable bit, readable by everyone', async () => {
    const { root, dir, entry, snapshots } = await setUp({ 'job/lib/data.txt': 'x', 'job/.hidden': 'h' });
    chmodSync(join(root, 'job/lib/data.txt'), 0o600);
    const mask = process.umask(0o077);
    const taken = await snapshots.take(entry).finally(() => process.umask(mask));

    expect(taken.revision).toMatch(/^[0-9a-f]{16}$/);
    expect(taken.dir).toBe(join(dir, taken.revision));
    expect(snapshots.dirOf(taken.revision)).toBe(taken.dir);
    expect(filesIn(taken.dir)).toEqual(['.hidden', 'config.yaml', 'lib/data.txt', 'run.sh']);
    expect(readFileSync(join(taken.dir, 'run.sh'), 'utf8')).toBe('#!/bin/bash\ntrue\n');
    const modeOf = (path: string) => (statSync(join(taken.dir, path)).mode & 0o777).toString(8);
    expect([modeOf('run.sh'), modeOf('lib/data.txt'), modeOf('lib'), modeOf('.')]).toEqual([
      '755',
      '644',
      '755',
      '755',
    ]);
    expect(readdirSync(dir)).toEqual([taken.revision]);
  });

  test('no other job below it, no .git and nothing that .flwdignore names', async () => {
    const { entry, snapshots } = await setUp({
      ...job('job/inner'),
      'job/older/config.d/config.yaml': 'x',
      'job/plain/config.d/other.txt': 'x',
      'job/.git/HEAD': 'x',
      'job/big.tmp': 'x',
      'job/node_modules/dep/config.yaml': 'x',
      '.flwdignore': '*.tmp\n',
    });
    expect(filesIn((await snapshots.take(entry)).dir)).toEqual([
      'config.yaml',
      'node_modules/dep/config.yaml',
      'plain/config.d/other.txt',
      'run.sh',
    ]);
  });

  test('a config.d with all that is in it', async () => {
    const files = ['config.d/config.yaml', 'config.d/lib/config.yaml', 'config.d/lib/run.sh'];
    const root = makeSource(
      Object.fromEntries(files.map((file) => [`old/${file}`, 'command: ./config.d/lib/run.sh\n'])),
    );
    const entry = (await openCatalog([sourceAt(root)])).find('old');
    const { dir } = await createSnapshots({ dir: join(makeDirectory(), 'snapshots'), exclude: [] }).take(entry);
    expect(filesIn(dir)).toEqual(files);
  });

  test('the target of a link, if it is in the source', async () => {
    const outside = makeSource({ 'secret.txt': 'secret', 'dir/more.txt': 'secret' });
    const { entry, snapshots } = await setUp({
      'shared/lib/a.sh': 'a',
      'shared/b.sh': 'b',
      'job/lib': { link: '../shared/lib' },
      'job/b.sh': { link: '../shared/b.sh' },
      'job/up': { link: '..' },
      'job/secret.txt': { link: join(outside, 'secret.txt') },
      'job/dir': { link: join(outside, 'dir') },
      'job/nowhere': { link: 'gone' },
    });
    const { dir } = await snapshots.take(entry);
    const files = filesIn(dir);
    expect(files).toEqual(expect.arrayContaining(['b.sh', 'config.yaml', 'lib/a.sh', 'run.sh', 'up/shared/b.sh']));
    expect(files.filter((file) => /secret|more|nowhere/.test(file))).toEqual([]);
    expect(files.filter((file) => lstatSync(join(dir, file)).isSymbolicLink())).toEqual([]);
  });

  test('no pipes, sockets or devices, and names of any kind', async () => {
    const { root, entry, snapshots } = await setUp({ 'job/a b\n"c".txt': 'x', 'job/-rf': 'y' });
    execFileSync('mkfifo', [join(root, 'job/pipe')]);
    execFileSync('sh', ['-c', 'printf x > "$(printf "$1/job/\\377")"', 'sh', root]);
    expect(filesIn((await snapshots.take(entry)).dir)).toEqual(['-rf', 'a b\n"c".txt', 'config.yaml', 'run.sh']);
  });
});

describe('a revision', () => {
  test('is the same for the same files, and differs with content, name or executable bit', async () => {
    const files = { 'job/lib/data.txt': 'x' };
    const [one, same] = [await setUp(files), await setUp(files)];
    const first = await one.snapshots.take(one.entry);
    expect((await same.snapshots.take(same.entry)).revision).toBe(first.revision);

    const seen = new Set([first.revision]);
    const change = async (action: () => void) => {
      action();
      seen.add((await one.snapshots.take(one.entry)).revision);
    };
    await change(() => writeFileSync(join(one.root, 'job/run.sh'), '#!/bin/bash\nfalse\n'));
    await change(() => chmodSync(join(one.root, 'job/lib/data.txt'), 0o755));
    await change(() => write(one.root, { 'job/new.txt': '' }));
    await change(() => rmSync(join(one.root, 'job/lib'), { recursive: true }));
    expect(seen.size).toBe(5);
    expect(readFileSync(join(first.dir, 'lib/data.txt'), 'utf8')).toBe('x');
  });

  test('of the catalog is the same as that of the snapshot, before and after an edit', async () => {
    const root = makeSource({ ...job('a'), ...job('a/inner') });
    const catalog = await openCatalog([sourceAt(root)]);
    const snapshots = createSnapshots({ dir: join(makeDirectory(), 'snapshots'), exclude: [] });
    const before = catalog.find('a');
    const { revision } = await snapshots.take(before);
    expect(await catalog.revisionOf(before)).toBe(revision);

    writeFileSync(join(root, 'a/run.sh'), '#!/bin/bash\nfalse\n');
    await expect.poll(() => catalog.find('a')).not.toBe(before);
    const edited = await snapshots.take(catalog.find('a'));
    expect(edited.revision).not.toBe(revision);
    expect(await catalog.revisionOf(catalog.find('a'))).toBe(edited.revision);
  });

  test('of the catalog is current when the target of a link changes', async () => {
    const root = makeSource({ ...job('a'), 'a/lib.sh': { link: '../.shared/lib.sh' }, '.shared/lib.sh': 'one' });
    const catalog = await openCatalog([sourceAt(root)]);
    const before = await catalog.revisionOf(catalog.find('a'));
    writeFileSync(join(root, '.shared/lib.sh'), 'two');
    expect(await catalog.revisionOf(catalog.find('a'))).not.toBe(before);
  });

  test('of the catalog is current when a file below config.d changes', async () => {
    const root = makeSource({ 'a/config.d/config.yaml': 'command: ./config.d/x/y.sh\n', 'a/config.d/x/y.sh': 'one' });
    const catalog = await openCatalog([sourceAt(root)]);
    // The clock is ahead, so the file is old enough for its revision to be cached.
    const now = vi.spyOn(systemClock, 'now').mockReturnValue(Date.now() + 60_000);
    onTestFinished(() => now.mockRestore());
    const before = await catalog.revisionOf(catalog.find('a'));
    writeFileSync(join(root, 'a/config.d/x/y.sh'), 'two');
    expect(await catalog.revisionOf(catalog.find('a'))).not.toBe(before);
  });
});

describe('taking a snapshot', () => {
  test('includes an edit made just before, even one that keeps the length of the file', async () => {
    const { root, entry, snapshots } = await setUp({});
    for (const letter of 'abcdefghijklmnopqrstuvwxyz') {
      writeFileSync(join(root, 'job/run.sh'), letter);
      const { dir } = await snapshots.take(entry);
      expect(readFileSync(join(dir, 'run.sh'), 'utf8')).toBe(letter);
    }
  });

  test('notices an edit that sets the time of the file back', async () => {
    const { root, dir, entry, snapshots } = await setUp({ 'job/data': 'a' });
    const path = join(root, 'job/data');
    const past = new Date('2020-01-01T00:00:00Z');
    utimesSync(path, past, past);
    await untilKnown(snapshots, entry, dir);
    writeFileSync(path, 'b');
    utimesSync(path, past, past);
    expect(readFileSync(join((await snapshots.take(entry)).dir, 'data'), 'utf8')).toBe('b');
  });

  test('copies nothing when nothing has changed', async () => {
    const { dir, entry, snapshots } = await setUp({});
    await untilKnown(snapshots, entry, dir);
    const before = statSync(dir).mtimeMs;
    const { revision } = await snapshots.take(entry);
    expect(statSync(dir).mtimeMs).toBe(before);
    expect(readdirSync(dir)).toEqual([revision]);
  });

  test('starts again when a file is edited meanwhile, so the copy never mixes two versions', async () => {
    const { root, dir, entry, snapshots } = await setUp({});
    const save = (letter: string) => {
      for (const name of ['a.bin', 'b.bin', 'c.bin'])
        writeFileSync(join(root, 'job', name), letter.repeat(4 * 2 ** 20));
    };
    save('x');
    const taking = snapshots.take(entry);
    await expect.poll(() => readdirSync(dir, { recursive: true }).join(), { interval: 1 }).toContain('a.bin');
    save('y');
    const taken = await taking;
    expect(['a.bin', 'b.bin', 'c.bin'].map((name) => readFileSync(join(taken.dir, name), 'latin1')[0])).toEqual([
      'y',
      'y',
      'y',
    ]);
  });

  test('fifty times at once, while files are edited, gives whole and consistent copies each time', async () => {
    const { root, dir, entry, snapshots } = await setUp({});
    const save = (round: number) => {
      writeFileSync(join(root, 'job/one.txt'), `${round}`.repeat(1000));
      writeFileSync(join(root, 'job/two.txt'), `${round}`.repeat(1000));
    };
    save(0);
    const all: Promise<{ revision: string; dir: string }>[] = [];
    for (let round = 1; round <= 50; round++) {
      all.push(snapshots.take(entry));
      if (round % 10 === 0) save(round);
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const { dir: copy } of await Promise.all(all)) {
      expect(readFileSync(join(copy, 'one.txt'), 'utf8')).toBe(readFileSync(join(copy, 'two.txt'), 'utf8'));
    }
    expect(readdirSync(dir).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  test('a hundred times at once right after an edit shares the work, and every copy has the edit', async () => {
    const { root, entry, snapshots } = await setUp({});
    writeFileSync(join(root, 'job/run.sh'), 'one');
    const first = Array.from({ length: 50 }, () => snapshots.take(entry));
    await new Promise((resolve) => setImmediate(resolve));
    writeFileSync(join(root, 'job/run.sh'), 'two');
    const second = await Promise.all(Array.from({ length: 50 }, () => snapshots.take(entry)));
    await Promise.all(first);
    expect(second.map(({ dir }) => readFileSync(join(dir, 'run.sh'), 'utf8'))).toEqual(second.map(() => 'two'));
  });

  test('again restores a copy that lost its content, for example in a power failure', async () => {
    const { dir, entry, snapshots } = await setUp({});
    const taken = await snapshots.take(entry);
    truncateSync(join(taken.dir, 'run.sh'), 0);
    const again = await createSnapshots({ dir, exclude: [] }).take(entry);
    expect(again).toEqual(taken);
    expect(readFileSync(join(taken.dir, 'run.sh'), 'utf8')).toBe('#!/bin/bash\ntrue\n');
  });

  test('again restores a snapshot that somebody deleted', async () => {
    const { entry, snapshots } = await setUp({});
    const { dir } = await snapshots.take(entry);
    rmSync(dir, { recursive: true });
    await snapshots.take(entry);
    expect(existsSync(join(dir, 'run.sh'))).toBe(true);
  });
});

describe('a job that cannot be copied', () => {
  test('because it has more than 10,000 files says so', async () => {
    const { root, entry, snapshots } = await setUp({});
    mkdirSync(join(root, 'job/many'));
    for (let at = 0; at < 10_001; at++) writeFileSync(join(root, 'job/many', String(at)), '');
    expect(await problemOf(snapshots.take(entry))).toMatchObject({
      slug: 'job-invalid',
      message:
        "The job 'job' cannot be used: its folder contains more than 10,000 files: move data elsewhere or name it in .flwdignore",
      members: { errors: [{ file: 'job/config.yaml', line: 1, column: 1 }] },
    });
  });

  test('because it has more than 100 MiB says so without reading it', async () => {
    const { root, dir, entry, snapshots } = await setUp({ 'job/big': '' });
    truncateSync(join(root, 'job/big'), 200 * 2 ** 20);
    const problem = await problemOf(snapshots.take(entry));
    expect(problem.message).toContain('its folder contains more than 100 MiB');
    expect(existsSync(dir)).toBe(false);
  });

  test('because it no longer exists is not found', async () => {
    const { root, entry, snapshots } = await setUp({});
    rmSync(join(root, 'job'), { recursive: true });
    expect(await problemOf(snapshots.take(entry))).toMatchObject({ slug: 'job-not-found' });
  });
});

test('a snapshot is synced to the disk before it is renamed, and the new name is synced before a run uses it', async () => {
  const { root, dir, entry, snapshots } = await setUp({ 'job/lib/data.txt': 'x' });
  const probe = await open(root);
  const synced: string[] = [];
  const isNamed = (): boolean => existsSync(dir) && readdirSync(dir).some((name) => !name.startsWith('.'));
  const handles: FileHandle = Object.getPrototypeOf(probe);
  const sync: () => Promise<void> = Reflect.get(handles, 'sync');
  handles.sync = async function (this: FileHandle) {
    const path = readlinkSync(`/proc/self/fd/${this.fd}`).slice(dir.length + 1);
    synced.push(`${path.replace(/^\.draft-\w+/, 'draft') || '.'} ${isNamed() ? 'named' : 'draft'}`);
    await sync.call(this);
  };
  onTestFinished(async () => {
    handles.sync = sync;
    await probe.close();
  });
  await snapshots.take(entry);

  const files = ['config.yaml', 'lib/data.txt', 'run.sh'].map((file) => `draft/${file} draft`);
  expect(synced.toSorted()).toEqual(['draft draft', ...files, 'draft/lib draft', '. named'].toSorted());
  expect(synced.at(-1)).toBe('. named');
});
