// Runs from the command line without a server, with the server of the data dir, and with a remote server. The output is
// the same.

import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findOwner } from '../../src/instance/owner-lock.ts';
import { bash, type JobFiles } from '../support/jobs.ts';
import { processesWith } from '../support/processes.ts';
import { createInstance } from './an-instance.ts';
import { bin, flwd, flwdReading, observe, type Seen, start, untilNextSignalCounts } from './terminal.ts';

const argspec = {
  type: 'object',
  properties: {
    target: { type: 'string', default: '/srv' },
    keep: { type: 'object', properties: { days: { type: 'integer', minimum: 1 } } },
  },
};
const daily = bash('echo "to $target"; echo careful >&2; flwd_result \'{"kept": 3}\'', { argspec, name: 'Daily' });
const fails = bash('echo begun; exit 4');
const jobs: Record<string, JobFiles> = {
  'backup/daily': daily,
  fails,
  chain: {
    'config.yaml': JSON.stringify({
      steps: [
        { id: 'one', command: ['echo', 'first'] },
        { id: 'two', needs: ['one'], command: ['echo', 'second'] },
      ],
    }),
  },
};

/** Replaces ids and durations, which differ from run to run. */
function timeless({ stdout, stderr, code }: Seen): Seen {
  const blur = (text: string): string =>
    text.replaceAll(/run_[0-9A-Z]{26}/g, 'RUN').replaceAll(/ in [\d.]+ m?s/g, ' in TIME');
  return { stdout: blur(stdout), stderr: blur(stderr), code };
}

const good = {
  code: 0,
  stdout: 'to /mnt\n',
  stderr: 'careful\nsuccess in TIME\nresult: {"kept":3}\nRUN: flwd runs RUN\n',
};

test('a run prints the same without a server, with the server of the data dir, and with a remote server', async () => {
  const { dir, serve, dataDir } = await createInstance(jobs);
  const words = ['backup/daily', '--target', '/mnt', '--keep.days', '2'];
  expect(timeless(await flwd(dir, 'run', ...words))).toEqual(good);
  expect(timeless(await flwd(dir, 'backup', 'daily', '--target=/mnt'))).toEqual(good);
  await serve();
  expect(timeless(await flwd(dir, ...words))).toEqual(good);

  const { stdout: token } = await flwd(
    dir,
    'tokens',
    'create',
    '--name',
    'ci',
    '--scopes',
    'runs:write,jobs:read,artifacts:read',
  );
  const url = (await findOwner(dataDir))?.url ?? '';
  // The suggested command repeats the `--config` option of the command that was run.
  const stderr = good.stderr.replace('flwd runs RUN', 'flwd runs RUN --config /dev/null');
  for (const prefix of ['FLWD', 'FLOWD']) {
    const environment = { [`${prefix}_REMOTE`]: url, [`${prefix}_TOKEN`]: token.trim() };
    const elsewhere = start(dir, [...words, '--config', '/dev/null'], environment);
    expect(timeless(await elsewhere.ended)).toEqual({ ...good, stderr });
  }
});

test('the exit code says how the run ended, and --json prints only the run', async () => {
  const { dir } = await createInstance(jobs);
  const failed = await flwd(dir, 'fails');
  expect(failed).toMatchObject({ code: 1, stdout: 'begun\n' });
  expect(failed.stderr).toMatch(/^failed in [\d.]+ m?s: exited with code 4/m);

  const json = await flwd(dir, 'backup/daily', '--json', '--args', '{"target":"/json"}');
  expect(json).toMatchObject({ code: 0, stderr: expect.stringContaining('to /json\n') });
  expect(JSON.parse(json.stdout)).toMatchObject({
    status: 'success',
    args: { target: '/json' },
    result: { value: { kept: 3 } },
  });

  const quiet = await flwd(dir, 'backup/daily', '--quiet');
  expect(quiet).toEqual({ code: 0, stdout: 'to /srv\n', stderr: 'careful\n' });
  expect(await flwd(dir, 'chain', '-q')).toEqual({ code: 0, stdout: 'one | first\ntwo | second\n', stderr: '' });
});

test('a run that succeeded although its script lacked a program says so, also later', async () => {
  const { dir } = await createInstance({ mirror: bash('flwd-rsync -a x y || true\necho done') });
  const hint = 'hint: the script continued without flwd-rsync: no folder in the job’s PATH has flwd-rsync: install it';
  const seen = await flwd(dir, 'mirror');
  expect(seen).toMatchObject({ code: 0, stdout: 'done\n' });
  expect(seen.stderr).toContain(hint);
  const [runId = ''] = /run_\w+/.exec(seen.stderr) ?? [];
  expect((await flwd(dir, 'runs', runId)).stdout).toMatch(/^hint +the script continued without flwd-rsync: /m);
});

test('a run that failed says why and what to change, also later and in the list', async () => {
  const { dir } = await createInstance({ pack: bash('cat "$target"', { args: [{ name: 'target' }] }) });
  const words = ['pack', '--target', '/srv/flwd-none'];
  const why = 'exited with code 1: cat: /srv/flwd-none: No such file or directory (run.sh:2)';
  const hint =
    'the sandbox does not show /srv/flwd-none: if the host has it, allow it with `permissions: {read: ' +
    '[{arg: target}]}` (`write` if the job changes it); the operator must list the path in `security.paths` of flwd.yaml';
  const seen = await flwd(dir, ...words);
  expect(seen).toMatchObject({ code: 1, stdout: '' });
  expect(seen.stderr).toMatch(/^failed in [\d.]+ m?s: (.*)\nhint: (.*)\nrun_/m);
  expect(seen.stderr).toContain(`: ${why}\nhint: ${hint}\nrun_`);
  const quiet = (await flwd(dir, ...words, '--quiet')).stderr;
  expect(quiet.endsWith(`: ${why}\nhint: ${hint}\n`)).toBe(true);
  const [runId = ''] = /run_\w+/.exec(seen.stderr) ?? [];
  const shown = await flwd(dir, 'runs', runId);
  expect(shown.stderr).toBe(`log: flwd logs ${runId}\n`);
  const later = shown.stdout;
  expect(later).toContain(`error      ${why}\n`);
  expect(later).toContain(`hint       ${hint}\n`);
  expect((await flwd(dir, 'runs')).stdout).toContain(why);
});

test('arguments can come from a file or standard input, and options override them', async () => {
  const { dir } = await createInstance(jobs);
  writeFileSync(join(dir, 'args.yaml'), 'target: /file\nkeep:\n  days: 3\n');
  const ofFile = await flwd(dir, 'plan', 'backup/daily', '--args-file', 'args.yaml', '--keep.days', '5', '--json');
  expect(JSON.parse(ofFile.stdout)).toMatchObject({ args: { target: '/file', keep: { days: 5 } }, denied: null });
  const ofInput = await flwdReading(dir, '{"target": "/input"}', 'plan', 'backup/daily', '--args', '-', '--json');
  expect(JSON.parse(ofInput.stdout)).toMatchObject({ args: { target: '/input' } });
});

test.each([
  ['--args -', ['plan', 'backup/daily', '--args', '-']],
  ['the value', ['secrets', 'set', 'token']],
  ['--args-file /dev/zero', ['run', 'backup/daily', '--args-file', '/dev/zero']],
])('input without an end is refused: %s', async (name, words) => {
  const { dir } = await createInstance(jobs);
  const endless = ['-c', 'exec "$0" "$@" < /dev/zero', process.execPath, bin, ...words];
  const child = spawn('bash', endless, { cwd: dir, env: { PATH: process.env.PATH, HOME: dir } });
  expect(await observe(child).ended).toMatchObject({ code: 2, stderr: `${name} is larger than 256 MiB\n` });
});

test('long YAML is refused, because it takes too long to read', async () => {
  const { dir } = await createInstance(jobs);
  const seen = await flwdReading(dir, 'y\n'.repeat(600_000), 'plan', 'backup/daily', '--args', '-');
  expect(seen).toMatchObject({ code: 2, stderr: '--args - is not JSON, and YAML may have at most 1 MiB\n' });
});

test.each([
  [['backup/daily', '--keep.days', '0'], 2, '--keep.days must be at least 1\n'],
  [['backup/daily', '--tarjet', 'x'], 2, 'the job takes no --tarjet; did you mean `--target`?\n'],
  [['backup/dayly'], 2, 'there is no command or job `backup/dayly`; did you mean `backup/daily`?\n'],
  [['run', 'backup/dayly'], 3, 'there is no job `backup/dayly`; did you mean `backup/daily`?\n'],
  [['run', 'backup/daily', '--args', '{'], 2, /^--args is not valid JSON/],
  [['run', 'backup/daily', '--args', '[1]'], 2, '--args must be an object such as {"target": "/srv"}\n'],
  [['run', 'backup/daily', '--label', 'x'], 2, '--label x must have the form KEY=VALUE\n'],
  [['run', 'backup/daily', '--security-profile', 'open'], 2, /^--security-profile does not take `open`; use one of /],
  [['run'], 2, 'flwd run needs a job: flwd run JOB; flwd jobs lists the jobs\n'],
  [['runs', 'run_01ARZ3NDEKTSV4RRFFQ69G5FAV'], 3, /no flwd instance in .*data yet/],
  [['runs', '--data-dir', 'flwd.yaml'], 2, /^the data dir \S+flwd.yaml cannot be used: it is not a folder; fix that/],
  [['logs'], 2, 'missing operand: flwd logs RUN; flwd runs lists the runs\n'],
  [['logs', 'chain', 'one'], 2, 'unexpected word `one`: for the lines of one step, write --step STEP\n'],
  [['get', 'jobs'], 2, /^there is no command `get`: flwd jobs lists the jobs, /],
  [
    ['jobs', '--remote', 'prod'],
    2,
    'there is no remote `prod`: flwd.yaml has no remotes. An address begins with http:// or https://\n',
  ],
  [['jobs', '--remote', 'http://127.0.0.1:1'], 5, 'No server can be reached at http://127.0.0.1:1.\n'],
])('flwd %j exits with %i and says what to do', async (words, code, stderr) => {
  const { dir } = await createInstance(jobs);
  const seen = await flwd(dir, ...words);
  expect(seen).toMatchObject({ code, stdout: '' });
  expect(seen.stderr).toMatch(stderr);
});

test('a typo creates no instance', async () => {
  const { dir, dataDir } = await createInstance(jobs);
  for (const words of [['backup/dayly'], ['jobs'], ['backup/daily', '--help'], ['runs'], ['logs', 'run_x']])
    await flwd(dir, ...words);
  expect(existsSync(dataDir)).toBe(false);
});

test('the help of a job is written from its schema', async () => {
  const { dir } = await createInstance(jobs);
  const { stdout, code } = await flwd(dir, 'backup', 'daily', '--help');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^Usage: flwd backup\/daily \[ARGUMENTS\]\n\nDaily\n/);
  expect(stdout).toMatch(/--target TEXT +text; default \/srv\n/);
  expect(stdout).toMatch(/--keep\.days N +integer; at least 1\n/);
  expect(await flwd(dir, 'help', 'backup/daily')).toMatchObject({ stdout });
  for (const words of [['run'], ['plan'], ['schedules', 'add']])
    expect((await flwd(dir, ...words, 'backup', 'daily', '--help')).stdout).toMatch(
      new RegExp(`^Usage: flwd ${words.join(' ')} backup/daily \\[ARGUMENTS\\]\n`),
    );
});

test('the help of a job names each way to give a secret in full', async () => {
  const argspec = { properties: { token: { type: 'string', format: 'secret' }, keep: { type: 'integer' } } };
  const { dir } = await createInstance({ push: bash('true', { argspec }) });
  expect((await flwd(dir, 'push', '--help')).stdout).toContain(
    [
      'Arguments:',
      '  --token.file FILE  or --token.env NAME, or --token.stored NAME',
      '                     secret',
      '  --keep N           integer',
    ].join('\n'),
  );
});

describe('the lists', () => {
  test('of jobs, runs and log lines have stable columns, and their JSON is that of the API', async () => {
    const { dir } = await createInstance(jobs);
    await flwd(dir, 'backup/daily');
    await flwd(dir, 'fails');
    const runs = await flwd(dir, 'runs');
    expect(runs.stdout).toMatch(
      /^RUN +JOB +STATUS +CREATED +TOOK +BY +WHY\nrun_\w+ +fails +failed +20\S+Z .* local \(cli\) +exited with code \d+\nrun_/,
    );
    const listed: { runs: { run_id: string; job_id: string }[]; total: number } = JSON.parse(
      (await flwd(dir, 'runs', '--json', '--job', 'backup/daily')).stdout,
    );
    expect(listed).toMatchObject({ runs: [{ job_id: 'backup/daily' }], total: 1 });
    const runId = listed.runs[0]?.run_id ?? '';
    expect((await flwd(dir, 'runs', runId)).stdout).toMatch(/^status +success$/m);
    expect((await flwd(dir, 'jobs')).stdout).toMatch(
      /^JOB +KIND +SOURCE +ABOUT\nbackup\/daily +single +local-fs +Daily\n/,
    );
  });
});

test('flwd logs prints both streams on standard output, and flwd run keeps them apart', async () => {
  const { dir } = await createInstance(jobs);
  const printed = await flwd(dir, 'backup/daily');
  expect(printed).toMatchObject({ code: 0, stdout: 'to /srv\n', stderr: expect.stringMatching(/^careful\n/) });

  const all = { code: 0, stdout: 'to /srv\ncareful\n', stderr: '' };
  const [runId = ''] = /^run_\w+/m.exec((await flwd(dir, 'runs')).stdout) ?? [];
  expect(await flwd(dir, 'logs', runId)).toEqual(all);
  expect(await flwd(dir, 'logs', runId, '--follow')).toEqual(all);
  expect(await flwd(dir, 'logs', runId, '--level', 'error')).toEqual({ ...all, stdout: 'careful\n' });
  for (const words of [['--json'], ['--json', '--follow']]) {
    const { stdout, stderr } = await flwd(dir, 'logs', runId, ...words);
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line): unknown => JSON.parse(line)),
    ).toMatchObject([
      { message: 'to /srv', stream: 'stdout' },
      { message: 'careful', stream: 'stderr' },
    ]);
    expect(stderr).toBe('');
  }
});

describe('Ctrl-C', () => {
  const stubborn = bash(`trap 'echo not yet' TERM; echo ready; while true; do sleep 0.2 || true; done`, {
    cancel: { grace: '10m' },
  });
  const willing = bash(`trap 'echo cleaned; exit 0' TERM; echo ready; while true; do sleep 0.2 || true; done`);

  test('cancels the run gracefully, and no process is left', async () => {
    const { dir, dataDir } = await createInstance({ willing });
    const { child, ended, prints } = start(dir, ['willing']);
    await prints(/ready/);
    child.kill('SIGINT');
    const { code, stdout, stderr } = await ended;
    expect({ code, stdout }).toEqual({ code: 130, stdout: 'ready\ncleaned\n' });
    expect(stderr).toMatch(/^cancelling run_\w+; Ctrl-C again kills it\n(.*\n)*cancelled by local in /);
    expect(processesWith(dataDir)).toEqual([]);
  });

  test('has the effect of a closed terminal on a run without a server; a run of a server continues', async () => {
    const { dir, dataDir, serve } = await createInstance({ willing });
    const alone = start(dir, ['willing']);
    await alone.prints(/ready/);
    alone.child.kill('SIGHUP');
    expect(await alone.ended).toMatchObject({ code: 130, stdout: 'ready\ncleaned\n' });
    expect(processesWith(dataDir)).toEqual([]);

    const server = await serve();
    const watching = start(dir, ['willing']);
    await watching.prints(/ready/);
    watching.child.kill('SIGHUP');
    expect((await watching.ended).code).toBe('SIGHUP');
    const { runs } = await server.json<{ readonly runs: readonly { readonly status: string }[] }>('/runs?limit=1');
    expect(runs).toMatchObject([{ status: 'running' }]);
  });

  test('kills the run if it is pressed a second time', async () => {
    const { dir, dataDir, serve } = await createInstance({ stubborn });
    await serve();
    const { child, ended, prints } = start(dir, ['stubborn']);
    await prints(/ready/);
    child.kill('SIGINT');
    await prints(/not yet/);
    await untilNextSignalCounts();
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    expect(code).toBe(130);
    expect(stderr).toMatch(/^killing run_\w+$/m);
    expect(processesWith(dataDir).filter(({ command }) => !command.includes('serve'))).toEqual([]);
  });
});

test('--detach prints the id and leaves the run to the next command or server', async () => {
  const { dir, dataDir } = await createInstance({
    slow: bash('echo begun; until [ -e go ]; do sleep 0.1; done; rm go; echo over'),
  });
  const left = await flwd(dir, 'slow', '--detach');
  expect(left).toMatchObject({ code: 0, stderr: expect.stringContaining('no server is running to finish it') });
  const runId = left.stdout.trim();
  expect(runId).toMatch(/^run_\w{26}$/);
  writeFileSync(join(dataDir, 'runs', runId, 'workspace', 'go'), '');
  expect(await flwd(dir, 'logs', '-f', runId)).toMatchObject({ code: 0, stdout: 'begun\nover\n' });
  expect((await flwd(dir, 'runs', runId)).stdout).toMatch(/^status +success$/m);
});

test('text from callers cannot send control sequences to the terminal', async () => {
  const { dir } = await createInstance(jobs);
  const target = 'a\u009B2J\u202Eb\u007F';
  const { run_id: runId }: { run_id: string } = JSON.parse(
    (await flwd(dir, 'run', 'backup/daily', '--target', target, '--json')).stdout,
  );
  expect((await flwd(dir, 'runs', runId)).stdout).toContain('{"target":"a\uFFFD2J\uFFFDb\uFFFD"}');
  expect((await flwd(dir, 'plan', 'backup/daily', '--target', target)).stdout).toContain('"a\uFFFD2J\uFFFDb\uFFFD"');
});

test('without a server, --detach says that a run is left waiting for approval', async () => {
  const { dir } = await createInstance({
    gated: { 'config.yaml': JSON.stringify({ steps: [{ id: 'ask', approval: { text: 'Go?' } }] }) },
  });
  const left = await flwd(dir, 'gated', '-d');
  expect(left).toMatchObject({ code: 0, stdout: expect.stringMatching(/^run_\w{26}\n$/) });
  expect(left.stderr).toContain(`it waits for approval: flwd approve ${left.stdout.trim()}\n`);
});

test('without a server, --detach says which limit keeps a run from starting, and returns', async () => {
  const { dir } = await createInstance({
    gated: {
      'config.yaml': JSON.stringify({ concurrency: { limit: 1 }, steps: [{ id: 'ask', approval: { text: 'Go?' } }] }),
    },
  });
  const first = await flwd(dir, 'gated', '--detach');
  const second = await flwd(dir, 'gated', '--detach');
  expect(second.code).toBe(0);
  expect(second.stderr).toMatch(
    /^it waits: only one run of gated at a time; `flwd logs run_\w+ --follow` or `flwd serve` starts it later$/m,
  );
  const follower = start(dir, ['logs', second.stdout.trim(), '--follow']);
  await flwd(dir, 'deny', first.stdout.trim());
  await expect
    .poll(async () => JSON.parse((await flwd(dir, 'runs', second.stdout.trim(), '--json')).stdout).waiting_approval)
    .toHaveLength(1);
  follower.child.kill('SIGINT');
});

test('without a terminal, one line says why a run waits', async () => {
  const instance = await createInstance({
    gated: {
      'config.yaml': JSON.stringify({ concurrency: { limit: 1 }, steps: [{ id: 'ask', approval: { text: 'Go?' } }] }),
    },
  });
  const served = await instance.serve();
  await served.start('gated');
  const second = start(instance.dir, ['gated']);
  await second.prints(/^gated waits: only one run of gated at a time$/m);
  await flwd(instance.dir, 'cancel', '--job', 'gated', '--yes');
  expect((await second.ended).stderr.match(/ waits: /g)).toHaveLength(1);
});

test('a token that may run jobs but not read artifacts still gets the exit code of the run', async () => {
  const { dir, dataDir, serve } = await createInstance(jobs);
  await serve();
  const { stdout: token } = await flwd(dir, 'tokens', 'create', '--name', 'ci', '--scopes', 'runs:write,jobs:read');
  const { url } = (await findOwner(dataDir)) ?? {};
  const env = { FLWD_REMOTE: url ?? '', FLWD_TOKEN: token.trim() };
  expect(timeless(await start(dir, ['backup/daily', '--target', '/mnt'], env).ended)).toEqual(good);
  expect(await start(dir, ['fails'], env).ended).toMatchObject({ code: 1 });
});

test('files that a run leaves behind are reported at its end, separately from its output', async () => {
  const { dir } = await createInstance({ leaves: bash('echo x > ~/dump.sql; echo y > /tmp/log; echo dumped') });
  const words =
    '2 files (4 B) left in the workspace or /tmp are not kept: dump.sql, /tmp/log; artifacts.paths would keep them, permissions.write would put them on the host';
  const { stdout, stderr, code } = await flwd(dir, 'leaves');
  expect({ stdout, code }).toEqual({ stdout: 'dumped\n', code: 0 });
  expect(stderr.split('\n')[0]).toBe(words);
  expect((await flwd(dir, 'runs', 'leaves')).stdout).toContain(`not kept   ${words}\n`);
});
