// `flwd import crontab`: the lines of a crontab become jobs, and the report says what the jobs will lack.

import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { jobOfLine } from '../../src/cli/import/crontab-job.ts';
import { readTable } from '../../src/cli/import/crontab-table.ts';
import { readTimes } from '../../src/cli/import/crontab-times.ts';
import { type Draft, draftJob, needsOfJob, securityLines } from '../../src/cli/import/job-draft.ts';
import { parseCron } from '../../src/lib/cron/cron.ts';
import { writeFiles } from './a-job-folder.ts';
import { createFolder, flwd, flwdReading } from './terminal.ts';

const table = { place: 'the crontab of ada', user: 'ada', homeOf: () => '/home/ada', timezone: 'Europe/Berlin' };

function found(text: string | Buffer, hasUser = false) {
  return readTable(Buffer.from(text), { hasUser }).map((line) => jobOfLine(line, table));
}

test('each line becomes a secure job with a held schedule, and a second import adds only what is new', async () => {
  // Jobs have a /tmp of their own, so an import proposes nothing for it.
  const dir = mkdtempSync('/var/tmp/flwd-cli-');
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const crontab = [
    '# backups',
    'MAILTO = "ops@example.org"',
    "PGPASSWORD='hunter 22'",
    'PATH=/opt/bin:/usr/bin:/bin',
    `30 2 * * * KEEP=14 ${dir}/bin/backup.sh /srv/www >> ${dir}/backup.log 2>&1`,
    '@daily cat; echo 100\\%; echo "$PATH"%Hello%%World',
    'nonsense',
    '',
  ];
  writeFiles(dir, { 'bin/backup.sh': '#!/bin/sh\nrsync -a /srv/www backup:\n', 'my.cron': crontab.join('\n') });
  mkdirSync(join(dir, 'jobs/backup'), { recursive: true });
  const first = await flwd(dir, 'import', 'crontab', 'my.cron');
  expect(first).toMatchObject({ code: 0, stderr: expect.stringContaining('2 jobs imported, 1 not imported\n') });
  const read = `read: [${dir}/bin/backup.sh, /srv/www]`;
  expect(first.stdout).toContain(`config.yaml:      permissions: {network: all, ${read}}\n`);
  expect(first.stdout).toContain(`note:             remove >> ${dir}/backup.log 2>&1 from command.sh: flwd keeps`);
  expect(first.stdout).toContain(`flwd.yaml:        security: {paths: [`);
  expect(first.stdout).toMatch(
    /all jobs together\n {2}note: +cron mails the output to ops@example.org; .* \(2 jobs\)\n/,
  );
  expect(first.stdout).toContain('secret:           flwd secrets set my.cron-pgpassword\n');
  expect(first.stdout).toContain('the network (line 2 of ');
  expect(first.stdout).toMatch(/line 7: nonsense\n {2}not imported: it is neither five fields/);
  expect(statSync(join(dir, 'jobs/backup')).mode & 0o777).toBe(0o700);
  const config = readFileSync(join(dir, 'jobs/backup/config.yaml'), 'utf8');
  expect(config).toContain('\nsecurity_profile: secure\n');
  expect(config).toContain('    held: true\n');
  expect(config).toMatch(/remove the # and the\n# space after it:\n# permissions: /);
  expect(parse(config.replace('\n# permissions', '\npermissions'))).toMatchObject({ permissions: { network: 'all' } });
  expect(everythingIn(join(dir, 'jobs'))).not.toContain('hunter');

  const run = await flwd(dir, 'run', 'cat', '--pgpassword.file', 'my.cron', '--quiet');
  expect(run).toEqual({ code: 0, stderr: '', stdout: 'Hello\n\nWorld\n100%\n/opt/bin:/usr/bin:/bin\n' });

  const before = everythingIn(join(dir, 'jobs'));
  writeFileSync(join(dir, 'my.cron'), [...crontab.slice(2), '5 5 * * 5 date'].join('\n'));
  const second = await flwd(dir, 'import', 'crontab', 'my.cron', '--json');
  const { found: all }: { found: { state: string; folder?: string }[] } = JSON.parse(second.stdout);
  expect(all.map(({ state }) => state)).toEqual(['already-imported', 'already-imported', 'not-imported', 'imported']);
  expect(jobsIn(join(dir, 'jobs'))).toEqual(['backup', 'cat', 'date']);
  expect(everythingIn(join(dir, 'jobs'), 'date')).toBe(before);
});

function draftsOf(text: string, home: string): Draft[] {
  return readTable(Buffer.from(text), { hasUser: false }).map((line) => {
    const job = jobOfLine(line, { ...table, homeOf: () => home });
    if (job.kind !== 'job') throw new Error(job.obstacles.join());
    const obstacles: string[] = [];
    const draft = draftJob(job, {
      title: job.name,
      folder: 'x',
      runAs: undefined,
      storedName: () => 'x',
      jobId: (name) => name,
      needs: needsOfJob(job, []),
      isLockShared: false,
      notes: [],
      obstacles,
    });
    expect(obstacles).toEqual([]);
    return draft;
  });
}

test('an import proposes the permissions that the script of a line needs, and never its whole home', () => {
  const home = mkdtempSync('/var/tmp/flwd-cli-');
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  writeFiles(home, {
    'bin/mirror.sh': '#!/bin/sh\nexec 9>/var/lock/m.lock\nflock -n 9 || exit 75\ncp -a ~/data/a ~/copy\n',
    'bin/health.sh': '#!/bin/sh\ncurl -fsS http://127.0.0.1/\n',
    'data/a': '',
    'copy/a': '',
  });
  const drafts = draftsOf(
    `1 1 * * * ${home}/bin/mirror.sh >> ${home}/new.log\n2 2 * * * bin/health.sh\n3 3 * * * dump > ${home}/dumps/$(date).sql\n` +
      `4 4 * * * sort ${home}/data/a > ${home}/data/b; ls ${home}/copy; cat ${home}/copy/a\n`,
    home,
  );
  expect(drafts.map(({ configLines }) => configLines)).toEqual([
    [`permissions: {read: [${home}/bin/mirror.sh, ${home}/data/a], write: [${home}/new.log, ${home}/copy]}`],
    [`permissions: {network: all, read: [${home}/bin/health.sh]}`],
    [`permissions: {write: [${home}/dumps]}`],
    // A grant of a folder includes its files, and write access includes read access.
    [`permissions: {read: [${home}/copy], write: [${home}/data]}`],
  ]);
  expect(securityLines(drafts.slice(0, 1).map(({ security }) => security))).toEqual([
    `security: {paths: [${home}/bin, ${home}/copy, ${home}/data, ${home}/new.log]}`,
  ]);
  expect(drafts[0]?.files[0]?.text).toContain(`\nenv:\n  HOME: ${home}\n`);
  expect(drafts[0]?.notes).toEqual([
    'flock became `concurrency: {limit: 1, on_conflict: reject}`: a run that begins while another is in progress is rejected',
    '/var/lock/m.lock no longer keeps the job and other programs of this host apart: to share the lock with them, keep it, and write `permissions: {write: [/run/lock]}` into config.yaml and `security: {paths: [/run/lock]}` into flwd.yaml',
    `create ${home}/new.log before the first run`,
  ]);
});

test('an import proposes to write where a line tells its script to write, also through a short option', () => {
  const home = mkdtempSync('/var/tmp/flwd-cli-');
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  writeFiles(home, {
    'bin/report.py':
      'import argparse\nfrom pathlib import Path\nparser = argparse.ArgumentParser()\nparser.add_argument("orders")\n' +
      'parser.add_argument("-o", "--output")\nargs = parser.parse_args()\ntext = open(args.orders).read()\n' +
      'Path(args.output).write_text(text)\n',
    'bin/report.mjs':
      "import { writeFileSync } from 'node:fs';\nimport { parseArgs } from 'node:util';\n" +
      "const { values } = parseArgs({ options: { output: { type: 'string', short: 'o' } } });\n" +
      "writeFileSync(values.output, '');\n",
    'data/orders.csv': '',
    'out/.keep': '',
  });
  const drafts = draftsOf(
    `1 1 * * * python3 ${home}/bin/report.py ${home}/data/orders.csv -o ${home}/out/report.csv\n` +
      `2 2 * * * cd ${home}/data && python3 ../bin/report.py orders.csv -o ../out/report.csv\n` +
      `3 3 * * * node ${home}/bin/report.mjs -o ${home}/out/report.csv\n`,
    home,
  );
  expect(drafts.map(({ configLines }) => configLines)).toEqual([
    [`permissions: {read: [${home}/bin/report.py, ${home}/data/orders.csv], write: [${home}/out]}`],
    [`permissions: {read: [${home}/data, ${home}/bin/report.py], write: [${home}/out]}`],
    [`permissions: {read: [${home}/bin/report.mjs], write: [${home}/out]}`],
  ]);
});

test('an import names programs and scripts that the host does not have, and asks for no permission for them', () => {
  const home = mkdtempSync('/var/tmp/flwd-cli-');
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  writeFiles(home, {
    'bin/all.sh':
      '#!/bin/bash\nset -u\nshout() { echo "$1"; }\nalias quick=no-such-alias\nitems=(\n  no-such-item\n)\n' +
      'if command -v no-such-choice > /dev/null; then no-such-choice; fi\nfor ((no_such_i = 0; no_such_i < 2; no_such_i++)); do\n' +
      '  [[ -n $1 && no-such-word == "$1" ]] || shout x\ndone\nquick; xargs -a list no-such-xargs\nno-such-sync -a /etc/hosts backup:\n',
    'bin/sources.sh': '#!/bin/sh\n. ./functions.sh\nno-such-function\n',
    'bin/quotes.sh': '#!/bin/sh\necho "build # 5" && no-such-build\necho "no-such-text is no program" # no-such-rest\n',
    'own/mine': '#!/bin/sh\n',
    '.local/bin/installed': '#!/bin/sh\n',
  });
  chmodSync(join(home, '.local/bin/installed'), 0o755);
  chmodSync(join(home, 'own/mine'), 0o755);
  const drafts = draftsOf(
    `PATH=${home}/own:/usr/bin:/bin\n1 1 * * * no-such-program x || true; mine; timeout 5 nice -n 5 no-such-other\n` +
      `2 2 * * * ${home}/bin/start-app.sh --now\n3 3 * * * ${home}/bin/all.sh\n4 4 * * * ${home}/bin/sources.sh\n` +
      `5 5 * * * [ -x ${home}/bin/maybe ] && ${home}/bin/maybe\n6 6 * * * flock -n /run/l sh -c 'no-such-inner | sort'\n` +
      `7 7 * * * ${home}/bin/quotes.sh\n8 8 * * * installed x\n`,
    home,
  );
  const missing = /is not installed here$|does not exist$|^a job does not find/;
  expect(drafts.map(({ notes }) => notes.filter((note) => missing.test(note)))).toEqual([
    ['`no-such-program` is not installed here', '`no-such-other` is not installed here'],
    [`${home}/bin/start-app.sh does not exist`],
    ['`no-such-sync` is not installed here'],
    [],
    [],
    ['`no-such-inner` is not installed here'],
    ['`no-such-build` is not installed here'],
    [
      `a job does not find \`installed\`, because its PATH lacks ${home}/.local/bin: call it as ${home}/.local/bin/installed`,
    ],
  ]);
  expect(drafts[1]).toMatchObject({ configLines: [], security: { paths: [] } });
});

function jobsIn(dir: string): string[] {
  return readdirSync(dir);
}

function everythingIn(dir: string, besides = ''): string {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter(
      (name) =>
        statSync(join(dir, name)).isFile() && !name.startsWith('.') && !(besides !== '' && name.startsWith(besides)),
    )
    .toSorted()
    .map((name) => `${name}\n${readFileSync(join(dir, name), 'utf8')}`)
    .join('\n');
}

test('an import overwrites no existing files, and writes each job completely or not at all', async () => {
  const dir = createFolder();
  writeFiles(dir, {
    'jobs/date/notes.txt': 'mine',
    'jobs/echo': 'a file',
    'my.cron': '1 1 * * * date\n2 2 * * * echo\n',
  });
  expect(await flwd(dir, 'import', 'crontab', 'my.cron', '--quiet')).toMatchObject({ code: 0, stderr: '' });
  expect(jobsIn(join(dir, 'jobs'))).toEqual(['date', 'date-2', 'echo', 'echo-2']);
  expect(readdirSync(join(dir, 'jobs/date'))).toEqual(['notes.txt']);
});

test('two imports at once write each line once', async () => {
  const dir = createFolder();
  const crontab = Array.from({ length: 20 }, (_, at) => `${at} 1 * * * date +${at}\n`).join('');
  writeFiles(dir, { 'my.cron': crontab });
  const both = await Promise.all([1, 2].map(() => flwd(dir, 'import', 'crontab', 'my.cron', '--to', 'ops', '--json')));
  expect(both.map(({ code }) => code)).toEqual([0, 0]);
  const texts = jobsIn(join(dir, 'ops')).map((name) => {
    const { text }: { text: string } = JSON.parse(readFileSync(join(dir, 'ops', name, 'import.json'), 'utf8'));
    return text;
  });
  expect(texts.toSorted()).toEqual(crontab.trimEnd().split('\n').toSorted());
});

test('secrets are named after the file of the crontab, and two files never share a name', async () => {
  const dir = createFolder();
  writeFiles(dir, {
    'a/crontab': 'PASSWORD=hunter11\n1 1 * * * date +1\nPASSWORD=hunter22\n2 1 * * * date +2\n',
    'b/crontab': 'PASSWORD=hunter33\n1 1 * * * date +3\n',
  });
  const secretsOf = async (file: string) => {
    const { stdout } = await flwd(dir, 'import', 'crontab', file, '--json');
    const { found: all }: { found: { text: string; secrets?: string[] }[] } = JSON.parse(stdout);
    return all.flatMap(({ text, secrets = [] }) => secrets.map((name) => [text, name]));
  };
  expect(await secretsOf('a/crontab')).toEqual([
    ['1 1 * * * date +1', 'crontab-password'],
    ['2 1 * * * date +2', 'crontab-password-2'],
  ]);
  expect(await secretsOf('b/crontab')).toEqual([['1 1 * * * date +3', 'b-crontab-password']]);
  appendFileSync(join(dir, 'a/crontab'), '3 1 * * * date +4\n');
  expect(await secretsOf('a/crontab')).toEqual([['3 1 * * * date +4', 'crontab-password-2']]);
});

test('hostile lines are reported and harm nothing', async () => {
  const dir = createFolder();
  const lines = [
    '1 1 * * * ../../../etc/passwd',
    "1 1 * * * $(touch pwned); echo 'x\u001b[31m'",
    `2 2 * * * ${'a'.repeat(20_000)}`,
    '3 3 * * * a\0b',
    '4 4 * * * \u00e9\u{1F600}',
    '5 5 * * * echo "\u2028name: evil"',
    '@every 5m x',
    '6 6 31 2 * x',
    '7 7 * * * date\r',
  ];
  const seen = await flwdReading(dir, `${lines.join('\n')}\n`, 'import', 'crontab', '-', '--json');
  const { found: all }: { found: { state: string; line: number; obstacles?: string[] }[] } = JSON.parse(seen.stdout);
  expect(seen.code).toBe(0);
  expect(
    all.filter(({ state }) => state === 'not-imported').map(({ line, obstacles = [] }) => [line, ...obstacles]),
  ).toEqual([
    [3, 'the line is longer than 10000 bytes, so cron cannot run it'],
    [4, 'the line contains a NUL byte, so cron cannot run it'],
    [7, '`@every` has no counterpart in flwd'],
    [8, 'the pattern never fires: there is no such day'],
  ]);
  expect(existsSync(join(dir, 'pwned'))).toBe(false);
  expect((await flwd(dir, 'jobs', 'validate', 'jobs')).stdout).toBe('5 jobs are valid\n');
  expect(readdirSync(dir)).toEqual(['jobs']);
});

test('flwd import explains in a sentence what it cannot read', async () => {
  const dir = createFolder();
  const refused = async (...args: readonly string[]) => (await flwd(dir, 'import', 'crontab', ...args)).stderr;
  expect(await refused('missing')).toBe('cannot read missing: no such file or folder\n');
  expect(await refused('.')).toBe('. is not a file\n');
  expect(await refused('a', 'b')).toContain('unexpected word `b`');
  writeFileSync(join(dir, 'flwd.yaml'), 'sources: [{path: /proc/sys}]\ninstance: {data_dir: /var/tmp/x}\n');
  writeFileSync(join(dir, 'my.cron'), '* * * * * date\n');
  expect(await refused('my.cron', '--to', '/proc/sys')).toContain('cannot write jobs to /proc/sys: ');
});

test('if the folder of a source does not exist yet, an import creates it', async () => {
  const dir = createFolder();
  writeFiles(dir, {
    'flwd.yaml': 'sources: [{path: ./new}, {path: ./unmounted/jobs}]\ninstance: {data_dir: ./data}\n',
    'my.cron': '* * * * * date\n',
  });
  expect((await flwd(dir, 'import', 'crontab', 'my.cron')).stdout).toContain('new/date');
  writeFiles(dir, { 'flwd.yaml': 'sources: [{path: ./unmounted/jobs}]\ninstance: {data_dir: ./data}\n' });
  expect((await flwd(dir, 'import', 'crontab', 'my.cron')).stderr).toContain(
    'you cannot write to any source of jobs (./unmounted/jobs): name a folder with --to DIR\n',
  );
});

test('variables, users, input and times are read as cron reads them', () => {
  expect(found('A = " b c "\nB=\'x\'y\n "C"=d # no comment\n* * * * * x\n')).toMatchObject([
    { environment: { A: ' b c ', B: "'x'y", C: 'd # no comment' } },
  ]);
  expect(found('* * * * *\tada  x y\n', true)).toMatchObject([{ user: 'ada', program: { text: '#!/bin/sh\nx y\n' } }]);
  expect(found('* * * * * root\n', true)).toMatchObject([{ obstacles: [expect.stringContaining('needs a user')] }]);
  expect(found('SHELL=/bin/bash\nCRON_TZ=Asia/Tokyo\nRANDOM_DELAY=5\n0 1 * * * a\n* * * * * b\n')).toMatchObject([
    {
      program: { interpreter: ['/bin/bash'] },
      schedules: [{ cron: '0 1 * * *', timezone: 'Asia/Tokyo', settings: { jitter: '5m' } }],
      environment: {},
    },
    { notes: expect.arrayContaining([expect.stringContaining('RANDOM_DELAY=5 is not carried over')]) },
  ]);
  expect(found('@reboot bin/x > log\n@weekly cat ~/x; echo $USER\n')).toMatchObject([
    {
      schedules: [{ cron: '@boot', timezone: 'Europe/Berlin' }],
      program: { text: '#!/bin/sh\ncd /home/ada || exit\nbin/x > log\n' },
    },
    { schedules: [{ cron: '0 0 * * 0' }], environment: { HOME: '/home/ada', USER: 'ada' } },
  ]);
  expect(found('0 1 * * * cd /srv/x && flock -n /run/l python3 bin/my-report.py --x\n')).toMatchObject([
    { name: 'my-report' },
  ]);
  expect(found('0 1 * * * https://a:hunter22@x/y?token=hunter23\n')).toMatchObject([
    { name: expect.not.stringContaining('hunter') },
  ]);
  expect(found('17 * * * * root cd / && run-parts --report /etc/cron.hourly\n', true)).toMatchObject([
    { kind: 'nothing' },
  ]);
});

test.each([
  [
    'mysqldump -phunter%22 shop > /srv/x',
    'cron ends the command at the % in what looks like a password: write \\% instead',
  ],
  [
    "PGPASSWORD='hun%ter 22' pg_dump shop",
    'cron ends the command at the % in what looks like a password: write \\% instead',
  ],
  ['cat%PASSWORD=hunter22', 'what follows the % seems to contain a password'],
])('the line %j is not imported, because its job would show the password', (command, reason) => {
  expect(found(`0 1 * * * ${command}\n`)).toMatchObject([{ kind: 'nothing', obstacles: [reason] }]);
});

test('everything that keeps a line from being imported is named at once', () => {
  expect(found('SHELL=sh\nCRON_TZ=Mars\n@every 5m run-parts /etc/x%PASSWORD=hunter22\n')).toMatchObject([
    {
      obstacles: [
        '`@every` has no counterpart in flwd',
        expect.stringContaining('run-parts starts every script in a folder'),
        'SHELL is `sh`, which is not the path of a program',
        'CRON_TZ is `Mars`, which is not the name of a time zone',
        'what follows the % seems to contain a password',
      ],
    },
  ]);
});

test('a line that names a file without a folder starts in the home folder, as in cron', () => {
  const home = mkdtempSync('/var/tmp/flwd-cli-');
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  writeFiles(home, { 'Documents/x': '' });
  const startsAtHome = (command: string): boolean =>
    readTable(Buffer.from(`* * * * * ${command}\n`), { hasUser: false })
      .map((line) => jobOfLine(line, { ...table, homeOf: () => home }))
      .some((job) => 'program' in job && 'text' in job.program && job.program.text.includes(`cd ${home} || exit\n`));
  const relative = [
    'report.py x.csv',
    'python3 etl.py',
    'sh backup',
    'cat "data.csv" | sort',
    'cd project && make',
    '/bin/x --out=y.json',
    'tar cz Documents',
    'for f in *.dat; do gzip "$f"; done',
    'sort <words',
  ];
  const others = [
    'report.py',
    'python3 -m etl',
    'ping example.com',
    'echo "x.csv is here"',
    'cd /srv && tar czf x.tgz .',
    'echo Document',
    'cat <<END',
    'find /srv -name "*.csv"',
  ];
  expect(relative.filter((command) => !startsAtHome(command))).toEqual([]);
  expect(others.filter(startsAtHome)).toEqual([]);
});

/** Based on crontab(5) and cron.c: a field that begins with `*` does not restrict the day. */
function firesAt(fields: readonly string[], at: Date): boolean {
  const names = 'sun mon tue wed thu fri sat'.split(' ');
  const matches = (field: string, value: number, most: number): boolean =>
    field.split(',').some((part) => {
      const [range = '', step = '1'] = part.split('/');
      const [from, to = from] =
        range === '*'
          ? [0, most]
          : range.split('-').map((one) => (names.includes(one) ? names.indexOf(one) : Number(one)));
      const least = range === '*' && most > 23 && most < 59 ? 1 : (from ?? 0);
      return value >= (from ?? 0) && value <= (to ?? 0) && (value - least) % Number(step) === 0;
    });
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = fields;
  const isDay = matches(day, at.getUTCDate(), 31);
  const isWeekday = matches(weekday, at.getUTCDay(), 7) || (at.getUTCDay() === 0 && matches(weekday, 7, 7));
  const isBoth = day.startsWith('*') || weekday.startsWith('*');
  return (
    matches(minute, at.getUTCMinutes(), 59) &&
    matches(hour, at.getUTCHours(), 23) &&
    matches(month, at.getUTCMonth() + 1, 12) &&
    (isBoth ? isDay && isWeekday : isDay || isWeekday)
  );
}

test.each([
  '*/7 3,5-7 * * *',
  '0 0 13 * fri',
  '0 0 */2 * mon',
  '0 0 1-7 * */3',
  '30 4 1,15 * 5',
  '0 12 * * 5-7',
  '0 0 */10 2-4 *',
  '0 1-23/5 * * 0,3',
])('%s fires at the times of cron', (pattern) => {
  const read = readTimes(pattern.split(' '));
  const times = 'cron' in read ? parseCron(read.cron, 'UTC') : { problem: read.problem };
  if ('problem' in times) throw new Error(times.problem);
  const expected: number[] = [];
  const from = Date.UTC(2026, 0, 1);
  for (let at = from + 60_000; at < from + 150 * 86_400_000; at += 60_000)
    if (firesAt(pattern.split(' '), new Date(at))) expected.push(at);
  const fired: number[] = [];
  for (let at = times.next(from); at !== null && at < from + 150 * 86_400_000; at = times.next(at)) fired.push(at);
  expect(expected.length).toBeGreaterThan(2);
  expect(fired).toEqual(expected);
});

test.each(['5/15 * * * *', '60 * * * *', '* * * * 1-0', '*/0 * * * *', '0~30 * * * *', '* * L * *', '@every'])(
  '%s is refused',
  (pattern) => {
    expect(readTimes(pattern.split(' '))).toEqual({ problem: expect.any(String) });
  },
);

const nobody = 65_534;

test.runIf(process.getuid?.() === 0)(
  'root imports into the folder of another user with no more rights than that user has',
  async () => {
    const dir = createFolder();
    const jobs = join(dir, 'jobs');
    for (const folder of [dir, jobs]) {
      mkdirSync(folder, { recursive: true });
      chmodSync(folder, 0o755);
    }
    chownSync(jobs, nobody, nobody);
    writeFiles(dir, { 'my.cron': '5 4 * * * date\n' });
    const lock = join(jobs, '.flwd-import.lock');
    symlinkSync(join(dir, 'made-by-root'), lock);
    const refused = await flwd(dir, 'import', 'crontab', 'my.cron', '--to', 'jobs');
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('cannot write jobs to ') });
    expect(readdirSync(dir).toSorted()).toEqual(['jobs', 'my.cron']);
    rmSync(lock);
    expect(await flwd(dir, 'import', 'crontab', 'my.cron', '--to', 'jobs')).toMatchObject({ code: 0 });
    const made = ['', 'date', 'date/config.yaml', 'date/command.sh', 'date/import.json'];
    expect(made.map((name) => statSync(join(jobs, name)).uid)).toEqual(made.map(() => nobody));
  },
);

test('invalid import records that another user left are ignored', async () => {
  const dir = createFolder();
  const record = { kind: 'crontab', place: 'the crontab of ada', line: 1, text: 'x', environment: {} };
  writeFiles(dir, {
    'my.cron': '5 4 * * * date\n',
    'jobs/a/import.json': JSON.stringify({ ...record, user: null, schedules: [null], not_carried_over: null }),
    'jobs/b/import.json': JSON.stringify({ ...record, user: {}, schedules: [], not_carried_over: null }),
    'jobs/c/config.yaml': 'command: id\n',
  });
  spawnSync('mkfifo', [join(dir, 'jobs/c/import.json')]);
  expect(await flwd(dir, 'import', 'crontab', 'my.cron')).toMatchObject({ code: 0 });
});
