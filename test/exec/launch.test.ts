// Attempts from start to end: what the spool contains, how the end is reported, and that nothing is left.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { launch } from '../../src/exec/proc/launch.ts';
import { expectWithin, msOf } from '../support/goes.ts';
import { processesOf, processesWith, residentBytesOf } from '../support/processes.ts';
import { nap, printed, run, sample, start, succeeded, temporaryFolder } from './sample.ts';
import { serialized } from './serialized.ts';

describe('the end of a script', () => {
  test.each([
    ['exit 0', { kind: 'exited', code: 0 }],
    ['exit 3', { kind: 'exited', code: 3 }],
    ['exit 127', { kind: 'exited', code: 127 }],
    ['exit 255', { kind: 'exited', code: 255 }],
    ['kill -KILL $$', { kind: 'signalled', signal: 'KILL' }],
    ['kill -TERM $$', { kind: 'signalled', signal: 'TERM' }],
    ['ulimit -c 0; kill -SEGV $$', { kind: 'signalled', signal: 'SEGV' }],
    // Such an exit code cannot be distinguished from an end by a signal.
    ['exit 143', { kind: 'signalled', signal: 'TERM' }],
  ])('that runs `%s` is reported as it was', async (script, end) => {
    expect((await run(script)).end).toEqual(end);
  });

  test.each([
    ['ulc.python.3', 'import sys; print("hi"); sys.exit(4)'],
    ['ulc.node', 'console.log("hi"); process.exit(4);'],
    ['ulc.exec', '#!/bin/sh\necho hi; exit 4\n'],
  ] as const)('in %s is reported with its exit code', async (ulcProfile, script) => {
    expect(await run(script, { ulcProfile })).toMatchObject({ end: { kind: 'exited', code: 4 }, text: 'hi\n' });
  });

  test('is reported at once, and none of its background processes is left', async () => {
    await expectWithin(5_000, () =>
      msOf(async () => {
        const { end, spec } = await run(`
          setsid ${nap} &
          setsid -f sh -c 'trap "" TERM HUP; ${nap}' < /dev/null > /dev/null 2>&1
          (${nap}; echo late) &
          echo done`);
        expect(end).toEqual(succeeded);
        expect(processesWith(nap)).toEqual([]);
        expect(processesOf(spec.attemptDir)).toEqual([]);
      }),
    );
  });
});

describe('an attempt is not started because of', () => {
  test.each([
    [
      'a program that is not there',
      { command: ['no-such-program'] },
      'no-such-program cannot be started: there is no such program on this host',
    ],
    [
      'an interpreter that is not there',
      { command: ['./tool'], files: { tool: '#!/opt/none/ruby\n' } },
      './tool cannot be started: it does not exist in the sandbox, or the program that its first line names does not',
    ],
    ['a folder', { command: ['/usr'] }, '/usr cannot be started: it is not executable'],
  ])('%s', async (_what, o, message) => {
    for (const profile of ['secure', 'disabled'] as const) {
      expect((await run('', { ulcProfile: 'ulc.exec', profile, ...o })).end).toEqual({ kind: 'not-started', message });
    }
  });

  test('a granted path that is gone, which the message does not name', async () => {
    const { end } = await run('true', { read: ['/nowhere/on/this/host'] });
    expect(end).toEqual({
      kind: 'not-started',
      message: 'a path that the job was granted has been moved or removed since the run was created',
    });
  });

  test('more arguments than a program can get', async () => {
    const args = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`a${index}`, 'x'.repeat(100_000)]));
    const { end } = await run('true', { args });
    expect(end).toEqual({
      kind: 'not-started',
      message: 'its arguments and environment are too large to start a program',
    });
  });

  test('a folder that cannot be written', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    const attempt = start({ ...sample('true'), attemptDir: join(file, '1') });
    expect(await attempt.ended).toEqual({ kind: 'not-started', message: 'the host could not start it (EEXIST)' });
    expect(await attempt.terminate({ signal: 'TERM', graceMs: 1 })).toMatchObject({ signals: [], remaining: 0 });
  });

  test('a host without free descriptors, and can be started later', () => {
    const lack = Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' });
    const full = {
      run(): never {
        throw lack;
      },
    };
    expect(() => launch(sample('true'), full)).toThrow(lack);
  });

  test('an error of flwd itself, which is passed on to the log', async () => {
    const error = new Error('a bug');
    const broken = { run: () => Promise.reject(error) };
    expect(await launch(sample('true'), broken).ended).toEqual({
      kind: 'not-started',
      message: 'the sandbox could not be started',
      cause: error,
    });
  });

  test('an earlier start that was given up, until it is started again', async () => {
    const spec = sample('echo anew');
    mkdirSync(join(spec.attemptDir, 'out'), { recursive: true });
    writeFileSync(join(spec.attemptDir, 'status'), '{"given_up":true}\n');
    writeFileSync(join(spec.attemptDir, 'spool'), 'old\n');
    expect(await start(spec).ended).toEqual(succeeded);
    expect(readFileSync(join(spec.attemptDir, 'spool'), 'utf8')).toBe('anew\n');
  });
});

describe('the spool', () => {
  test('keeps stdout and stderr in the order in which they were written, with stderr marked, while the script runs', async () => {
    const spec = sample(`
      for i in 1 2 3 4; do
        echo "out $i"; echo "err $i" >&2
        until [[ -e seen-$i ]]; do sleep 0.02; done
      done`);
    const { ended } = start(spec);
    for (const i of [1, 2, 3, 4]) {
      await expect.poll(() => printed(spec).lines).toContain(`^Eerr ${i}`);
      writeFileSync(join(spec.workspaceDir, `seen-${i}`), '');
    }
    expect(await ended).toEqual(succeeded);
    expect(printed(spec).text).toBe('out 1\n^Eerr 1\nout 2\n^Eerr 2\nout 3\n^Eerr 3\nout 4\n^Eerr 4\n');
  });

  test('neither loses nor mixes lines of two busy streams', async () => {
    const { lines } = await run(`
      for ((i = 0; i < 4000; i += 1)); do echo "error $i" >&2; done &
      for ((i = 0; i < 4000; i += 1)); do echo "line $i"; done
      wait`);
    const counted = (what: string): string[] => Array.from({ length: 4000 }, (_, index) => `${what} ${index}`);
    expect(lines.filter((line) => line.startsWith('^'))).toEqual(counted('^Eerror'));
    expect(lines.filter((line) => !line.startsWith('^'))).toEqual(counted('line'));
  });

  test('stores binary output unchanged', async () => {
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 7 + (index >> 8)) % 256));
    const spec = sample('cat /job/bytes');
    writeFileSync(join(spec.snapshotDir, 'bytes'), bytes);
    expect(await start(spec).ended).toEqual(succeeded);
    expect(readFileSync(join(spec.attemptDir, 'spool')).equals(bytes)).toBe(true);
  });

  test('stores a line of a megabyte on stderr, whether it is the first or a later one', async () => {
    const first = await run(`head -c 1000000 /dev/zero | tr '\\0' x >&2; echo >&2; echo last >&2`);
    expect(first.lines).toEqual([`^E${'x'.repeat(1_000_000)}`, '^Elast']);
    const later = await run(`seq 120 >&2; head -c 1000000 /dev/zero | tr '\\0' x >&2`);
    expect(later.text.slice(-1_000_008)).toBe(`^E120\n^E${'x'.repeat(1_000_000)}`);
  });

  test('leaves out an endless line of stderr that does not fit into memory', async () => {
    const { end, lines } = await run(`
      seq 120 >&2; head -c 300000000 /dev/zero | tr '\\0' x >&2; echo >&2; echo last >&2`);
    expect(end).toEqual(succeeded);
    expect(lines[120]).toBe('^wa line of stderr that did not fit into memory was left out');
    expect(lines.at(-1)).toBe('^Elast');
  });

  test('leaves out an endless first line of stderr as well, and stores what follows it', async () => {
    const spec = sample(`
      head -c 200000000 /dev/zero | tr '\\0' x >&2; echo >&2; echo last >&2; echo out`);
    const { ended } = start(spec);
    const shells = { areGone: false };
    let mostBytes = 0;
    const over = ended.finally(() => {
      shells.areGone = true;
    });
    while (!shells.areGone) {
      mostBytes = Math.max(mostBytes, ...processesOf(spec.attemptDir).map(({ pid }) => residentBytesOf(pid)));
      await delay(20);
    }
    expect(await over).toEqual(succeeded);
    expect(mostBytes).toBeGreaterThan(0);
    expect(mostBytes).toBeLessThan(256 * 2 ** 20);
    const { lines } = printed(spec);
    expect(lines[0]).toBe('^wa line of stderr that did not fit into memory was left out');
    expect(lines).toContain('^Elast');
    expect(lines).toContain('out');
  }, 180_000);

  test('stores a last line without a newline', async () => {
    expect((await run('printf out')).text).toBe('out');
    expect((await run('printf err >&2')).text).toBe('^Eerr\n');
    expect((await run('')).text).toBe('');
  });

  test('can be opened again as /dev/stderr, but not as /dev/stdout, because that would truncate the log', async () => {
    const { end, lines } = await run(`
      echo before
      echo one > /dev/stderr; echo two | tee /dev/stderr > /dev/null
      if (echo x > /dev/stdout) 2> /dev/null; then echo cut; fi
      echo after`);
    expect(end).toEqual(succeeded);
    expect(lines.toSorted()).toEqual(['^Eone', '^Etwo', 'after', 'before']);
  });

  test('is readable only by the server', async () => {
    const { spec } = await run('true');
    expect(statSync(join(spec.attemptDir, 'spool')).mode & 0o777).toBe(0o400);
    expect(statSync(spec.attemptDir).mode & 0o777).toBe(0o700);
  });
});

describe('a script is started with', () => {
  test('an empty standard input', async () => {
    expect((await run('cat; read -r line || echo nothing')).lines).toEqual(['nothing']);
  });

  test('only three descriptors, even if the server was started with more', async () => {
    const spec = sample('', { ulcProfile: 'ulc.exec', command: ['ls', '-l', '/proc/self/fd'] });
    const file = join(temporaryFolder(), 'of-the-parent');
    writeFileSync(file, 'secret');
    // The server may also inherit a descriptor above its limit, which was lowered after the file was opened.
    const lowered = 'ulimit -Sn 2000; exec 1999<"$0"; ulimit -Sn 1000; exec "$@"';
    const launcher = [process.execPath, join(import.meta.dirname, 'programs', 'launcher.ts')];
    const child = spawn('bash', ['-c', lowered, file, ...launcher], {
      env: { ...process.env, SPEC: serialized(spec) },
      stdio: [...Array.from({ length: 40 }, () => 'ignore' as const), openSync(file, 'r')],
    });
    await once(child, 'exit');
    const links = printed(spec).lines.flatMap((line) => / (\d+) -> (.*)$/.exec(line)?.slice(1, 3).join(' ') ?? []);
    expect(links.toSorted()).toEqual([
      '0 /dev/null',
      `1 ${join(spec.attemptDir, 'spool')}`,
      expect.stringMatching(/^2 .*\/pipes-\w+\/\d+$/),
      expect.stringMatching(/^3 \/proc\/\d+\/fd$/),
    ]);
  });

  test('up to fifty secrets as files that only its own user can read', async () => {
    const secrets = Object.fromEntries(
      Array.from({ length: 50 }, (_, index) => [`key${index}`, `value ${index}\n${'é'.repeat(index)}`]),
    );
    const { end, lines } = await run(
      `cd "$FLWD_SECRETS_DIR"; stat -c '%u %a' * | sort -u; ls | wc -l; for f in key{0..49}; do base64 -w0 $f; echo; done
       ! touch new 2> /dev/null; id -u`,
      { secrets },
    );
    expect(end).toEqual(succeeded);
    expect(lines.slice(0, 2)).toEqual([`${lines.at(-1)} 400`, '50']);
    expect(lines.slice(2, 52).map((line) => Buffer.from(line, 'base64').toString())).toEqual(Object.values(secrets));
  });

  test('a secret that is longer than any pipe holds, and an empty one', async () => {
    const secrets = { long: 'x'.repeat(1_000_000), empty: '' };
    const { lines } = await run('wc -c < "$FLWD_SECRETS_DIR/long"; wc -c < "$FLWD_SECRETS_DIR/empty"', { secrets });
    expect(lines).toEqual(['1000000', '0']);
  });
});

test('a server whose umask closes its files to others can start jobs as usual', async () => {
  const spec = sample('echo kept > kept; echo x > artifacts/x; flwd_result 1; echo "$text"', {
    args: { text: 'read' },
    argspec: { properties: { text: {} } },
  });
  const umask = process.umask(0o077);
  try {
    expect(await start(spec).ended).toEqual(succeeded);
  } finally {
    process.umask(umask);
  }
  expect(printed(spec).lines).toEqual(['read']);
});

test('many scripts can start at once, and each has its own output and exit code', async () => {
  const ran = await Promise.all(
    Array.from({ length: 40 }, (_, index) => run(`echo "${index}"; echo "e${index}" > /dev/stderr; exit ${index}`)),
  );
  expect(ran.map(({ end }) => end)).toEqual(ran.map((_, index) => ({ kind: 'exited', code: index })));
  expect(ran.map(({ lines }) => lines.toSorted())).toEqual(
    ran.map((_, index) => [`${index}`, `^Ee${index}`].toSorted()),
  );
});
