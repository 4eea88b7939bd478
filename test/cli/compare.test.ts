// `flwd compare`: how two runs differ.

import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { steps } from '../engine/step-jobs.ts';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { flwd } from './terminal.ts';

const args = [
  { name: 'target', default: 'web1' },
  { name: 'code', default: '0' },
];

test('a run is compared with the last success of its job, and the older one comes first', async () => {
  const { dir } = await createInstance({ load: bash('echo begun\necho "to $target"\nexit "$code"', { args }) });
  const idOf = async (...words: string[]): Promise<string> =>
    JSON.parse((await flwd(dir, 'load', '--json', ...words)).stdout).run_id;
  const good = await idOf();
  expect(await flwd(dir, 'compare', good)).toMatchObject({
    code: 3,
    stdout: '',
    stderr: expect.stringMatching(/^no run of load succeeded before run_\w+; name another run: flwd .*compare run_/),
  });

  const same = await flwd(dir, 'compare', good, await idOf());
  expect(same.stdout).toMatch(
    /\n\nThe arguments are the same\.\n\nThe logs are the same, apart from times and ids\.\n$/,
  );

  writeFileSync(
    join(dir, 'jobs/load/run.sh'),
    '#!/usr/bin/env bash\necho begun\necho "towards $target"\nexit "$code"\n',
  );
  const bad = await idOf('--target', 'web2', '--code', '3');
  const { code, stdout } = await flwd(dir, 'compare', bad, good);
  expect(code).toBe(0);
  const [head, ...rows] =
    stdout
      .split('\n\n')[0]
      ?.split('\n')
      .map((line) => line.split(/ {2,}/)) ?? [];
  expect(head).toEqual(['DIFFERENCE', good, bad]);
  expect(rows).toEqual([
    ['created', expect.any(String), expect.any(String)],
    ['revision', expect.stringMatching(/^[0-9a-f]{7}$/), expect.stringMatching(/^[0-9a-f]{7}$/)],
    ['status', 'success', 'failed (exit)'],
    ['worked', expect.any(String), expect.any(String)],
    ['argument target', 'web1', 'web2'],
    ['argument code', '0', '3'],
  ]);
  expect(stdout).toContain('\n\nThe logs differ from line 2 on:\n- to web1\n+ towards web2\n');
  expect(stdout).toContain(
    '\n\nrun.sh (changed)\n  #!/usr/bin/env bash\n  echo begun\n- echo "to $target"\n+ echo "towards $target"\n',
  );

  const { stdout: json } = await flwd(dir, 'compare', bad, '--json');
  expect(JSON.parse(json)).toMatchObject({
    b: bad,
    arguments: [{ name: 'target', a: 'web1', b: 'web2' }, { name: 'code' }],
    facts: {
      a: { job_id: 'load', revision: expect.stringMatching(/^[0-9a-f]{16}$/), status: 'success', reason: null },
      b: { worked_ms: expect.any(Number), status: 'failed', reason: 'exit', source: expect.any(String), labels: {} },
    },
    steps: [{ a: { status: 'success' }, b: { status: 'failed' } }],
    log: { kind: 'line', b: { seq: 2, message: 'towards web2' } },
    files: [{ path: 'run.sh', change: 'changed', b: expect.stringContaining('towards') }],
  });
});

test('if one log is longer, the logs differ from its first additional line, even at the end of a page', async () => {
  const script = 'seq "$lines"\nfor n in $(seq "$long"); do printf "%09000d\\n" "$n"; done';
  const counts = ['lines', 'long'].map((name) => ({ name, default: '0' }));
  const { dir } = await createInstance({ count: bash(script, { args: counts }) });
  const idOf = async (...words: string[]): Promise<string> =>
    JSON.parse((await flwd(dir, 'count', '--json', ...words)).stdout).run_id;
  const compared = async (...ids: string[]) => (await flwd(dir, 'compare', ...ids)).stdout;
  const page = await idOf('--lines', '1000');
  const twoPages = await idOf('--lines', '1501');
  expect(await compared(page, twoPages)).toContain('\n\nThe logs differ from line 1001 on:\n- (ends before)\n+ 1001\n');
  // A page ends after some MiB, too.
  const long = await idOf('--long', '600');
  const longer = await idOf('--long', '601');
  expect(await compared(long, longer)).toContain('\n\nThe logs differ from line 601 on:\n- (ends before)\n+ 0000');
  const alike = await idOf('--long', '600');
  expect(await compared(long, alike)).toContain('\n\nThe logs are the same, apart from times and ids.\n');
});

test('secrets are not compared, and files are compared even if their content is not shown', async () => {
  const argspec = {
    type: 'object',
    properties: { token: { type: 'string', format: 'secret' }, n: { type: 'string' } },
  };
  const paths = Array.from({ length: 40 }, (_, at) => `data/${String(at + 1).padStart(2, '0')}`);
  const texts = Object.fromEntries(paths.map((path) => [path, 'old\n']));
  const logo = Buffer.from([0, 1, 255]);
  const { dir } = await createInstance({ deploy: { ...bash('true', { argspec }), 'a.bin': logo, ...texts } });
  const idOf = async (token: string, ...words: string[]): Promise<string> => {
    writeFileSync(join(dir, 'token'), token);
    const ran = await flwd(dir, 'deploy', '--json', '--token.file', join(dir, 'token'), ...words);
    return JSON.parse(ran.stdout).run_id;
  };
  const ids = [await idOf('first token')];
  writeFileSync(join(dir, 'jobs/deploy/a.bin'), logo.toReversed());
  for (const path of paths.slice(5)) writeFileSync(join(dir, 'jobs/deploy', path), 'new\n');
  chmodSync(join(dir, 'jobs/deploy/data/01'), 0o755);
  ids.push(await idOf('other token'));
  const { stdout } = await flwd(dir, 'compare', ...ids);
  expect(stdout).toContain('\n\nThe arguments are the same, apart from secrets, which are not compared.\n');
  expect(stdout).toContain(
    '\na.bin (changed)\n  (not text, larger than 1 MiB, or after the first 30 files)\n\ndata/01 (changed)\n  (only its executable bit)\n\ndata/06 (changed)\n- old\n+ new\n\ndata/07',
  );
  expect(stdout).toMatch(
    /\ndata\/33 \(changed\)\n- old\n\+ new\n\ndata\/34 \(changed\)\n {2}\(not text, .*30 files\)\n/,
  );
  const { stdout: json } = await flwd(dir, 'compare', ...ids, '--json');
  const { arguments: args, files } = JSON.parse(json);
  expect(args).toEqual([{ name: 'token', a: '[redacted]', b: '[redacted]', is_secret: true }]);
  expect(files).toHaveLength(37);
  for (const path of ['a.bin', 'data/40']) expect(files).toContainEqual({ path, change: 'changed', a: null, b: null });

  const other = await flwd(dir, 'compare', ids[0] ?? '', await idOf('a third', '--n', '2'));
  expect(other.stdout).toContain('\n\nSecret arguments are not compared.\n');
});

test('a step that a rerun kept is compared by its lines in the run that executed it', async () => {
  const { dir } = await createInstance({
    ship: steps({
      args: [
        { name: 'code', default: '1' },
        { name: 'size', default: '107' },
      ],
      steps: [
        { id: 'build', command: ['bash', '-c', 'echo "built $FLWD_ARG_SIZE"'] },
        { id: 'send', needs: ['build'], command: ['bash', '-c', 'echo sent; exit "$FLWD_ARG_CODE"'] },
      ],
    }),
  });
  const idOf = async (...words: string[]): Promise<string> =>
    JSON.parse((await flwd(dir, ...words, '--json')).stdout).run_id;
  const first = await idOf('run', 'ship');
  const other = await idOf('run', 'ship', '--size', '250');
  const again = await idOf('rerun', first, '--from', 'failed');
  const last = await idOf('rerun', again, '--from', 'failed', '--code', '0');
  for (const before of [first, again])
    expect((await flwd(dir, 'compare', before, last)).stdout).toContain(
      '\n\nThe logs are the same, apart from times and ids.\n',
    );
  expect((await flwd(dir, 'compare', other, last)).stdout).toContain(
    '\n\nThe logs of step build differ from line 1 on:\n- built 250\n+ built 107\n',
  );
});
