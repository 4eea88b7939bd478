// The single file: it unpacks itself once, into a folder that only its user can write, and notices every change there.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { mountDisk, mountOn, testWithDisk } from '../support/small-disk.ts';
import { binary } from './releases.ts';

const isRoot = process.getuid?.() === 0;

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'flwd-binary-'));
  chmodSync(home, 0o755);
  // This runs after the test has unmounted what it mounted.
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
});

const unpackedIn = (cache = join(home, '.cache')): string => {
  const folders = readdirSync(join(cache, 'flwd')).filter((name) => name.length === 64);
  expect(folders).toHaveLength(1);
  return join(cache, 'flwd', folders[0] ?? '');
};

type Start = { readonly env?: Readonly<Record<string, string>>; readonly file?: string; readonly uid?: number };

function flwd(words: readonly string[], { env = { HOME: home }, file = binary, uid }: Start = {}) {
  const { status, signal, stdout, stderr } = spawnSync(file, words, {
    cwd: home,
    env: { PATH: '/usr/bin:/bin', ...env },
    encoding: 'utf8',
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  return { status: status ?? signal, stdout, stderr };
}

const printsVersion = { status: 0, stdout: expect.stringMatching(/^flwd \d/), stderr: '' };
const refuses = (why: RegExp) => ({ status: 2, stdout: '', stderr: expect.stringMatching(why) });
const hint = /set XDG_CACHE_HOME to a folder that you may write to and start programs from\n$/;

describe('a start of the single file', () => {
  test('unpacks flwd, and the next one uses the same files', () => {
    expect(flwd(['version'])).toEqual(printsVersion);
    const folder = unpackedIn();
    const { ino } = statSync(join(folder, 'node'));

    expect(flwd(['version'])).toEqual(printsVersion);
    expect(statSync(join(folder, 'node')).ino).toBe(ino);
    expect(statSync(join(home, '.cache/flwd')).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(home, '.cache/flwd')).toSorted()).toEqual([folder.slice(-64), 'lock']);
  });

  test('unpacks flwd also if its path is relative', () => {
    copyFileSync(binary, join(home, 'flwd'));
    expect(flwd(['version'], { file: './flwd' })).toEqual(printsVersion);
  });

  test('passes on arguments, environment and output, and ends with the same exit code', () => {
    expect(flwd(['no such\ncommand $HOME'])).toEqual({
      status: 2,
      stdout: '',
      stderr: expect.stringContaining('no such\ncommand $HOME'),
    });
    const { stdout } = flwd(['run', '--help'], { env: { HOME: home, LC_ALL: 'C', folder: 'x', NO_COLOR: '1' } });
    expect(stdout).toContain('flwd run');
  });

  test('can run jobs in JavaScript, and the helpers of a sandboxed script', () => {
    const job = join(home, 'jobs/hello');
    mkdirSync(job, { recursive: true });
    const steps = ['{ id: js, command: ./main.mjs }', '{ id: sh, command: ./main.sh, needs: [js] }'];
    writeFileSync(join(job, 'config.yaml'), `steps:\n  - ${steps.join('\n  - ')}\n`);
    writeFileSync(join(job, 'main.mjs'), 'console.log(`Node ${process.versions.node.split(".")[0]}`);\n');
    writeFileSync(join(job, 'main.sh'), 'flwd_log info "from the helper"\n');
    const { status, stdout, stderr } = flwd([
      'run',
      'hello',
      '--jobs',
      join(home, 'jobs'),
      '--data-dir',
      join(home, 'data'),
    ]);
    expect({ status, output: stdout + stderr }).toEqual({
      status: 0,
      output: expect.stringMatching(/Node 24\n.*from the helper\n/),
    });
  });

  test('succeeds even if eight first starts happen at once', async () => {
    const env = { PATH: '/usr/bin:/bin', HOME: home };
    const starts = Array.from({ length: 8 }, () => spawn(binary, ['version'], { env, stdio: 'pipe' }));
    const codes = await Promise.all(starts.map((child) => new Promise((resolve) => child.on('exit', resolve))));
    expect(codes).toEqual(Array(8).fill(0));
    expect(readdirSync(join(home, '.cache/flwd')).toSorted()).toEqual([unpackedIn().slice(-64), 'lock']);
  });

  test('that is killed while it unpacks leaves nothing that the next start would use', async () => {
    const partial = join(home, '.cache/flwd/new/node');
    let child: ChildProcess;
    // On a busy machine, it may be ready before this process looks.
    do {
      rmSync(join(home, '.cache/flwd'), { recursive: true, force: true });
      child = spawn(binary, ['version'], { env: { PATH: '/usr/bin:/bin', HOME: home }, detached: true });
      const ended = once(child, 'exit');
      await vi.waitUntil(() => existsSync(partial) || child.exitCode !== null, { timeout: 60_000, interval: 1 });
      if (child.exitCode === null) process.kill(-(child.pid ?? 0), 'SIGKILL');
      await ended;
    } while (child.signalCode !== 'SIGKILL');

    expect(flwd(['version'])).toEqual(printsVersion);
    expect(readdirSync(join(home, '.cache/flwd')).toSorted()).toEqual([unpackedIn().slice(-64), 'lock']);
  });
});

describe('in the unpacked folder', () => {
  let folder: string;
  const main = () => join(folder, 'dist/cli/main.js');
  beforeEach(() => {
    flwd(['version']);
    folder = unpackedIn();
  });

  test.each<[string, () => void]>([
    ['a changed file', () => appendFileSync(main(), '\nprocess.stdout.write("changed");\n')],
    [
      'a changed file with its old time and size',
      () => {
        const { atime, mtime } = statSync(main());
        writeFileSync(main(), readFileSync(main(), 'utf8').replace('flwd', 'FLWD'));
        utimesSync(main(), atime, mtime);
      },
    ],
    ['a missing file', () => rmSync(main())],
    ['a missing program', () => rmSync(join(folder, 'node'))],
    ['a program that may not be started', () => chmodSync(join(folder, 'node'), 0o644)],
    [
      'a cut-off program',
      () => writeFileSync(join(folder, 'node'), readFileSync(join(folder, 'node')).subarray(0, 1_000)),
    ],
    ['no record of what was unpacked', () => rmSync(join(folder, 'seal'))],
  ])('%s does not survive the next start', (_, damage) => {
    const before = readFileSync(main(), 'utf8');
    damage();
    expect(flwd(['version'])).toEqual(printsVersion);
    expect(readFileSync(main(), 'utf8')).toBe(before);
    expect(statSync(join(folder, 'node')).mode & 0o777).toBe(0o755);
  });

  test('a change of times alone does not cause a second unpacking', () => {
    const { ino } = statSync(join(folder, 'node'));
    utimesSync(main(), new Date(), new Date());
    expect(flwd(['version'])).toEqual(printsVersion);
    expect(statSync(join(folder, 'node')).ino).toBe(ino);
  });

  test('the files of an earlier version are removed, unless a process uses them', async () => {
    const cache = join(home, '.cache/flwd');
    const [unused, used] = ['a', 'b'].map((digit) => join(cache, digit.repeat(64)));
    if (!unused || !used) throw new Error('two folders');
    for (const earlier of [unused, used]) {
      mkdirSync(earlier);
      copyFileSync('/bin/sleep', join(earlier, 'node'));
    }
    const server = spawn(join(used, 'node'), ['600']);
    await new Promise((resolve) => server.on('spawn', resolve));
    rmSync(folder, { recursive: true });

    expect(flwd(['version'])).toEqual(printsVersion);
    expect([existsSync(unused), existsSync(used)]).toEqual([false, true]);
    server.kill();
  });
});

describe('flwd refuses to start and says what to do', () => {
  test('without a home folder', () => {
    expect(flwd(['version'], { env: {} })).toEqual(refuses(/set HOME or XDG_CACHE_HOME to a full path/));
    expect(flwd(['version'], { env: { XDG_CACHE_HOME: 'cache' } })).toEqual(refuses(/to a full path/));
  });

  test('if the file is damaged', () => {
    const file = join(home, 'flwd');
    writeFileSync(file, readFileSync(binary).subarray(0, -2_000_000), { mode: 0o755 });
    expect(flwd(['version'], { file })).toEqual(refuses(/^flwd: \S+ is damaged: copy it again\n$/));
    expect(readdirSync(join(home, '.cache/flwd'))).toEqual(['lock']);
  });

  test('if the archive has other files than its first lines say', () => {
    const file = join(home, 'flwd');
    // The digest keeps its length, so the archive begins at the same byte.
    const other = readFileSync(binary, 'latin1').replace(/^digest=\w+$/m, `digest=${'0'.repeat(64)}`);
    writeFileSync(file, other, { encoding: 'latin1', mode: 0o755 });
    expect(flwd(['version'], { file })).toEqual(refuses(/is damaged: copy it again\n$/));
    expect(readdirSync(join(home, '.cache/flwd'))).toEqual(['lock']);
  });

  testWithDisk('on a full disk, without leaving files there', () => {
    mountDisk(home, 20);
    expect(flwd(['version'])).toEqual(refuses(hint));
    expect(readdirSync(join(home, '.cache/flwd'))).toEqual(['lock']);
  });

  testWithDisk('in a read-only home', () => {
    mountOn(home, '-t', 'tmpfs', '-o', 'ro,mode=755', 'flwd-test');
    expect(flwd(['version'])).toEqual(refuses(hint));
  });

  testWithDisk('unless it was unpacked before the home became read-only', () => {
    mountOn(home, '-t', 'tmpfs', '-o', 'mode=755', 'flwd-test');
    flwd(['version']);
    spawnSync('mount', ['-o', 'remount,ro', home]);
    expect(flwd(['version'])).toEqual(printsVersion);
  });

  testWithDisk('in a home that is mounted noexec', () => {
    mountOn(home, '-t', 'tmpfs', '-o', 'noexec,mode=755', 'flwd-test');
    expect(flwd(['version'])).toEqual(refuses(/\(noexec\)/));
    expect(readdirSync(join(home, '.cache/flwd'))).toEqual(['lock']);
  });

  test.runIf(isRoot)('if another user owns or may write a folder of the path, and executes nothing from there', () => {
    const cache = join(home, '.cache');
    mkdirSync(join(cache, 'flwd'), { recursive: true });
    const cases: [() => void, RegExp][] = [
      [() => chownSync(join(cache, 'flwd'), 65534, 65534), /\.cache\/flwd belongs to another user/],
      [() => chownSync(home, 65534, 65534), /flwd-binary-\w+ belongs to another user/],
      [() => chmodSync(cache, 0o777), /other users may write to .*\.cache,/],
      [() => chmodSync(cache, 0o775), /other users may write to .*\.cache,/],
    ];
    for (const [spoil, why] of cases) {
      spoil();
      expect(flwd(['version'])).toEqual(refuses(why));
      expect(readdirSync(join(cache, 'flwd'))).toEqual([]);
      for (const path of [home, cache, join(cache, 'flwd')]) {
        chownSync(path, 0, 0);
        chmodSync(path, 0o755);
      }
    }
    rmSync(cache, { recursive: true });
    chownSync(home, 65534, 65534);
    expect(flwd(['version'])).toEqual(refuses(/belongs to another user/));
    expect(readdirSync(home)).toEqual([]);
  });

  test('if its folder is a link, and changes nothing behind the link', () => {
    mkdirSync(join(home, 'mine/new'), { recursive: true });
    mkdirSync(join(home, '.cache'));
    symlinkSync(join(home, 'mine'), join(home, '.cache/flwd'));
    expect(flwd(['version'])).toEqual(refuses(/is a symbolic link/));
    expect(readdirSync(join(home, 'mine'))).toEqual(['new']);
  });

  test.runIf(isRoot)('unless an ordinary user starts it below a link of that user, or in the shared /tmp', () => {
    mkdirSync(join(home, 'disk'));
    symlinkSync(join(home, 'disk'), join(home, '.cache'));
    for (const path of [home, join(home, 'disk')]) chownSync(path, 1234, 1234);
    expect(flwd(['version'], { uid: 1234 })).toEqual(printsVersion);
    unpackedIn(join(home, 'disk'));
  });
});
