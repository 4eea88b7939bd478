import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ArtifactPattern } from '../../src/domain/job.ts';
import { findArtifacts } from '../../src/exec/collect/collect.ts';
import { statEntry, statPath } from '../../src/exec/collect/sandbox-paths.ts';
import { walkWorkspace } from '../../src/exec/collect/workspace-walk.ts';
import { longestTurnMs } from '../support/goes.ts';

let dir: string;
let workspaceDir: string;
let outDir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'flwd-collect-'));
  workspaceDir = join(dir, 'workspace');
  outDir = join(dir, 'out');
  mkdirSync(workspaceDir);
  mkdirSync(outDir);
});
afterEach(() => rmSync(dir, { recursive: true }));

function write(path: string, content = path): void {
  mkdirSync(dirname(join(workspaceDir, path)), { recursive: true });
  writeFileSync(join(workspaceDir, path), content);
}
function link(path: string, target: string): void {
  mkdirSync(dirname(join(workspaceDir, path)), { recursive: true });
  symlinkSync(target, join(workspaceDir, path));
}
function name(...entries: (string | Buffer | { path: string; name?: string | null; media_type?: string | null })[]) {
  const lines = entries.map((entry) =>
    typeof entry === 'string' || Buffer.isBuffer(entry) ? entry : JSON.stringify(entry),
  );
  writeFileSync(
    join(outDir, 'artifacts'),
    Buffer.concat(lines.flatMap((line) => [Buffer.from(line), Buffer.from('\n')])),
  );
}
async function find(...patterns: (string | ArtifactPattern)[]) {
  const { files, warnings } = await findArtifacts({
    workspaceDir,
    namers: [{ stepId: 'step_01', attempt: 1, attemptDir: dir }],
    patterns: patterns.map((p) => (typeof p === 'string' ? { path: p, name: null, mediaType: null } : p)),
  });
  return { files: files.map((file) => ({ ...file, change: undefined })), warnings: warnings.map(({ text }) => text) };
}
async function pathsOf(...patterns: string[]): Promise<string[]> {
  return (await find(...patterns)).files.map((file) => file.path.replace('/workspace/', ''));
}

describe('flwd keeps from a workspace', () => {
  test('everything in the artifacts folder, however deep, and nothing else', async () => {
    write('artifacts/report.md', '# hi');
    write('artifacts/.hidden/data.bin');
    write('other.txt');
    expect(await find()).toEqual({
      warnings: [],
      files: [
        {
          hostPath: join(workspaceDir, 'artifacts/.hidden/data.bin'),
          path: '/workspace/artifacts/.hidden/data.bin',
          name: 'data.bin',
          mediaType: 'application/octet-stream',
          sizeBytes: 26,
          namer: null,
        },
        {
          hostPath: join(workspaceDir, 'artifacts/report.md'),
          path: '/workspace/artifacts/report.md',
          name: 'report.md',
          mediaType: 'text/markdown',
          sizeBytes: 4,
          namer: null,
        },
      ],
    });
  });

  test('what the patterns match, under its own name or under the name that the job gives', async () => {
    write('backup.tar.gz');
    write('report/index.html');
    const { files } = await find({ path: '*.gz', name: 'backup', mediaType: 'application/x-backup' }, 'report/');
    expect(files).toMatchObject([
      { path: '/workspace/backup.tar.gz', name: 'backup', mediaType: 'application/x-backup' },
      { path: '/workspace/report/index.html', name: 'index.html', mediaType: 'text/html' },
    ]);
  });

  test('what the script names with flwd_artifact, as a path of the sandbox or relative to the workspace', async () => {
    write('a/b.json');
    write('c.csv');
    name({ path: '/workspace/a/../a/b.json', name: 'b', media_type: null }, { path: 'c.csv', media_type: 'text/x-c' });
    expect(await find()).toMatchObject({
      files: [
        { path: '/workspace/a/b.json', name: 'b', mediaType: 'application/json' },
        { path: '/workspace/c.csv', name: 'c.csv', mediaType: 'text/x-c' },
      ],
      warnings: [],
    });
  });

  test('each file once: under the name that the script gave, else by the first matching pattern, else as found', async () => {
    write('artifacts/a.txt');
    write('artifacts/b.txt');
    write('artifacts/c.txt');
    name({ path: 'artifacts/a.txt', name: 'named' }, { path: './artifacts/a.txt', name: 'again' });
    const { files } = await find(
      { path: 'artifacts/[ab].txt', name: 'first', mediaType: null },
      { path: '**/*.txt', name: 'second', mediaType: null },
    );
    expect(files.map((file) => [file.path, file.name])).toEqual([
      ['/workspace/artifacts/a.txt', 'named'],
      ['/workspace/artifacts/b.txt', 'first'],
      ['/workspace/artifacts/c.txt', 'second'],
    ]);
  });

  test('one copy for the first of several steps that name a file, and each step learns of its own mistakes', async () => {
    write('a.txt');
    write('b.txt');
    const namers = ['first', 'second'].map((stepId) => ({ stepId, attempt: 2, attemptDir: join(dir, stepId) }));
    for (const { attemptDir } of namers) mkdirSync(join(attemptDir, 'out'), { recursive: true });
    const entry = (path: string, name?: string) => `${JSON.stringify({ path, name })}\n`;
    writeFileSync(join(dir, 'first/out/artifacts'), entry('a.txt', 'mine') + entry('gone'));
    writeFileSync(join(dir, 'second/out/artifacts'), entry('./a.txt', 'other') + entry('b.txt') + entry('gone'));
    const { files, warnings } = await findArtifacts({ workspaceDir, namers, patterns: [] });
    expect(files.map(({ name, namer }) => [name, namer?.stepId])).toEqual([
      ['mine', 'first'],
      ['b.txt', 'second'],
    ]);
    const text = '/workspace/gone does not exist, or is a broken link, and was not kept';
    expect(warnings).toEqual(namers.map((namer) => ({ text, namer })));
  });

  test('nothing when the workspace is empty or gone', async () => {
    expect(await find('*.txt')).toEqual({ files: [], warnings: [] });
    rmSync(workspaceDir, { recursive: true });
    expect(await find('*.txt')).toEqual({ files: [], warnings: [] });
  });
});

describe('a link', () => {
  test('to a file in the workspace counts as that file, once, even if the target begins with /workspace', async () => {
    write('build/out.pdf');
    link('artifacts/a', '../build/out.pdf');
    link('artifacts/b', '/workspace/build/../artifacts/a');
    link('artifacts/c', '../../workspace/build/out.pdf');
    expect(await find()).toMatchObject({
      files: [{ path: '/workspace/build/out.pdf', name: 'out.pdf', mediaType: 'application/pdf' }],
      warnings: [],
    });
  });

  test('never leads out of the workspace', async () => {
    writeFileSync(join(dir, 'private'), 'of the host');
    mkdirSync(join(dir, 'folder'));
    writeFileSync(join(dir, 'folder/private'), 'of the host');
    link('artifacts/absolute', join(dir, 'private'));
    link('artifacts/relative', '../../private');
    link('artifacts/etc', '/etc/hostname');
    link('artifacts/root', '/');
    link('folder', join(dir, 'folder'));
    name({ path: 'folder/private' }, { path: '/etc/hostname' }, { path: '../private' });
    const { files, warnings } = await find('folder/*');
    expect(files).toEqual([]);
    expect(warnings).toEqual([
      '/workspace/folder/private leads out of the workspace and was not kept',
      '/etc/hostname leads out of the workspace and was not kept',
      '/workspace/../private leads out of the workspace and was not kept',
      '/workspace/artifacts/absolute leads out of the workspace and was not kept',
      '/workspace/artifacts/etc leads out of the workspace and was not kept',
      '/workspace/artifacts/relative leads out of the workspace and was not kept',
      '/workspace/artifacts/root leads out of the workspace and was not kept',
    ]);
  });

  test('to a folder, to nothing or to itself is not kept, and the log says so', async () => {
    write('data/x.txt');
    link('artifacts/folder', '../data');
    link('artifacts/loop', 'loop');
    link('artifacts/nothing', 'gone');
    expect(await find()).toEqual({
      files: [],
      warnings: [
        '/workspace/artifacts/folder is a folder and was not kept',
        '/workspace/artifacts/loop does not exist, or is a broken link, and was not kept',
        '/workspace/artifacts/nothing does not exist, or is a broken link, and was not kept',
      ],
    });
  });

  test.each([
    ['one folder', 'x/../'.repeat(800)],
    ['many folders', Array.from({ length: 330 }, (_, n) => `x/${n}/../../`).join('')],
  ])('that goes through %s again and again is not kept, and delays nothing', async (_what, detour) => {
    for (let n = 0; n < 330; n++) mkdirSync(join(workspaceDir, `x/${n}`), { recursive: true });
    write('end', 'content');
    for (let n = 0; n < 38; n++) link(`l${n}`, `${detour}${n === 37 ? 'end' : `l${n + 1}`}`);
    name({ path: 'l0' }, { path: 'l1' }, { path: 'end' });
    let found: Awaited<ReturnType<typeof find>> | undefined;
    const longestMs = await longestTurnMs(async () => {
      found = await find();
    });
    expect(found?.files.map(({ path }) => path)).toEqual(['/workspace/end']);
    expect(found?.warnings).toEqual([
      '/workspace/l0 does not exist, or is a broken link, and was not kept',
      '/workspace/l1 does not exist, or is a broken link, and was not kept',
    ]);
    expect(longestMs).toBeLessThan(250);
  });

  test('in place of the artifacts folder reveals nothing about its target', async () => {
    mkdirSync(join(dir, 'folder'));
    writeFileSync(join(dir, 'folder/private'), 'of the host');
    link('artifacts', join(dir, 'folder'));
    expect((await find('artifacts/*')).files).toEqual([]);
    expect((await find()).files).toEqual([]);
  });
});

describe('of hostile files,', () => {
  test('pipes, sockets and unreadable lists delay nothing', async () => {
    mkdirSync(join(workspaceDir, 'artifacts'));
    execFileSync('mkfifo', [join(workspaceDir, 'artifacts/pipe')]);
    const script = 'import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])';
    execFileSync('python3', ['-c', script, join(workspaceDir, 'artifacts/socket')]);
    execFileSync('mkfifo', [join(outDir, 'artifacts')]);
    expect(await find()).toEqual({
      files: [],
      warnings: [
        'the list that flwd_artifact writes is not a regular file; the files it names were not kept',
        '/workspace/artifacts/pipe is a pipe and was not kept',
        '/workspace/artifacts/socket is a socket and was not kept',
      ],
    });
  });

  test('names with line breaks, control characters or reversed text are logged without them', async () => {
    write('artifacts/two\nlines\u202e.txt', 'x');
    write('artifacts/\u001b[31m', 'y');
    const { files } = await find();
    expect(files.map((file) => [file.path, file.name, readFileSync(file.hostPath, 'utf8')])).toEqual([
      ['/workspace/artifacts/_[31m', '_[31m', 'y'],
      ['/workspace/artifacts/two_lines_.txt', 'two_lines_.txt', 'x'],
    ]);
  });

  test('names that are not UTF-8 are kept, also in folders with such names', async () => {
    const script = `import os; os.chdir(os.fsencode('${workspaceDir}')); os.makedirs(b'artifacts/d\\xff');
open(b'artifacts/d\\xff/\\xe9.csv', 'w').write('deep'); open(b'named-\\xfe', 'w').write('named')`;
    execFileSync('python3', ['-c', script]);
    name(Buffer.concat([Buffer.from('{"path":"/workspace/named-'), Buffer.of(0xfe), Buffer.from('","name":"ü"}')]));
    const { files, warnings } = await find('named-*');
    expect(warnings).toEqual([]);
    expect(files.map((file) => [file.path, file.name, file.mediaType, readFileSync(file.hostPath, 'utf8')])).toEqual([
      ['/workspace/named-\ufffd', 'ü', 'application/octet-stream', 'named'],
      ['/workspace/artifacts/d\ufffd/\ufffd.csv', '\ufffd.csv', 'text/csv', 'deep'],
    ]);
  });

  test('names that a job gives are one path segment, valid in a header, and never empty', async () => {
    const given = ['../../etc/passwd', 'a\r\nb: c', '..', 'x/', ' ', 'n'.repeat(300)];
    for (const n of given.keys()) write(`f${n}`);
    name(...given.map((given, n) => ({ path: `f${n}`, name: given })));
    const { files } = await find();
    expect(files.map((file) => file.name)).toEqual(['passwd', 'a__b: c', 'f2', 'f3', 'f4', 'n'.repeat(255)]);
  });

  test('media types that a job gives are valid in a header', async () => {
    write('a.txt');
    write('b.txt');
    name({ path: 'a.txt', media_type: 'text/html\r\nx: y' }, { path: 'b.txt', media_type: 'text/html; charset=utf-8' });
    const { files, warnings } = await find();
    expect(files.map((file) => file.mediaType)).toEqual(['text/plain', 'text/html; charset=utf-8']);
    expect(warnings).toEqual([
      'flwd_artifact: entry 1 of its list has a --type that is not a media type; the file’s ending decides instead',
    ]);
  });

  test('invalid entries are reported by their number, and the others are kept', async () => {
    write('a.txt');
    name('{"path":', '[]', 'null', '{"path":5}', { path: 'x\0y' }, { path: 'x/'.repeat(3000) }, { path: 'a.txt' });
    const { files, warnings } = await find();
    expect(files.map((file) => file.name)).toEqual(['a.txt']);
    expect(warnings).toEqual([
      'flwd_artifact: entry 1 of its list cannot be read',
      'flwd_artifact: entry 2 of its list cannot be read',
      'flwd_artifact: entry 3 of its list cannot be read',
      'flwd_artifact: entry 4 of its list cannot be read',
      'flwd_artifact: entry 6 of its list cannot be read',
      '/workspace/x_y does not exist, or is a broken link, and was not kept',
    ]);
  });

  test.skipIf(process.getuid?.() === 0)(
    'files that the job made unreadable are not kept, and a warning says so',
    async () => {
      write('artifacts/a.txt');
      write('artifacts/closed/b.txt');
      chmodSync(join(workspaceDir, 'artifacts/a.txt'), 0);
      chmodSync(join(workspaceDir, 'artifacts/closed'), 0);
      expect(await find()).toEqual({
        files: [],
        warnings: [
          '/workspace/artifacts/closed cannot be read; its content was not kept',
          '/workspace/artifacts/a.txt cannot be read and was not kept',
        ],
      });
      chmodSync(join(workspaceDir, 'artifacts/closed'), 0o700);
    },
  );

  test('folders nested deeper than a path can be are not kept, and the log says so', async () => {
    const script = `import os
os.makedirs('${workspaceDir}/artifacts'); os.chdir('${workspaceDir}/artifacts'); open('a.txt', 'w')
for n in range(60): os.mkdir('d'*100); os.chdir('d'*100)`;
    execFileSync('python3', ['-c', script]);
    const { files, warnings } = await find();
    expect(files.map((file) => file.name)).toEqual(['a.txt']);
    expect(warnings).toEqual([
      expect.stringMatching(/^\/workspace\/artifacts(\/d{100})+ cannot be read; its content was not kept$/),
    ]);
    execFileSync('rm', ['-rf', join(workspaceDir, 'artifacts')]);
  });

  test('the first 10,000 are kept if there are more, and the log says so', async () => {
    const script = `import os
os.makedirs('${workspaceDir}/artifacts'); os.chdir('${workspaceDir}/artifacts')
for n in range(10100): open(str(n), 'w')`;
    execFileSync('python3', ['-c', script]);
    const { files, warnings } = await find();
    expect(files).toHaveLength(10_000);
    expect(warnings).toEqual(['more than 10000 artifacts: the others were not kept']);
  });

  test('many problems do not fill the log with warnings', async () => {
    name(...Array.from({ length: 200 }, (_, n) => ({ path: `gone-${n}` })));
    const { warnings } = await find();
    expect(warnings).toHaveLength(101);
    expect(warnings.at(-1)).toBe('there are more warnings about artifacts, which are not shown');
  });
});

describe('a pattern', () => {
  beforeEach(() => {
    for (const path of [
      'a.txt',
      'b.log',
      '.env',
      'r/c.txt',
      'r/.d/e.txt',
      'r/s/f.txt',
      'q[1]/g.txt',
      'é.txt',
      'x/😀',
    ]) {
      write(path);
    }
  });
  test.each<[string, string[]]>([
    ['*', ['a.txt', 'b.log', 'é.txt']],
    ['*.txt', ['a.txt', 'é.txt']],
    ['./*.log', ['b.log']],
    ['/workspace/b.log', ['b.log']],
    ['{a.txt,b.*}', ['a.txt', 'b.log']],
    ['?.txt', ['a.txt', 'é.txt']],
    ['x/?', ['x/😀']],
    ['[!b-z].*', ['a.txt', 'é.txt']],
    ['**/*.txt', ['a.txt', 'q[1]/g.txt', 'r/c.txt', 'r/s/f.txt', 'é.txt']],
    ['r/**/f.txt', ['r/s/f.txt']],
    ['r/**', ['r/c.txt', 'r/s/f.txt']],
    ['r/', ['r/.d/e.txt', 'r/c.txt', 'r/s/f.txt']],
    ['r', ['r/.d/e.txt', 'r/c.txt', 'r/s/f.txt']],
    ['r/*', ['r/c.txt']],
    ['.*', ['.env']],
    ['r/.d/*', ['r/.d/e.txt']],
    ['q\\[1]/*', ['q[1]/g.txt']],
    ['{a.txt', []],
    ['../*', []],
    ['', []],
  ])('%s', async (pattern, paths) => {
    expect((await pathsOf(pattern)).toSorted()).toEqual(paths.toSorted());
  });

  test('with many stars delays nothing', async () => {
    write('a'.repeat(200));
    const before = performance.now();
    expect(await pathsOf(`${'*a'.repeat(30)}b`)).toEqual([]);
    expect(performance.now() - before).toBeLessThan(5000);
  });
});

describe('when an escaped process swaps, during the search,', () => {
  function swapFolder(): void {
    mkdirSync(join(dir, 'host'));
    writeFileSync(join(dir, 'host/key'), 'a file of the host');
    renameSync(join(workspaceDir, 'artifacts'), join(dir, 'away'));
    symlinkSync(join(dir, 'host'), join(workspaceDir, 'artifacts'));
  }

  test('a folder for a link after the walk has found a file in it, the file of the folder is still the one that is read', async () => {
    write('artifacts/key', 'own');
    const walk = walkWorkspace({ workspaceDir, from: 'artifacts', enters: () => true, onError: () => undefined });
    for await (const { path, pinnedPath } of walk) {
      swapFolder();
      expect(statEntry(pinnedPath, path)).toMatchObject({ kind: 'found', path: 'artifacts/key', stats: { size: 3 } });
    }
    expect(existsSync(join(dir, 'away'))).toBe(true);
  });

  test('the file itself for a link, the link is not followed', async () => {
    write('artifacts/key', 'own');
    const walk = walkWorkspace({ workspaceDir, from: 'artifacts', enters: () => true, onError: () => undefined });
    for await (const { path, pinnedPath } of walk) {
      rmSync(join(workspaceDir, 'artifacts/key'));
      symlinkSync('/etc/passwd', join(workspaceDir, 'artifacts/key'));
      const found = statEntry(pinnedPath, path);
      expect(found.kind === 'found' && found.stats.isSymbolicLink()).toBe(true);
    }
  });

  test('a folder for a link after the folder was checked, the link is not followed', () => {
    write('artifacts/key', 'own');
    swapFolder();
    expect(statPath(workspaceDir, 'artifacts/key')).toEqual({ kind: 'missing' });
    mkdirSync(join(dir, 'host/below'));
    writeFileSync(join(dir, 'host/below/key'), 'a file of the host');
    expect(statPath(workspaceDir, 'artifacts/below/key')).toEqual({ kind: 'outside' });
  });
});
