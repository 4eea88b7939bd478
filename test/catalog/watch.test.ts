import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { Catalog } from '../../src/catalog/catalog.ts';
import { createDirectoryWatch } from '../../src/catalog/source/directory-watch.ts';
import { createIgnoreReader, type Ignore } from '../../src/catalog/source/ignore.ts';
import { watchSource } from '../../src/catalog/source/source-watch.ts';
import { errorsOf, idsOf, job, makeDirectory, makeSource, openCatalog, sourceAt, write } from './source-fixture.ts';

function titleOf(catalog: Catalog, id: string): string | null {
  return catalog.find(id).definition.title;
}

test('a new, a changed and a removed job are noticed, each in a new generation', async () => {
  const root = makeSource(job('a'));
  const catalog = await openCatalog([sourceAt(root)]);
  const seen = [catalog.generation];
  const noteGeneration = (): void => void seen.push(catalog.generation);

  write(root, job('deep/er/new'));
  await expect.poll(() => idsOf(catalog)).toEqual(['a', 'deep/er/new']);
  noteGeneration();
  writeFileSync(join(root, 'a/config.yaml'), 'command: ./run.sh\nname: Changed\n');
  await expect.poll(() => titleOf(catalog, 'a')).toBe('Changed');
  noteGeneration();
  rmSync(join(root, 'deep'), { recursive: true });
  await expect.poll(() => idsOf(catalog)).toEqual(['a']);
  noteGeneration();

  expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  expect(new Set(seen).size).toBe(seen.length);
});

test('a save that renames a draft over the file is noticed', async () => {
  const root = makeSource(job('a'));
  const catalog = await openCatalog([sourceAt(root)]);
  for (const name of ['First', 'Second', 'Third']) {
    writeFileSync(join(root, 'a/.config.yaml.swp'), `command: ./run.sh\nname: ${name}\n`);
    renameSync(join(root, 'a/.config.yaml.swp'), join(root, 'a/config.yaml'));
    await expect.poll(() => titleOf(catalog, 'a')).toBe(name);
  }
});

test('a job that is fixed becomes usable, and a job whose script disappears becomes invalid', async () => {
  const root = makeSource({ 'a/config.yaml': 'command: ./lib/run.sh\n' });
  const catalog = await openCatalog([sourceAt(root)]);
  expect(errorsOf(catalog)).toEqual(["a: a/config.yaml:1:10: `./lib/run.sh` is not in the job's folder"]);

  write(root, { 'a/lib/run.sh': '#!/bin/bash\n' });
  await expect.poll(() => idsOf(catalog)).toEqual(['a']);
  rmSync(join(root, 'a/lib/run.sh'));
  await expect.poll(() => errorsOf(catalog)).toHaveLength(1);
  expect(idsOf(catalog)).toEqual([]);
});

test('when a directory is renamed its jobs get new ids, and it is still watched', async () => {
  const root = makeSource({ ...job('old/a'), ...job('old/b') });
  const catalog = await openCatalog([sourceAt(root)]);
  renameSync(join(root, 'old'), join(root, 'new'));
  await expect.poll(() => idsOf(catalog)).toEqual(['new/a', 'new/b']);
  writeFileSync(join(root, 'new/a/config.yaml'), 'command: ./run.sh\nname: Later\n');
  await expect.poll(() => titleOf(catalog, 'new/a')).toBe('Later');
});

test('a directory that is replaced by another of the same name is read and watched again', async () => {
  const root = makeSource({
    ...job('a'),
    'next/config.yaml': 'command: ./run.sh\nname: Next\n',
    'next/run.sh': '#!/bin/bash\n',
  });
  const catalog = await openCatalog([sourceAt(root)]);
  rmSync(join(root, 'a'), { recursive: true });
  renameSync(join(root, 'next'), join(root, 'a'));
  await expect.poll(() => titleOf(catalog, 'a')).toBe('Next');
  writeFileSync(join(root, 'a/config.yaml'), 'command: ./run.sh\nname: After\n');
  await expect.poll(() => titleOf(catalog, 'a')).toBe('After');
});

test('config.d can appear, disappear and be replaced by config.yaml', async () => {
  const root = makeSource({ 'a/run.sh': '#!/bin/bash\n' });
  const catalog = await openCatalog([sourceAt(root)]);
  write(root, { 'a/config.d/config.yaml': 'command: ./run.sh\nname: Older\n' });
  await expect.poll(() => titleOf(catalog, 'a')).toBe('Older');
  writeFileSync(join(root, 'a/config.d/config.yaml'), 'command: ./run.sh\nname: Edited\n');
  await expect.poll(() => titleOf(catalog, 'a')).toBe('Edited');
  writeFileSync(join(root, 'a/config.yaml'), 'command: ./run.sh\nname: Newer\n');
  await expect.poll(() => errorsOf(catalog)).toHaveLength(1);
  rmSync(join(root, 'a/config.d'), { recursive: true });
  await expect.poll(() => titleOf(catalog, 'a')).toBe('Newer');
});

test('when a source is deleted its jobs disappear, and they return with it', async () => {
  const root = makeSource(job('a'));
  const catalog = await openCatalog([sourceAt(root)]);
  rmSync(root, { recursive: true });
  await expect.poll(() => idsOf(catalog)).toEqual([]);
  write(root, job('b'));
  await expect.poll(() => idsOf(catalog)).toEqual(['b']);
  writeFileSync(join(root, 'b/config.yaml'), 'command: ./run.sh\nname: Seen\n');
  await expect.poll(() => titleOf(catalog, 'b')).toBe('Seen');
});

test('a source counts as missing while its folder is gone or replaced by an empty one, not when its jobs are removed', async () => {
  const root = makeSource(job('a'));
  const away = join(makeDirectory(), 'away');
  const catalog = await openCatalog([sourceAt(root)]);
  expect(catalog.missing()).toEqual([]);
  renameSync(root, away);
  await expect.poll(() => catalog.missing()).toEqual(['local']);
  mkdirSync(root);
  const generation = catalog.generation;
  await expect.poll(() => catalog.generation).toBeGreaterThan(generation);
  expect(catalog.missing()).toEqual(['local']);
  rmSync(root, { recursive: true });
  renameSync(away, root);
  await expect.poll(() => catalog.missing()).toEqual([]);
  rmSync(join(root, 'a'), { recursive: true });
  await expect.poll(() => idsOf(catalog)).toEqual([]);
  expect(catalog.missing()).toEqual([]);
});

test.each([true, false])(
  'a source that is an empty folder but has had runs is missing until its jobs are back (watched: %s)',
  async (watch) => {
    const [empty, used, fresh, away] = [
      makeDirectory(),
      makeSource({ README: '' }),
      makeDirectory(),
      makeSource(job('a')),
    ];
    const sources = [sourceAt(empty, { watch }), sourceAt(used, { name: 'used' }), sourceAt(fresh, { name: 'fresh' })];
    const catalog = await openCatalog(sources, [], async (source) => source !== 'fresh');
    expect(catalog.missing()).toEqual(['local']);
    rmSync(empty, { recursive: true });
    renameSync(away, empty);
    await expect.poll(() => catalog.missing()).toEqual([]);
    expect(idsOf(catalog)).toEqual(['a']);
  },
);

test('a source that is an empty folder but has had runs is no longer missing once there is a file in it', async () => {
  const root = makeDirectory();
  const catalog = await openCatalog([sourceAt(root)], [], async () => true);
  expect(catalog.missing()).toEqual(['local']);
  writeFileSync(join(root, 'README'), '');
  await expect.poll(() => catalog.missing()).toEqual([]);
});

test('a source that is a link is read from the new target when the link changes', async () => {
  const [first, second, place] = [makeSource(job('a')), makeSource(job('b')), makeDirectory()];
  symlinkSync(first, join(place, 'current'));
  const catalog = await openCatalog([sourceAt(join(place, 'current'))]);
  expect(idsOf(catalog)).toEqual(['a']);
  symlinkSync(second, join(place, 'next'));
  renameSync(join(place, 'next'), join(place, 'current'));
  await expect.poll(() => idsOf(catalog)).toEqual(['b']);
});

test('jobs that .flwdignore names disappear, and come back when it is removed', async () => {
  const root = makeSource({ ...job('a'), ...job('b') });
  const catalog = await openCatalog([sourceAt(root)]);
  writeFileSync(join(root, '.flwdignore'), 'b/\n');
  await expect.poll(() => idsOf(catalog)).toEqual(['a']);
  rmSync(join(root, '.flwdignore'));
  await expect.poll(() => idsOf(catalog)).toEqual(['a', 'b']);
});

/** Watches a source with this reader of `.flwdignore` until the test has ended. */
async function watchWith(root: string, ignoreOf: (dir: string) => Ignore, log = pino({ level: 'silent' })) {
  const directories = createDirectoryWatch(log);
  const watched = watchSource({
    source: sourceAt(root),
    directories,
    ignoreOf,
    log,
    hadJobs: async () => false,
    onChange: () => undefined,
  });
  onTestFinished(() => watched.close());
  await watched.start();
  return watched;
}

test('an edit of .flwdignore just after it was read is noticed', async () => {
  const root = makeSource({ ...job('a'), ...job('b') });
  const read = createIgnoreReader({ exclude: [] });
  let reads = 0;
  const watched = await watchWith(root, (dir) => {
    const ignore = read(dir);
    reads += 1;
    if (reads === 1) writeFileSync(join(root, '.flwdignore'), 'b/\n');
    return ignore;
  });
  await expect.poll(() => watched.tree.jobs.map(({ id }) => id)).toEqual(['a']);
});

test('when reading a source again fails, it is read once more', async () => {
  const root = makeSource(job('a'));
  const read = createIgnoreReader({ exclude: [] });
  let reads = 0;
  const watched = await watchWith(root, (dir) => {
    reads += 1;
    if (reads === 2) throw new Error('out of order');
    return read(dir);
  });
  write(root, job('b'));
  await expect.poll(() => watched.tree.jobs.map(({ id }) => id).toSorted()).toEqual(['a', 'b']);
});

test('a source that cannot be read is tried at growing intervals, and each reason is logged once', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const root = makeSource(job('a'));
  const read = createIgnoreReader({ exclude: [] });
  const logged: string[] = [];
  let reason: string | undefined;
  let failed = 0;
  const watched = await watchWith(
    root,
    (dir) => {
      if (reason === undefined) return read(dir);
      failed += 1;
      throw new Error(reason);
    },
    pino({ base: null, timestamp: false }, { write: (line: string) => void logged.push(line) }),
  );
  async function during(ms: number): Promise<number> {
    const before = failed;
    await vi.advanceTimersByTimeAsync(ms);
    return failed - before;
  }

  reason = 'out of order';
  await watched.rescan().catch(() => undefined);
  expect(await during(60_000)).toBeLessThan(10);
  const tries = await during(600_000);
  expect(tries).toBeGreaterThan(5);
  expect(tries).toBeLessThan(11);
  expect(logged.map((line) => JSON.parse(line))).toMatchObject([{ source: 'local', err: { message: 'out of order' } }]);
  reason = 'still out of order';
  expect(await during(600_000)).toBeLessThan(11);
  expect(logged[1]).toContain('still out of order');

  reason = undefined;
  write(root, job('b'));
  await during(60_000);
  await vi.waitFor(() => expect(watched.tree.jobs.map(({ id }) => id).toSorted()).toEqual(['a', 'b']), {
    timeout: 60_000,
  });
  expect(logged.slice(2).map((line) => JSON.parse(line))).toEqual([
    { level: 30, source: 'local', failures: expect.any(Number), msg: 'the source can be read again' },
  ]);
});

test('when one of two jobs with the same id is removed, the other can be used', async () => {
  const [first, second] = [makeSource(job('a')), makeSource(job('a'))];
  const catalog = await openCatalog([sourceAt(first), sourceAt(second, { name: 'other' })]);
  expect(idsOf(catalog)).toEqual([]);
  rmSync(join(second, 'a'), { recursive: true });
  await expect.poll(() => idsOf(catalog)).toEqual(['a']);
  expect(catalog.find('a').source.name).toBe('local');
});

test('after a hundred jobs are added at once and edited meanwhile, the catalog shows their last state', async () => {
  const root = makeSource(job('seed'));
  const catalog = await openCatalog([sourceAt(root)]);
  for (let round = 0; round < 3; round++) {
    for (let at = 0; at < 100; at++) {
      write(root, job(`g${at % 7}/j${at}`, `command: ./run.sh\nname: Round ${round}\n`));
      if (at % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  }
  for (let at = 0; at < 100; at += 3) rmSync(join(root, `g${at % 7}/j${at}`), { recursive: true });
  const titles = () => catalog.entries().map(({ definition }) => definition.title);
  await expect.poll(titles).toEqual([...Array.from({ length: 66 }, () => 'Round 2'), null]);
});

test('a change without any visible effect makes no new generation', async () => {
  const root = makeSource({ ...job('a'), 'notes/x.txt': '' });
  const catalog = await openCatalog([sourceAt(root)]);
  const before = catalog.generation;
  appendFileSync(join(root, 'notes/x.txt'), 'more');
  appendFileSync(join(root, 'a/run.sh'), '# more\n');
  await expect.poll(() => catalog.generation).toBe(before + 1);
  expect(catalog.generation).toBe(before + 1);
});

test('a source that is a file has no jobs, and gets them when it is a directory', async () => {
  const place = makeDirectory();
  writeFileSync(join(place, 'jobs'), '');
  const catalog = await openCatalog([sourceAt(join(place, 'jobs'))]);
  expect(idsOf(catalog)).toEqual([]);
  rmSync(join(place, 'jobs'));
  write(place, job('jobs/a'));
  await expect.poll(() => idsOf(catalog)).toEqual(['a']);
  expect(catalog.generation).toBeLessThan(5);
});

test('without a watch, a source is read only at the start', async () => {
  const root = makeSource(job('a'));
  const catalog = await openCatalog([
    sourceAt(root, { watch: false }),
    sourceAt(makeSource(job('seen')), { name: 'b' }),
  ]);
  write(root, job('later'));
  write(catalog.find('seen').dir, { 'x/y': '' });
  await expect.poll(() => catalog.generation).toBeGreaterThan(1);
  expect(idsOf(catalog)).toEqual(['a', 'seen']);
});

test('a closed catalog reports nothing more and lets the process end', async () => {
  const root = makeSource(job('a'));
  const script = `
    import { createCatalog } from ${JSON.stringify(join(import.meta.dirname, '../../src/catalog/catalog.ts'))};
    import { pino } from ${JSON.stringify(import.meta.resolve('pino'))};
    const source = { name: 's', type: 'fs', path: ${JSON.stringify(root)}, mountPath: '.', watch: true, trusted: true };
    const catalog = createCatalog({ sources: [source], aliases: [], exclude: [], log: pino({ level: 'silent' }) });
    await catalog.start();
    await catalog.close();
    console.log(catalog.entries().length);
  `;
  const ended = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    timeout: 120_000,
    encoding: 'utf8',
  });
  expect(ended).toMatchObject({ status: 0, stdout: '1\n' });
});

/** Runs a program with this limit of the kernel. Thanks to the user namespace, this needs no privileges. */
function limitOf(name: string, most: number): readonly string[] {
  const limited = `echo ${most} > /proc/sys/user/${name} 2>/dev/null && exec "$@"`;
  return ['--user', '--map-root-user', 'sh', '-c', limited, 'sh'];
}

const canLimit = spawnSync('unshare', [...limitOf('max_inotify_watches', 1), 'true']).status === 0;

test.skipIf(!canLimit).each([
  ['max_inotify_watches', 1, 'fs.inotify.max_user_watches'],
  ['max_inotify_instances', 0, 'fs.inotify.max_user_instances'],
])('when %s is %i, the catalog looks for changes every 5 s and says what to raise', (name, most, advice) => {
  const root = makeDirectory();
  for (const id of ['a', 'b', 'c', 'd', 'e']) write(root, job(id));
  write(root, { 'f/config.yaml': 'command: ./tool\n', 'f/tool': 'x' });
  mkdirSync(join(root, 'z'));
  const script = `
    import { chmodSync, writeFileSync, rmSync, mkdirSync } from 'node:fs';
    import { createCatalog } from ${JSON.stringify(join(import.meta.dirname, '../../src/catalog/catalog.ts'))};
    import { pino } from ${JSON.stringify(import.meta.resolve('pino'))};
    const root = ${JSON.stringify(root)};
    const source = { name: 's', type: 'fs', path: root, mountPath: '.', watch: true, trusted: true };
    const catalog = createCatalog({ sources: [source], aliases: [], exclude: [], log: pino() });
    await catalog.start();
    writeFileSync(root + '/e/config.yaml', 'command: ./run.sh\\nname: Edited\\n');
    writeFileSync(root + '/z/config.yaml', 'command: [tar]\\n');
    chmodSync(root + '/f/tool', 0o755);
    rmSync(root + '/d', { recursive: true });
    const until = Date.now() + 100_000;
    const shown = () => catalog.entries().map(({ definition }) => definition.id + (definition.title ?? '')).join();
    while (shown() !== 'a,b,c,eEdited,f,z' && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 50));
    console.log(shown());
    await catalog.close();
  `;
  const { stdout } = spawnSync(
    'unshare',
    [...limitOf(name, most), process.execPath, '--input-type=module', '-e', script],
    { timeout: 120_000, encoding: 'utf8' },
  );
  expect(stdout.match(/inotify limit reached/g)).toHaveLength(1);
  expect(stdout).toContain(advice);
  expect(stdout).toContain('\na,b,c,eEdited,f,z\n');
});
