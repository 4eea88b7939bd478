// `flwd import` of systemd timers, Cronicle, Rundeck and Dagu: their definitions become jobs that do the same, and the
// report names what cannot be converted.

import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { writeFiles } from './a-job-folder.ts';
import { createFolder, flwd } from './terminal.ts';

const fixtures = join(import.meta.dirname, 'import-fixtures');
type Result = {
  readonly text: string;
  readonly place: string;
  readonly state: string;
  readonly obstacles?: string[];
  readonly notes?: string[];
  readonly secrets?: string[];
};

async function imported(dir: string, ...words: string[]): Promise<Map<string, Result>> {
  const { stdout, code, stderr } = await flwd(dir, 'import', ...words, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.any(String) });
  const { found }: { found: Result[] } = JSON.parse(stdout);
  return new Map(found.map((one) => [one.place.endsWith('.timer') ? one.place : (one.text.split('\n')[0] ?? ''), one]));
}

function config(dir: string, job: string) {
  return parse(readFileSync(join(dir, 'jobs', job, 'config.yaml'), 'utf8'));
}

function everything(dir: string): string {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .map((name) => join(dir, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n');
}

test('timers of systemd become jobs, with drop-ins, instances and the user they ran as', async () => {
  const dir = createFolder();
  const units = join(dir, 'units');
  cpSync(join(fixtures, 'systemd'), units, { recursive: true });
  mkdirSync(join(units, 'timers.target.wants'));
  symlinkSync('../sync@.timer', join(units, 'timers.target.wants/sync@var-www.timer'));
  symlinkSync('../db-backup.timer', join(units, 'timers.target.wants/db-backup.timer'));
  symlinkSync('/dev/null', join(units, 'gone.timer'));
  const found = await imported(dir, 'systemd-timers', 'units');
  expect([...found].map(([name, { state, obstacles = [state] }]) => [name, ...obstacles])).toEqual([
    ['db-backup.timer', 'imported'],
    ['gone.timer', 'gone.timer is masked'],
    ['odd.timer', 'it uses `%H`, whose value flwd does not know'],
    ['poll.timer', 'imported'],
    ['sync@var-www.timer', 'imported'],
  ]);
  expect(config(dir, 'db-backup')).toMatchObject({
    description: "Back the shop's database up",
    security_profile: 'secure',
    env: { PGHOST: 'db.example.com', LABEL: 'two words', PGPASSWORD: { secret: 'pgpassword' } },
    timeouts: { run: '1h' },
    concurrency: { limit: 1, on_conflict: 'reject' },
    schedules: [
      { cron: '30 2 * * *', catch_up: 'last', jitter: '10m' },
      { cron: '0 4 1-7 * +0', timezone: 'Europe/Berlin', catch_up: 'last', jitter: '10m' },
    ],
  });
  expect(readFileSync(join(dir, 'jobs/db-backup/service.sh'), 'utf8')).toBe(
    [
      'set -e -f',
      'cd /srv/backups',
      '/usr/bin/mkdir -p /srv/backups/daily || true',
      `/usr/local/bin/pg-dump-all --out '/srv/backups/db-backup dumps' --label "\${LABEL}" $EXTRA_OPTIONS`,
      "/usr/bin/find /srv/backups -name '*.gz' -mtime +14 -delete",
      '/bin/echo 100% done',
      '',
    ].join('\n'),
  );
  expect(found.get('db-backup.timer')?.notes).toContainEqual(
    expect.stringContaining('`MemoryMax=512M` was not carried over'),
  );
  expect(config(dir, 'poll').schedules).toMatchObject([{ cron: '@boot', held: true }]);
  expect(found.get('poll.timer')?.notes).toEqual(
    expect.arrayContaining([
      'the timer is not enabled there',
      expect.stringContaining('`cron: "*/15 * * * *"` comes nearest'),
    ]),
  );
  expect(config(dir, 'sync-var-www').description).toBe('Mirror var/www');
  expect(everything(join(dir, 'jobs'))).not.toContain('correct-horse');
  const run = await flwd(dir, 'run', 'poll', '--quiet');
  expect(run).toMatchObject({ code: 0, stdout: expect.stringMatching(/^.*: it is \d\d\n$/) });
  expect([...(await imported(dir, 'systemd-timers', 'units')).values()].map(({ state }) => state)).toEqual([
    'already-imported',
    'not-imported',
    'not-imported',
    'already-imported',
    'already-imported',
  ]);
});

test('a unit is text, whatever its name and its lines contain', async () => {
  const dir = createFolder();
  writeFiles(dir, {
    'units/a.timer': '[Timer]\nOnCalendar=daily\nOnCalendar=\nOnCalendar=hourly\nUnit=b@$(touch pwned).service\n',
    'units/c.timer': '[Timer]\nOnCalendar=daily\n',
    'units/c.service': `[Service]\nEnvironment="X=$(touch pwned)"\nExecStart=/bin/echo "a;b" '$(touch pwned)' \`id\` \${X} $$HOME %% \\; end\n`,
    'units/d.timer': '[Timer]\nOnCalendar=daily\n',
    'units/d.service': '[Service]\nExecStart=/bin/echo "open\n',
    'units/e.timer': '\0\x01',
    'units/x;touch pwned.timer': '[Timer]\nOnCalendar=daily\n',
  });
  symlinkSync('.', join(dir, 'units/loop.timer'));
  const found = await imported(dir, 'systemd-timers', 'units');
  expect([...found.values()].map(({ state, obstacles = [state] }) => obstacles.join())).toEqual([
    'it starts b@$(touch pwned).service, which is not a service',
    'imported',
    'a quote in `ExecStart=` is not closed',
    expect.stringContaining('is not a text file'),
    expect.stringContaining('is not a text file'),
    'this is not a valid name for a systemd unit',
  ]);
  const { stdout } = await flwd(dir, 'run', 'c', '--quiet');
  expect(stdout).toBe('a;b $(touch pwned) `id` $(touch pwned) $HOME % ; end\n');
});

test('events of Cronicle become jobs, with their scripts as they were', async () => {
  const dir = createFolder();
  const found = await imported(dir, 'cronicle', join(fixtures, 'cronicle.txt'));
  expect([...found.keys()]).toEqual(['Reindex the shop', 'Shop health', 'Weekly report', 'Thumbnails', 'By hand']);
  expect(config(dir, 'Reindex-the-shop')).toMatchObject({
    schedules: [{ cron: '0,30 6-10 1,15 * +1-5', timezone: 'America/New_York' }],
    timeouts: { step: '1h' },
    retry: { limit: 2, backoff: 'fixed', delay: '30s' },
    env: { API_TOKEN: { secret: 'api_token' } },
  });
  expect(everything(join(dir, 'jobs'))).not.toMatch(/s3cr3t|not-a-real-hash/);
  expect(found.get('Reindex the shop')?.notes).toEqual(
    expect.arrayContaining([
      expect.stringContaining('`JOB_ID`'),
      expect.stringContaining('“Shop health” when it succeeded: give that job a trigger, see `triggers` in jobs.md'),
    ]),
  );
  expect(config(dir, 'Shop-health').schedules).toMatchObject([
    { cron: '*/5 * * * *', timezone: 'UTC', catch_up: 'all' },
  ]);
  expect(readFileSync(join(dir, 'jobs/Shop-health/request.sh'), 'utf8')).toContain('--max-time 10 --location');
  expect(config(dir, 'Weekly-report').schedules).toMatchObject([{ cron: '0 4 * * 0', enabled: false }]);
  expect(found.get('Thumbnails')?.obstacles).toEqual([expect.stringContaining('its plugin Image Resizer')]);
  expect(await flwd(dir, 'run', 'Weekly-report', '--quiet')).toMatchObject({ code: 0, stdout: 'weekly report\n' });
  expect(await flwd(dir, 'run', 'By-hand', '--quiet')).toMatchObject({ code: 0, stdout: 'on demand\n' });
});

test('jobs of Rundeck become jobs whose options are passed as data, even if Rundeck pasted them into scripts', async () => {
  const dir = createFolder();
  const found = await imported(dir, 'rundeck', join(fixtures, 'rundeck.yaml'));
  expect([...found].map(([name, { state, obstacles = [state] }]) => [name, ...obstacles])).toEqual([
    ['shop/deploy', 'imported'],
    ['shop/smoke test', 'imported'],
    ['ops/restart web', 'imported'],
    ['ops/ticket', 'step-1 is a step of the plugin jira-create, which flwd does not have'],
    ['pasted', expect.stringContaining('let it read RD_OPTION_WHO from its environment')],
  ]);
  expect(found.get('shop/deploy')?.notes).toContainEqual(
    'its schedule (`30 2 * * 1-5` Europe/Berlin) was left out: it has no value for version, which is required',
  );
  expect(config(dir, 'ops/restart-web')).toMatchObject({
    enabled: false,
    schedules: [{ cron: '0 3 * * 0' }],
    timeouts: { step: '10m' },
    retry: { limit: 2, backoff: 'fixed', delay: '0s' },
  });
  writeFileSync(join(dir, 'password'), 'correct-horse');
  const words = ['--version', '1.2', '--note', '$(touch pwned); "\'', '--db_password.file', 'password', '--quiet'];
  expect(await flwd(dir, 'run', 'shop/deploy', ...words)).toMatchObject({
    code: 0,
    stdout: [
      'step-1 | deploying 1.2 to staging $(touch pwned); "\'',
      'step-2 | args: --env staging two words',
      'step-2 | version=1.2 env=staging',
      'step-3 | python sees staging',
      '',
    ].join('\n'),
  });
  expect((await flwd(dir, 'run', 'shop/deploy', '--version', 'x', '--quiet')).code).toBe(2);
});

test('workflows of Dagu become jobs with steps, outputs, handlers and sub-runs', async () => {
  const dir = createFolder();
  cpSync(join(fixtures, 'dagu'), join(dir, 'dags'), { recursive: true });
  writeFileSync(join(dir, 'dags/broken.yaml'), 'steps: [\n');
  const found = await imported(dir, 'dagu', 'dags');
  expect([...found].map(([name, { state, obstacles = [state] }]) => [name, ...obstacles])).toEqual([
    ['broken.yaml', expect.stringContaining('broken.yaml:2:1 is not valid YAML')],
    ['container', 'its step in a container is of the kind docker, which flwd does not have'],
    ['nightly-etl', 'imported'],
    ['publish', 'imported'],
    ['release', 'imported'],
  ]);
  expect(config(dir, 'nightly-etl')).toMatchObject({
    tags: ['etl', 'production'],
    timeouts: { run: '1h' },
    schedules: [{ cron: '30 2 * * MON-FRI', timezone: 'Europe/Berlin' }, { cron: '0-59/20 9 * * SAT' }],
    steps: [
      { id: 'extract', retry: { limit: 2, backoff: 'fixed', delay: '5s' } },
      { id: 'transform-it', name: 'transform it', needs: ['extract'], continue_on_error: true },
      { id: 'load', needs: ['transform-it'] },
      { id: 'publish', job: 'publish', args: { where: { from: 'args.target' } }, needs: ['load'] },
      { id: 'on-failure', always: true },
      { id: 'on-exit', always: true },
    ],
  });
  writeFileSync(join(dir, 'token'), 'correct-horse');
  expect(await flwd(dir, 'run', 'nightly-etl', '--day', 'today', '--api_token.file', 'token', '--quiet')).toMatchObject(
    {
      code: 0,
      stdout: [
        'extract | orders of today from /srv/etl/orders-today.csv',
        'transform-it | got: orders of today from /srv/etl/orders-today.csv',
        'load | loading into staging',
        'on-exit | done with today',
        '',
      ].join('\n'),
    },
  );
  const run = async (where: string) => (await flwd(dir, 'run', 'publish', '--where', where, '--quiet')).stdout;
  expect(await run('production')).toMatch(/^purge-the-cache \| purging the cache of production\ntell \| purged$/m);
  expect(await run('staging')).not.toMatch(/purging|purged/);
  const release = await flwd(dir, 'run', 'release', '--version', '3', '--quiet');
  expect(release.stdout).toMatch(/^ship \| shipping 3 dry=true as run_\w+$/m);
});

test.each(['cronicle.txt', 'rundeck.yaml'])(
  'a later export with another name imports no job of %s twice',
  async (name) => {
    const dir = createFolder();
    const kind = name.split('.')[0] ?? '';
    const first = await imported(dir, kind, join(fixtures, name));
    const text = readFileSync(join(fixtures, name), 'utf8');
    writeFileSync(join(dir, `later-${name}`), text);
    const states = (found: typeof first) => [...found.values()].map(({ state }) => state);
    expect(states(await imported(dir, kind, `later-${name}`))).toEqual(
      states(first).map((state) => state.replace(/^imported$/, 'already-imported')),
    );
    writeFileSync(
      join(dir, `changed-${name}`),
      text.replaceAll('"hours":[6', '"hours":[5').replaceAll('deploying', 'doing'),
    );
    const changed = await imported(dir, kind, `changed-${name}`);
    const fresh = [...changed.values()].filter(({ state }) => state === 'imported');
    expect(fresh).toMatchObject([{ may_replace: expect.stringMatching(/\/(?:Reindex-the-shop|deploy)$/) }]);
  },
);

test('a secure option of Rundeck in quotes becomes a variable', async () => {
  const dir = createFolder();
  const script = `PGPASSWORD='@option.db-pass@' PW="@option.db-pass@" sh -c 'echo "$PGPASSWORD $PW" | wc -c'\n`;
  const job = {
    name: 'dump',
    options: [{ name: 'db-pass', secure: true, valueExposed: true }],
    sequence: { commands: [{ script }] },
  };
  writeFileSync(join(dir, 'rundeck.json'), JSON.stringify([job]));
  expect((await imported(dir, 'rundeck', 'rundeck.json')).get('dump')).toMatchObject({ state: 'imported' });
  writeFileSync(join(dir, 'password'), 'correct-horse');
  expect(await flwd(dir, 'run', 'dump', '--db_pass.file', 'password', '--quiet')).toMatchObject({
    code: 0,
    stdout: '28\n',
  });
});

test('a file that is not an export ends the command with an error', async () => {
  const dir = createFolder();
  writeFileSync(join(dir, 'file'), '<joblist><job/></joblist>');
  const stderr = expect.stringContaining('file is in the XML format of Rundeck: export the jobs as YAML');
  expect(await flwd(dir, 'import', 'rundeck', 'file')).toEqual({ code: 2, stdout: '', stderr });
});

test('an import continues if an export has values of unexpected types', async () => {
  const dir = createFolder();
  const odd = [
    {},
    { title: { a: 1 }, params: [], timing: 'x' },
    {
      title: '../../../etc',
      plugin: 'shellplug',
      timing: { minutes: ['a', -1, 99] },
      params: { script: 'echo hi' },
      timezone: 7,
    },
    null,
    'x',
  ];
  writeFileSync(join(dir, 'cronicle'), `global/schedule/0 - ${JSON.stringify({ items: odd })}\n`);
  expect((await imported(dir, 'cronicle', 'cronicle')).size).toBeGreaterThan(0);
  expect(readdirSync(join(dir, 'jobs')).filter((name) => !name.startsWith('.'))).toEqual(['etc']);
  writeFileSync(
    join(dir, 'rundeck'),
    JSON.stringify([
      { name: ['x'], sequence: { commands: 'x' } },
      {
        name: 'a\nb: $(id)',
        group: '../..',
        description: 7,
        sequence: { commands: [{ exec: 'echo ${option.x}' }] },
        options: [{ name: 'x', value: 7 }, 3],
        schedule: [],
      },
      { name: 'self', sequence: { commands: [{ jobref: { name: 'self' } }] } },
      { name: 'caller', sequence: { commands: [{ jobref: { name: 'missing' } }] } },
    ]),
  );
  const found = await imported(dir, 'rundeck', 'rundeck');
  expect([...found.values()].map(({ state, obstacles = [state] }) => obstacles.join())).toEqual([
    'it has no steps',
    'imported',
    'step-1 starts its own job',
    'step-1 starts the job missing, which is not in the file',
  ]);
  expect(await flwd(dir, 'jobs', 'validate', 'jobs')).toMatchObject({ code: 0 });
});
