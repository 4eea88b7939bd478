import { expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { createFolder, flwd } from './terminal.ts';

const jobs = {
  bad: bash('true', { argspec: { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] } }),
  switch: bash('true', { argspec: { type: 'object', properties: { dry: { type: 'boolean' } } } }),
  plain: bash('true'),
  'ops/nightly': bash('true'),
  'secret/rotate': bash('true'),
  update: bash('true'),
  sealed: bash('true', {
    argspec: {
      type: 'object',
      properties: { backup_password: { type: 'string', format: 'secret' }, n: { type: 'integer' } },
      required: ['backup_password', 'n'],
    },
  }),
  many: bash('true', {
    argspec: {
      type: 'object',
      properties: {
        count: { type: 'integer' },
        keep: { type: 'object', properties: { days: { type: 'integer', minimum: 1 } } },
        name: { type: 'string', minLength: 3 },
        target: { type: 'string' },
      },
      required: ['count', 'target'],
    },
  }),
};

const missingSecret =
  '--backup_password is missing: --backup_password.file FILE, --backup_password.env NAME or --backup_password.stored NAME\n';
const noDryRun = 'the job takes no --dry-run; flwd plan JOB shows what a run would do, and starts nothing\n';

test.each([
  [
    ['bad', '3'],
    2,
    'there is no command or job `bad/3`; the job `bad` takes its arguments as options: flwd bad --n 3\n',
  ],
  [
    ['many', '3'],
    2,
    'there is no command or job `many/3`; the job `many` takes its arguments as options, which flwd many --help lists\n',
  ],
  [
    ['many', 'Name=bob smith'],
    2,
    "there is no command or job `many/Name=bob smith`; the job `many` takes its arguments as options: flwd many --name 'bob smith'\n",
  ],
  [
    ['bad', 'abc=='],
    2,
    'there is no command or job `bad/abc==`; the job `bad` takes its arguments as options, which flwd bad --help lists\n',
  ],
  [
    ['bad', 'https://x.org/?a=1'],
    2,
    "there is no command or job `bad https://x.org/?a=1`; the job `bad` takes its arguments as options: flwd bad --n 'https://x.org/?a=1'\n",
  ],
  [
    ['switch', 'no-dry=true'],
    2,
    'there is no command or job `switch/no-dry=true`; the job `switch` takes its arguments as options: flwd switch --no-dry\n',
  ],
  [
    ['switch', 'no-dry=false'],
    2,
    'there is no command or job `switch/no-dry=false`; the job `switch` takes its arguments as options: flwd switch --dry\n',
  ],
  [
    ['do', 'plain', 'now'],
    2,
    'there is no command or job `do/plain/now`; see flwd --help for commands and flwd jobs for jobs\n',
  ],
  [
    ['bad', 'm=3'],
    2,
    'there is no command or job `bad/m=3`; the job `bad` takes its arguments as options, which flwd bad --help lists\n',
  ],
  [
    ['run', './jobs/ops/nightly/'],
    3,
    'there is no job `./jobs/ops/nightly/`: a job is named by its id, and not by its path; did you mean `ops/nightly`?\n',
  ],
  [
    ['run', 'plain/main.sh'],
    3,
    'there is no job `plain/main.sh`: a job is named by its id, and not by its path; did you mean `plain`?\n',
  ],
  [['token', 'create'], 2, 'there is no command `token`: flwd tokens lists tokens, flwd tokens create makes one\n'],
  [['status'], 2, 'there is no command `status`: flwd doctor examines the instance, flwd runs lists the runs\n'],
  [
    ['rm', 'plain'],
    2,
    'there is no command `rm`: remove the folder of the job; flwd keeps the runs of the job until they expire\n',
  ],
  [
    ['kill', 'plain'],
    2,
    'there is no command `kill`: flwd cancel RUN stops a run, flwd cancel RUN --force kills it at once\n',
  ],
  [
    ['disable', 'plain'],
    2,
    'there is no command `disable`: `enabled: false` in config.yaml disables the job, `enabled: true` enables it; flwd schedules hold SCHEDULE holds one schedule\n',
  ],
  [
    ['web'],
    2,
    'there is no command `web`: the console is in the browser, at the address that flwd serve prints; flwd tui is for a terminal\n',
  ],
  [
    ['secrets', 'get', 'x'],
    2,
    'there is no command `secrets get`: flwd gives a stored secret to jobs, and never shows it\n',
  ],
  [['runs', '--failed'], 2, 'unknown option --failed; write flwd runs --status failed\n'],
  [
    ['terminate', 'plain'],
    2,
    'there is no command `terminate`: flwd cancel RUN stops a run, flwd cancel RUN --force kills it at once\n',
  ],
  [['do', 'plain'], 2, 'there is no command or job `do/plain`; see flwd --help for commands and flwd jobs for jobs\n'],
  [['jobs', 'list'], 3, 'there is no job `list`; flwd jobs lists the jobs, flwd runs lists the runs\n'],
  [['schedules', 'list'], 2, 'there is no command `schedules list`: flwd schedules lists the schedules\n'],
  [['runs', 'cancel', 'plain'], 2, 'unexpected word `plain`: did you mean flwd cancel plain?\n'],
  [['runs', 'show', 'plain'], 2, 'unexpected word `plain`: did you mean flwd runs plain?\n'],
  [['runs', '-o', 'json'], 2, 'unknown option -o; did you mean `--json`?\n'],
  [['config', 'show', 'server'], 2, 'unexpected word `server`: flwd config show takes no operands\n'],
  [
    ['run', 'plain', '--wait'],
    2,
    'the job takes no --wait; flwd waits until the run ends; with --detach, it does not wait\n',
  ],
  [['runs', '-a'], 2, 'unknown option -a; write flwd runs, which lists runs in every state\n'],
  [['jobs', 'show', 'plain'], 3, 'there is no job `show/plain`; did you mean `plain`?\n'],
  [['logs', '-n', '3', 'plain'], 2, 'unknown option -n; write flwd logs RUN --tail N\n'],
  [
    ['schedules', 'pause', 'plain/x'],
    2,
    'unexpected word `plain/x`: flwd schedules pause takes no operands; did you mean flwd schedules hold plain/x?\n',
  ],
  [['secret', 'rotat'], 2, 'there is no command or job `secret/rotat`; did you mean `secret/rotate`?\n'],
  [['update', 'prod'], 2, 'there is no command or job `update/prod`; the job `update` exists but takes no arguments\n'],
  [
    ['lint', 'jobs'],
    2,
    'there is no command `lint`: flwd jobs validate DIR checks jobs, flwd config validate checks flwd.yaml, flwd doctor checks the host\n',
  ],
  [['diff', 'plain'], 2, 'there is no command `diff`: flwd compare RUN [RUN] shows how runs differ\n'],
  [['log', 'plain'], 2, 'there is no command or job `log/plain`; did you mean `logs`?\n'],
  [['run', 'ops'], 3, 'there is no job `ops`; flwd jobs --prefix ops lists the jobs in the namespace ops\n'],
  [['ops/'], 2, 'there is no command or job `ops/`; flwd jobs --prefix ops lists the jobs in the namespace ops\n'],
  [
    ['run', 'ops', '/srv/x'],
    3,
    'there is no job `ops /srv/x`; flwd jobs --prefix ops lists the jobs in the namespace ops\n',
  ],
  [
    ['run', 'bad', '/3'],
    3,
    'there is no job `bad /3`; the job `bad` takes its arguments as options: flwd bad --n /3\n',
  ],
  [['run', 'plain', '--dry-run'], 2, noDryRun],
  [
    ['plain', '--timeout', '3s'],
    2,
    'the job takes no --timeout; `timeouts` in its config.yaml limits the time of a run: `timeouts: {run: 30s}`\n',
  ],
  [['plan', 'plain', '--dry-run'], 2, noDryRun],
  [['nightly'], 2, 'there is no command or job `nightly`; did you mean `ops/nightly`?\n'],
  [['run', 'plain', '3'], 3, 'there is no job `plain/3`; the job `plain` exists but takes no arguments\n'],
  [['sealed'], 2, `${missingSecret}--n is missing: --n N\n`],
  [['run', 'sealed', '--n', '1'], 2, missingSecret],
  [
    ['many', '--count', 'x', '--taget', '/srv', '--keep.days', '0', '--name=ab'],
    2,
    [
      '--count x: must be a whole number',
      'the job takes no --taget; did you mean `--target`?',
      '--target is missing: --target TEXT',
      '--keep.days must be at least 1',
      '--name must have at least 3 characters',
      '',
    ].join('\n'),
  ],
  [
    ['sealed', '--n', '1', '--args', '{"backup_password": "ab"}'],
    2,
    '--backup_password: a secret must have at least 4 bytes\n',
  ],
  [['bad', '--args', '@my args.json'], 2, "--args takes JSON; to read a file: --args-file 'my args.json'\n"],
  [['bad', '--args-file', 'none'], 2, 'cannot read --args-file none: no such file or folder\n'],
])('%j is refused, and the error says what to type', async (words, code, stderr) => {
  const { dir } = await createInstance(jobs);
  expect(await flwd(dir, ...words)).toEqual({ stdout: '', stderr, code });
});

test('flwd rerun refuses --dry-run, too', async () => {
  const { dir } = await createInstance(jobs);
  expect((await flwd(dir, 'plain')).code).toBe(0);
  const { code, stderr } = await flwd(dir, 'rerun', 'plain', '--dry-run');
  expect(code).toBe(2);
  expect(stderr).toContain(`\n${noDryRun}`);
});

test('a schedule with several wrong arguments is refused for all of them at once', async () => {
  const { dir } = await createInstance(jobs);
  expect((await flwd(dir, 'plain')).code).toBe(0);
  const words = ['--count=x', '--keep.days=0', '--target=/srv'];
  expect(await flwd(dir, 'schedules', 'add', 'many', '--cron', '0 3 * * *', ...words)).toEqual({
    stdout: '',
    stderr: '--count x: must be a whole number\n--keep.days must be at least 1\n',
    code: 2,
  });
});

test('if there are no jobs, flwd says where it looked', async () => {
  const empty = createFolder();
  expect(await flwd(empty, 'jobs')).toEqual({
    stdout: '',
    stderr: `no jobs in ${empty}; flwd init jobs/hello creates one\n`,
    code: 0,
  });
  const { dir } = await createInstance(jobs);
  expect((await flwd(dir, 'jobs', '--tag', 'none')).stderr).toBe('no jobs match\n');
});
