import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { createCatalog } from '../../src/catalog/catalog.ts';
import { createSnapshots } from '../../src/catalog/source/snapshot.ts';
import { Problem } from '../../src/domain/problem.ts';
import {
  asNobody,
  errorsOf,
  idsOf,
  job,
  makeDirectory,
  makeSource,
  openCatalog,
  sourceAt,
  write,
} from './source-fixture.ts';

function problemOf(action: () => unknown): { slug: string; detail: string; errors: unknown } {
  try {
    action();
  } catch (error) {
    if (error instanceof Problem) return { slug: error.slug, detail: error.message, errors: error.members.errors };
    throw error;
  }
  throw new Error('no problem');
}

describe('the tree', () => {
  test('every directory with a config.yaml is a job, also inside another job', async () => {
    const root = makeSource({
      ...job('backup/daily'),
      ...job('backup/daily/verify'),
      ...job('report'),
      'notes/README.md': 'x',
    });
    const catalog = await openCatalog([sourceAt(root)]);

    expect(idsOf(catalog)).toEqual(['backup/daily', 'backup/daily/verify', 'report']);
    expect(catalog.find('backup/daily').definition).toMatchObject({
      id: 'backup/daily',
      name: 'daily',
      namespace: 'backup',
      source: 'local',
      path: 'backup/daily',
      version: '1.0.0',
      enabled: true,
    });
    expect(catalog.find('report').definition).toMatchObject({ name: 'report', namespace: '' });
    expect(catalog.find('backup/daily').dir).toBe(join(root, 'backup/daily'));
  });

  test('the mountPath comes before the path, and the case of letters is kept', async () => {
    const root = makeSource(job('Backup/Daily.v2'));
    expect(idsOf(await openCatalog([sourceAt(root, { mountPath: 'ops/EU' })]))).toEqual(['ops/EU/Backup/Daily.v2']);
  });

  test('a config.yaml at the root is the job that the mountPath names, and an error without a mountPath', async () => {
    const root = makeSource(job(''));
    expect(idsOf(await openCatalog([sourceAt(root, { mountPath: 'ops/all' })]))).toEqual(['ops/all']);

    const unnamed = await openCatalog([sourceAt(root)]);
    expect(idsOf(unnamed)).toEqual([]);
    expect(unnamed.invalid()).toEqual([
      {
        id: '.',
        source: 'local',
        path: '.',
        errors: [
          {
            file: 'config.yaml',
            line: 1,
            column: 1,
            message: 'a job at the root of a source needs a mountPath that names it',
          },
        ],
      },
    ]);
  });

  test('config.d/config.yaml is the older form of the directory above it, and both at once are an error', async () => {
    const root = makeSource({
      'old/config.d/config.yaml': 'command: ./run.sh\n',
      'old/run.sh': '#!/bin/bash\n',
      ...job('both'),
      'both/config.d/config.yaml': 'command: ./run.sh\n',
      'none/config.d/notes.txt': 'x',
    });
    const catalog = await openCatalog([sourceAt(root)]);

    expect(idsOf(catalog)).toEqual(['old']);
    expect(errorsOf(catalog)).toEqual([
      'both: both/config.yaml:1:1: config.yaml and config.d/config.yaml both exist: keep only one of them',
    ]);
  });

  test('dot directories, node_modules and what .flwdignore names hold no jobs', async () => {
    const root = makeSource({
      ...job('kept'),
      ...job('.git/x'),
      ...job('node_modules/y'),
      ...job('old/a'),
      ...job('deep/old/b'),
      ...job('drafts/x-1'),
      ...job('drafts/y'),
      ...job('a/tmp/b/c'),
      ...job('file/named'),
      '.flwdignore': '# not these\nold/\n/drafts/x-*\na/**/c\nrun.sh/\n',
    });
    expect(idsOf(await openCatalog([sourceAt(root)]))).toEqual(['drafts/y', 'file/named', 'kept']);
  });

  test('the data dir of the server holds no jobs, wherever it is', async () => {
    const root = makeSource({ ...job('a'), ...job('a/data/snapshots/0123456789abcdef') });
    const exclude = [join(root, 'a/data')];
    const catalog = createCatalog({ sources: [sourceAt(root)], aliases: [], exclude, log: pino({ level: 'silent' }) });
    await catalog.start();
    expect(idsOf(catalog)).toEqual(['a']);

    const snapshots = createSnapshots({ dir: join(root, 'a/data/snapshots'), exclude });
    const { revision, dir } = await snapshots.take(catalog.find('a'));
    expect(readdirSync(dir)).toEqual(['config.yaml', 'run.sh']);
    expect(await catalog.revisionOf(catalog.find('a'))).toBe(revision);
    await catalog.close();
  });

  test.each(['flwd.lock', 'flwd.db'])(
    'the data dir of another instance, which %s marks, holds no jobs',
    async (file) => {
      const root = makeSource({
        ...job('a'),
        ...job('a/data/snapshots/0123456789abcdef/push'),
        ...job('other/snapshots/0123456789abcdef/push'),
        [`a/data/${file}`]: '',
        'a/data/secret.key': 'fsk_',
        [`a/new/${file}`]: '',
        'a/new/secret.key': 'fsk_',
        [`other/${file}`]: '',
      });
      const catalog = await openCatalog([sourceAt(root)]);
      expect(idsOf(catalog)).toEqual(['a']);
      const snapshots = createSnapshots({ dir: join(makeDirectory(), 'snapshots'), exclude: [] });
      expect(readdirSync((await snapshots.take(catalog.find('a'))).dir)).toEqual(['config.yaml', 'run.sh']);
    },
  );

  test('a file of the server is left out as soon as the link that the operator configured points to it', async () => {
    const root = makeSource({ ...job('a'), 'a/keys/old': 'old', 'a/keys/new': 'new', 'a/key': { link: 'keys/old' } });
    const excluded = { exclude: [], excludeLinks: [join(root, 'a/key')] };
    const catalog = createCatalog({
      sources: [sourceAt(root)],
      aliases: [],
      ...excluded,
      log: pino({ level: 'silent' }),
    });
    await catalog.start();
    const snapshots = createSnapshots({ dir: join(makeDirectory(), 'snapshots'), ...excluded });
    const keys = async () => readdirSync(join((await snapshots.take(catalog.find('a'))).dir, 'keys'));
    expect(await keys()).toEqual(['new']);

    rmSync(join(root, 'a/key'));
    symlinkSync('keys/new', join(root, 'a/key'));
    expect(await keys()).toEqual(['old']);
    await catalog.close();
  });

  test('a directory whose name cannot be part of an id causes an error only for the jobs below it', async () => {
    const root = makeSource({ ...job('my jobs/a'), ...job('-x'), ...job('ok') });
    const catalog = await openCatalog([sourceAt(root)]);

    expect(idsOf(catalog)).toEqual(['ok']);
    const rule =
      "cannot be part of a job's id: use letters, digits, `.`, `_` and `-`, and begin with a letter or digit";
    expect(errorsOf(catalog)).toEqual([
      `-x: -x/config.yaml:1:1: the folder name \`-x\` ${rule}`,
      `my jobs/a: my jobs/a/config.yaml:1:1: the folder name \`my jobs\` ${rule}`,
    ]);
  });

  test('hostile directory names do no harm, and no output contains their control characters', async () => {
    const root = makeSource({ ...job('a\u001b[31m\nb'), ...job('ok'), ...job("x'; rm -rf ~ #") });
    mkdirSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0xfe])]));
    execFileSync('sh', ['-c', 'printf "command: ./run.sh\\n" > "$(printf "$1/\\377\\376/config.yaml")"', 'sh', root]);
    const catalog = await openCatalog([sourceAt(root)]);

    expect(idsOf(catalog)).toEqual(['ok']);
    expect(catalog.invalid().map(({ id }) => id)).toEqual(
      ["x'; rm -rf ~ #", 'a\ufffd[31m\ufffdb', '\ufffd\ufffd'].toSorted(),
    );
    expect(JSON.stringify(catalog.invalid())).not.toMatch(/\\u00|\\n/);
    const messages = catalog.invalid().flatMap(({ errors }) => errors.map(({ message }) => message));
    expect(messages).toContainEqual(expect.stringContaining('`a\ufffd[31m\ufffdb` cannot be part'));
    expect(messages).toContain('the name of its folder is not UTF-8');
  });

  test('a job whose id is too long for a request is an error', async () => {
    const root = makeSource(job(Array.from({ length: 6 }, () => 'x'.repeat(100)).join('/')));
    expect(errorsOf(await openCatalog([sourceAt(root)]))[0]).toMatch(/: the job's id is longer than 512 characters$/);
  });

  test('links to directories are not followed, neither out of the source nor within it', async () => {
    const outside = makeSource(job('secret'));
    const root = makeSource({ ...job('a'), 'a/loop': { link: '..' }, out: { link: outside }, again: { link: 'a' } });
    expect(idsOf(await openCatalog([sourceAt(root)]))).toEqual(['a']);
  });

  test('scripts that belong to no job are counted', async () => {
    const root = makeSource({
      ...job('a'),
      'a/lib/more.sh': 'true',
      'loose.sh': 'true',
      'tools/report.py': 'pass',
      'tools/x.mjs': '',
      'tools/check': '#!/bin/sh\n',
      'tools/data.csv': '1',
      'tools/README': 'x',
    });
    const said: string[] = [];
    const log = pino({}, { write: (line) => void said.push(line) });
    const catalog = createCatalog({ sources: [sourceAt(root)], aliases: [], exclude: [], log });
    await catalog.start();
    await catalog.close();
    expect(JSON.parse(said.join(''))).toMatchObject({
      folders: [root],
      msg: 'jobs: 1, invalid: 0, scripts without a config.yaml: 4',
    });
  });

  test('when every script belongs to a job, the log does not mention scripts', async () => {
    const said: string[] = [];
    const log = pino({}, { write: (line) => void said.push(line) });
    const catalog = createCatalog({ sources: [sourceAt(makeSource(job('a')))], aliases: [], exclude: [], log });
    await catalog.start();
    await catalog.close();
    expect(said.join('')).toContain('jobs: 1, invalid: 0"');
  });

  test('the server answers other work while a large source is read', async () => {
    const root = makeSource(Object.assign({}, ...Array.from({ length: 1500 }, (_, at) => job(`g${at % 10}/j${at}`))));
    let turns = 0;
    const count = setInterval(() => (turns += 1), 1);
    const catalog = await openCatalog([sourceAt(root)]);
    clearInterval(count);

    expect(idsOf(catalog)).toHaveLength(1500);
    expect(turns).toBeGreaterThan(3);
  });
});

describe('a config.yaml', () => {
  test('that is a directory, a pipe, or a link out of the source or to nothing makes its job invalid; other jobs work', async () => {
    const outside = makeSource({ 'config.yaml': 'command: ./run.sh\nname: from outside\n' });
    const root = makeSource({
      ...job('ok'),
      'linked/run.sh': '#!/bin/bash\n',
      'linked/config.yaml': { link: '../ok/config.yaml' },
      'out/config.yaml': { link: join(outside, 'config.yaml') },
      'gone/config.yaml': { link: 'nowhere' },
      'circle/config.yaml': { link: 'config.yaml' },
    });
    mkdirSync(join(root, 'dir/config.yaml'), { recursive: true });
    mkdirSync(join(root, 'pipe'));
    execFileSync('mkfifo', [join(root, 'pipe/config.yaml')]);
    const catalog = await openCatalog([sourceAt(root)]);

    expect(idsOf(catalog)).toEqual(['linked', 'ok']);
    expect(errorsOf(catalog)).toEqual([
      'circle: circle/config.yaml:1:1: config.yaml is a link that cannot be read (ELOOP)',
      'dir: dir/config.yaml:1:1: config.yaml is a folder',
      'gone: gone/config.yaml:1:1: config.yaml is a broken link',
      'out: out/config.yaml:1:1: config.yaml is a link that leads outside the source',
      'pipe: pipe/config.yaml:1:1: config.yaml is not a regular file',
    ]);
  });

  test('is invalid if it is over 256 KiB, not UTF-8, or empty', async () => {
    const root = makeSource({
      'big/config.yaml': `command: ./run.sh\n${'#'.repeat(256 * 1024)}`,
      'empty/config.yaml': '',
    });
    execFileSync('sh', ['-c', 'mkdir "$1/latin" && printf "name: \\351\\n" > "$1/latin/config.yaml"', 'sh', root]);
    expect(errorsOf(await openCatalog([sourceAt(root)]))).toEqual([
      'big: big/config.yaml:1:1: config.yaml is larger than 256 KiB',
      'empty: empty/config.yaml:1:1: config.yaml is empty: a job needs at least a `command`',
      'latin: latin/config.yaml:1:1: config.yaml is not UTF-8',
    ]);
  });
});

describe('several sources', () => {
  test('of two jobs with the same id neither runs, both are listed with both places, and other jobs work', async () => {
    const first = sourceAt(makeSource({ ...job('x/a'), ...job('x/b') }), { name: 'first' });
    const second = sourceAt(makeSource({ ...job('a'), ...job('c') }), { name: 'second', mountPath: 'x' });
    const catalog = await openCatalog([first, second]);

    expect(idsOf(catalog)).toEqual(['x/b', 'x/c']);
    expect(
      catalog.invalid().map(({ id, source, path, errors }) => [id, source, path, errors.map((each) => each.message)]),
    ).toEqual([
      ['x/a', 'first', 'x/a', ['a/config.yaml in the source second has the same id x/a, so neither job can run']],
      ['x/a', 'second', 'a', ['x/a/config.yaml in the source first has the same id x/a, so neither job can run']],
    ]);
    expect(problemOf(() => catalog.find('x/a'))).toMatchObject({ slug: 'job-invalid', errors: [{}, {}] });
  });

  test('a missing source does no harm, and its jobs appear once it exists', async () => {
    const later = join(makeDirectory(), 'later');
    const catalog = await openCatalog([sourceAt(later, { name: 'later' }), sourceAt(makeSource(job('a')))]);
    expect(catalog.isReady).toBe(true);
    expect(idsOf(catalog)).toEqual(['a']);

    write(later, job('b'));
    await expect.poll(() => idsOf(catalog)).toEqual(['a', 'b']);
  });
});

describe('asking for a job', () => {
  test('an alias works like an id, and the id still works', async () => {
    const catalog = await openCatalog(
      [sourceAt(makeSource({ ...job('backup/daily'), ...job('report') }))],
      [
        { from: 'backup/daily', to: 'nightly' },
        { from: 'report', to: 'backup/daily' },
        { from: 'gone', to: 'old' },
      ],
    );
    expect(catalog.find('nightly').definition.id).toBe('backup/daily');
    expect(catalog.aliasesOf('backup/daily')).toEqual(['nightly']);
    expect(catalog.find('backup/daily').definition.id).toBe('backup/daily');
    expect(problemOf(() => catalog.find('old'))).toMatchObject({ slug: 'job-not-found' });
  });

  test('an unknown job is not found, and a broken job is invalid and has its errors', async () => {
    const catalog = await openCatalog([sourceAt(makeSource(job('broken', 'command: ./run.sh\nnmae: x\n')))]);
    expect(problemOf(() => catalog.find('backup/daily'))).toEqual({
      slug: 'job-not-found',
      detail: "The job 'backup/daily' does not exist",
      errors: undefined,
    });
    expect(problemOf(() => catalog.find('broken'))).toEqual({
      slug: 'job-invalid',
      detail: "The job 'broken' is invalid: broken/config.yaml:2:1: unknown key `nmae`: did you mean `name`?",
      errors: [{ file: 'broken/config.yaml', line: 2, column: 1, message: 'unknown key `nmae`: did you mean `name`?' }],
    });
  });
});

test('a job is broken while it, or a folder that it is in, is invalid', async () => {
  const root = makeSource({ ...job('group/a'), ...job('fine'), 'typo/config.yaml': 'command: [' });
  chmodSync(root, 0o755);
  chmodSync(join(root, 'group'), 0);
  const catalog = await asNobody(() => openCatalog([sourceAt(root, { watch: false })]));
  const broken = ['group/a', 'fine', 'typo', 'removed', 'group2'].filter(catalog.isBroken);
  expect(broken).toEqual(['group/a', 'typo']);
});

test('when a job becomes invalid, the log says that its schedules start nothing', async () => {
  const root = makeSource({
    'nightly/config.yaml': 'command: [echo]\nschedules: [{cron: "30 2 * * *"}]\n',
    'manual/config.yaml': 'command: [echo]\n',
  });
  const said: { level: number; msg: string }[] = [];
  const log = pino({}, { write: (line) => void said.push(JSON.parse(line)) });
  const catalog = createCatalog({ sources: [sourceAt(root, { watch: false })], aliases: [], exclude: [], log });
  await catalog.start();
  const warnings = () => said.flatMap(({ level, msg }) => (level === 40 ? [msg] : []));
  for (const id of ['nightly', 'manual']) writeFileSync(join(root, id, 'config.yaml'), 'command: 7\n');
  await catalog.rescan('local');
  const [manual, nightly] = warnings().toSorted();
  expect(manual).toMatch(/^the job manual is invalid: manual\/config\.yaml:1:10: /);
  expect(nightly).toMatch(
    /^the job nightly is invalid, so its schedules start nothing until it is corrected: nightly\/config\.yaml:1:10: /,
  );
  writeFileSync(join(root, 'nightly', 'config.yaml'), 'cmd: 7\n');
  await catalog.rescan('local');
  expect(warnings().slice(2)).toEqual([expect.stringContaining('so its schedules start nothing')]);
  await catalog.close();
});
