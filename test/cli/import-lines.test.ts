// `flwd import crontab`: what a line does around its command, such as taking a lock, becomes part of the job.

import { mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { createCrontab } from './a-crontab.ts';
import { writeFiles } from './a-job-folder.ts';
import { flwd, flwdReading, start } from './terminal.ts';

type Reported = {
  readonly folder: string;
  readonly notes: readonly string[];
  readonly lacks: { readonly read: readonly string[]; readonly write: readonly string[]; readonly network: string };
};

/** Jobs have a /tmp of their own, so an import proposes nothing for it. */
function createHome(): string {
  const dir = mkdtempSync('/var/tmp/flwd-cli-');
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

async function imported(dir: string, ...lines: readonly string[]): Promise<readonly Reported[]> {
  const seen = await flwdReading(dir, `${lines.join('\n')}\n`, 'import', 'crontab', '-', '--json');
  expect(seen).toMatchObject({ code: 0 });
  const { found }: { found: readonly Reported[] } = JSON.parse(seen.stdout);
  // A note that only root gets.
  return found.map((one) => ({ ...one, notes: one.notes.filter((note) => !note.startsWith('`run_as`')) }));
}

function configOf({ folder }: Reported): Readonly<Record<string, unknown>> {
  return parse(readFileSync(join(folder, 'config.yaml'), 'utf8'));
}

test('flock becomes a limit of the job, also in a script that the line calls', async () => {
  const dir = createHome();
  writeFiles(dir, { 'locked.sh': '#!/bin/sh\nexec 8>/tmp/own.lock\nflock -n 8 || exit 0\nsleep 8\n' });
  const found = await imported(
    dir,
    '* * * * * flock -n /tmp/x.lock sleep 8',
    "* * * * * /usr/bin/flock -w 10 /tmp/y.lock -c 'sync -n'",
    '* * * * * (flock 9; sync -n) 9>/var/lock/z',
    `* * * * * ${dir}/locked.sh`,
    '* * * * * flock --shared /tmp/s.lock sync -n',
    '* * * * * flock --timeout=0 /tmp/w.lock sync',
  );
  const [atOnce, waiting] = ['reject', 'queue'].map((how) => ({ limit: 1, on_conflict: how }));
  expect(found.map((one) => configOf(one).concurrency)).toEqual([atOnce, waiting, waiting, atOnce, undefined, atOnce]);
  expect(found.map(({ notes }) => notes)).toMatchObject([
    [
      'flock became `concurrency: {limit: 1, on_conflict: reject}`: a run that begins while another is in progress is rejected',
    ],
    [
      'flock became `concurrency: {limit: 1, on_conflict: queue}`: a run that begins while another is in progress waits until the ' +
        'other run has ended; `timeouts: {queue: 10s}` lets the run stop waiting after the same time as flock',
    ],
    [
      expect.stringContaining('on_conflict: queue'),
      expect.stringContaining('/var/lock/z no longer keeps the job and other programs of this host apart'),
    ],
    [expect.stringContaining('on_conflict: reject')],
    [expect.stringContaining('/tmp of its own')],
    [expect.stringContaining('on_conflict: reject')],
  ]);
  expect((await flwd(dir, 'jobs', 'validate', 'jobs')).stdout).toBe('6 jobs are valid\n');
});

test('a job notes which other job takes the same lock', async () => {
  const found = await imported(
    createHome(),
    '1 * * * * flock -n /tmp/x.lock sync',
    '2 * * * * flock -n /tmp/other.lock sync',
    '3 * * * * (flock 9; date) 9>/tmp/x.lock',
  );
  const [, , of] = found.map(({ notes }) => notes.filter((note) => note.includes('the same lock')));
  expect(found.map(({ notes }) => notes.some((note) => note.includes('the same lock')))).toEqual([true, false, true]);
  expect(of).toEqual([
    'jobs/sync takes the same lock, and `concurrency` limits each job alone: if they must not run at the same time, make them ' +
      'steps of one job',
  ]);
});

test('a lock in /var/lock is the same as in /run/lock', async () => {
  const found = await imported(
    createHome(),
    '1 * * * * flock -n /var/lock/x sync',
    '2 * * * * flock -n /run/lock/x date',
    '3 * * * * flock -n /var/run/lock/x uptime',
  );
  expect(found.map(({ notes }) => notes[1])).toEqual([
    expect.stringMatching(/^jobs\/date and jobs\/uptime take the same lock/),
    expect.stringMatching(/^jobs\/sync and jobs\/uptime take the same lock/),
    expect.stringMatching(/^jobs\/sync and jobs\/date take the same lock/),
  ]);
});

test('for a lock that another job takes as well, the note does not say to remove it', async () => {
  const found = await imported(
    createHome(),
    '1 * * * * (flock 9; sync) 9>/run/z',
    '2 * * * * (flock 9; date) 9>/run/z',
    '3 * * * * flock /srv/x.lock sync',
    '4 * * * * flock /srv/x.lock date',
  );
  const became =
    'flock became `concurrency: {limit: 1, on_conflict: queue}`: a run that begins while another is in progress waits';
  const shared = expect.stringContaining('takes the same lock');
  const until = `${became} until the other run has ended`;
  const ofHidden = [until, shared, 'the sandbox does not show /run/z'];
  expect(found.slice(0, 2).map(({ notes }) => notes)).toEqual([ofHidden, ofHidden]);
  expect(found.slice(2).map(({ notes }) => notes.slice(0, 2))).toEqual([
    [until, shared],
    [until, shared],
  ]);
});

test('a command needs the same grants under flock, sh -c and sh FILE as by itself', async () => {
  const dir = createHome();
  writeFiles(dir, { 'bin/backup.sh': '#!/bin/sh\ncurl -fsS https://example.org > /srv/x\n' });
  const found = await imported(
    dir,
    `1 1 * * * ${dir}/bin/backup.sh shop`,
    `2 1 * * * flock -n /tmp/a nice -n 5 ${dir}/bin/backup.sh -n`,
    `3 1 * * * flock /tmp/b -c 'cd ${dir} && bin/backup.sh'`,
    `4 1 * * * bash -c 'set -e; ${dir}/bin/backup.sh'`,
    `5 1 * * * sh ${dir}/bin/backup.sh`,
    `6 1 * * * bash -eo pipefail -O nullglob -c 'cd ${dir}; bin/backup.sh'`,
    `7 1 * * * bash +o posix -- ${dir}/bin/backup.sh -c x`,
    `8 1 * * * ${'flock /tmp/c '.repeat(700)} date`,
  );
  const lacks = { write: ['/srv'], network: `line 2 of ${dir}/bin/backup.sh: curl` };
  const calling = found.slice(0, 7);
  expect(calling.map((one) => one.lacks)).toMatchObject(calling.map(() => lacks));
  // The third and the sixth command read the folder in which they start, which contains the script.
  const script = `${dir}/bin/backup.sh`;
  expect(calling.map((one) => one.lacks.read)).toEqual(
    [script, script, dir, script, script, dir, script].map((path) => [path]),
  );
});

test('a script found by PATH needs the same grants as by its own path, and a note says to replace mail by a notification', async () => {
  const dir = createHome();
  writeFiles(dir, {
    'bin/backup.sh': '#!/bin/sh\npg_dump "$1" > /srv/x\n',
    'tools/report': `#!/bin/sh\ncat ${dir}/data\n`,
    data: '',
  });
  const [byPath, byHome, byOwn, byVariable] = await imported(
    dir,
    `MAILTO=ada@example.org`,
    `1 1 * * * ${dir}/bin/backup.sh shop`,
    `PATH=/usr/bin:${dir}/bin:/bin`,
    "2 1 * * * backup.sh shop && mail -s 'back up' ada@example.org < /dev/null",
    `3 1 * * * PATH=${dir}/tools:$PATH report`,
    `HOME=${dir}`,
    'PATH=~/bin:/usr/bin:/bin',
    '4 1 * * * backup.sh shop',
  ).then(([own, path, variable, home]) => [path, home, own, variable]);
  expect(byOwn?.lacks).toEqual({
    read: [`${dir}/bin/backup.sh`],
    write: ['/srv'],
    network: `line 2 of ${dir}/bin/backup.sh: pg_dump`,
  });
  expect(byPath?.lacks).toEqual(byOwn?.lacks);
  expect(byHome?.lacks).toEqual(byOwn?.lacks);
  expect(byVariable?.lacks.read).toEqual([`${dir}/tools/report`, `${dir}/data`]);
  const mailed =
    'cron mails the output to ada@example.org; flwd keeps it. For a mail when a run fails, use `notify` with the ' +
    'channel `{type: mail, to: [ada@example.org]}` (docs/guides/notifications.md)';
  const sent = 'mail cannot send mail from a sandbox: use a notification instead (docs/guides/notifications.md)';
  const isOfMail = (note: string): boolean => note.includes('mail');
  expect(byOwn?.notes.filter(isOfMail)).toEqual([mailed]);
  expect(byPath?.notes.filter(isOfMail)).toEqual([mailed, sent]);
  expect(byHome?.notes).toContain(`~ in PATH became ${dir}, because most shells do not expand it there`);
  expect(readFileSync(join(byHome?.folder ?? '', 'command.sh'), 'utf8')).toContain(`PATH=${dir}/bin:/usr/bin:/bin;`);
});

test('an import asks to read or write a path of a line, depending on what the called script or program does with it', async () => {
  const dir = createHome();
  const loop =
    'while [ $# -gt 0 ]; do\n  case $1 in\n    -t|--target) target=$2; shift 2 ;;\n    *) break ;;\n  esac\ndone\n';
  writeFiles(dir, {
    'pack.sh': `#!/bin/sh\nsource=$1\ntarget=\${2:-${dir}/archives}\ntar -czf "$target/x.tgz" -C "$source" .\n`,
    'copy.sh': `#!/bin/bash\n${loop}cp -a "$1" "$target"\n`,
    'report.py': '#!/usr/bin/env python3\nimport sys\nopen(sys.argv[2], "w").write(open(sys.argv[1]).read())\n',
    'rotate.sh': `#!/bin/sh\nlogrotate -s "$STATE" ${dir}/rotate.conf\n`,
    'rotate.conf': '',
    'backups/status': '',
    'archives/x': '',
    'www/index': '',
  });
  const [www, backups] = [`${dir}/www`, `${dir}/backups`];
  const found = await imported(
    dir,
    `1 1 * * * sh ${dir}/pack.sh ${www} ${backups}`,
    `2 1 * * * sh ${dir}/pack.sh ${www}`,
    `3 1 * * * bash ${dir}/copy.sh -t ${backups} ${www}`,
    `4 1 * * * bash ${dir}/copy.sh --target=${backups} ${www}`,
    `5 1 * * * python3 -u ${dir}/report.py ${www}/index ${backups}/status`,
    `STATE=${backups}/status`,
    `6 1 * * * sh ${dir}/rotate.sh`,
    `7 1 * * * logrotate --state=${backups}/status ${dir}/rotate.conf`,
  );
  const lacks = (read: readonly string[], write: string) => ({ read, write: [write], network: null });
  expect(found.map((one) => one.lacks)).toEqual([
    lacks([`${dir}/pack.sh`, www], backups),
    lacks([`${dir}/pack.sh`, www], `${dir}/archives`),
    lacks([`${dir}/copy.sh`, www], backups),
    lacks([`${dir}/copy.sh`, www], backups),
    lacks([`${dir}/report.py`, `${www}/index`], `${backups}/status`),
    lacks([`${dir}/rotate.sh`, `${dir}/rotate.conf`], `${backups}/status`),
    lacks([`${dir}/rotate.conf`], `${backups}/status`),
  ]);
});

test('lines that call the same script of 1 MiB are imported in seconds', async () => {
  const dir = createHome();
  const functions = Array.from(
    { length: 19_000 },
    (_, at) => `f${at}() {\n  rsync -a /srv/data "$1"\n  read answer\n}\n`,
  );
  writeFiles(dir, { 'all.sh': `#!/bin/bash\n${functions.join('')}`.slice(0, 2 ** 20) });
  const lines = Array.from({ length: 20 }, (_, at) => `${at} 4 * * * ${dir}/all.sh ${at}`);
  const found = await imported(dir, ...lines);
  expect(found.map(({ lacks }) => lacks.read)).toEqual(lines.map(() => [`${dir}/all.sh`]));
});

test('a note says so if neither the command of a job nor the script that it calls uses a password of the crontab', async () => {
  const dir = createHome();
  writeFiles(dir, { 'dump.sh': '#!/bin/sh\n: "${DB_PASSWORD:?}"\n' });
  const found = await imported(
    createHome(),
    'DB_PASSWORD=hunter22',
    '1 1 * * * echo "$DB_PASSWORD" | sha256sum',
    `3 1 * * * ${dir}/dump.sh shop`,
    '2 1 * * * date',
  );
  expect(found.map(({ notes }) => notes.filter((note) => note.includes('DB_PASSWORD')))).toEqual([
    [],
    [],
    [
      'its command does not name DB_PASSWORD: if nothing that it starts needs this password, remove it from config.yaml',
    ],
  ]);
});

test('a line that would behave differently in a job or in cron gets a note', async () => {
  const found = await imported(
    createHome(),
    '* * * * * sleep 8 2>&1 | logger -t tick',
    '* * * * * nohup sleep 8 &',
    '* * * * * sleep 8 # &',
  );
  expect(found.map(({ notes }) => notes)).toEqual([
    ['logger cannot reach syslog from a sandbox: remove `logger`, so that its input goes to the log of the run'],
    [
      'the `&` at the end starts the command in the background. The run then ends at once, and flwd stops the command: remove the `&` from command.sh',
    ],
    [],
  ]);
});

test('a line that runs its command only on a condition gets a note, because the run fails if the condition is false', async () => {
  const found = await imported(
    createHome(),
    '45 23 28-31 * * [ "$(date -d tomorrow +\\%d)" = 01 ] && sleep 8',
    '1 1 * * * sync; test -x /bin/sync && [[ -d /srv ]] && sync',
    '2 1 * * * [ -d /srv ] && sync || true',
    '3 1 * * * [ -d /srv ] || sync',
    '4 1 * * * [ -d /srv ] && sync; sleep 8',
    '5 1 * * * if [ -d /srv ]; then sync && sync; fi',
    "6 1 * * * [ -d '/srv && /opt' ]",
    '7 1 * * * sync && sleep 8',
  );
  const note =
    'if the condition before `&&` is false, the command exits with code 1. Cron ignores that, but in flwd the run fails: ' +
    'in command.sh, write `if CONDITION; then COMMAND; fi`';
  expect(found.map(({ notes }) => notes)).toEqual([[note], [note], [], [], [], [], [], []]);
});

test('a line that begins with a user is imported only from a system crontab', async () => {
  const text = '* * * * * root sleep 8\n';
  const own = await flwdReading(createHome(), text, 'import', 'crontab', '-');
  expect(own.stdout).toContain(
    'this crontab names no users, so cron takes `root` for a program: remove the word, or add --system if the file is a system crontab\n',
  );
  const system = await flwdReading(createHome(), text, 'import', 'crontab', '-', '--system');
  expect(system.stderr).toContain('1 job imported\n');
});

test('a line with &> gets a note, unless its shell is bash or a link to it', async () => {
  const dir = createHome();
  symlinkSync('/bin/bash', join(dir, 'sh'));
  const line = 'date &> /tmp/out; date';
  const note =
    '/bin/dash reads `&>` as `&` and `>`, so it starts the command in the background, and its output does not go to ' +
    'the file. The run ends first, and flwd then stops the command: in command.sh, remove `&> FILE`, or write `> FILE 2>&1`';
  const found = await imported(
    dir,
    'SHELL=/bin/dash',
    `1 * * * * ${line}`,
    '1 2 * * * date &>> /tmp/out; date',
    "2 * * * * echo '&>' 2>&1; bash -c 'date &> /tmp/x'",
    'SHELL=/bin/bash',
    `3 * * * * ${line}`,
    `SHELL=${dir}/sh`,
    `4 * * * * ${line}`,
  );
  expect(found.map(({ notes }) => notes.filter((note) => note.includes('&>')))).toEqual([[note], [note], [], [], []]);
});

test('an import reads a script that contains an archive in a long line', async () => {
  const dir = createHome();
  const archive = 'a'.repeat(200_000);
  writeFiles(dir, {
    'a.py': `import sys\nopen(sys.argv[1], 'w')\narchive = """\n${archive}\n"""\n`,
    'b.sh': `#!/bin/bash\n${'\n'.repeat(20_000)}cp -a "$1" /srv/b\n: ${archive}\n`,
  });
  const found = await imported(dir, `1 1 * * * python3 ${dir}/a.py /srv/a/x`, `1 1 * * * ${dir}/b.sh /srv/c`);
  expect(found.map(({ lacks }) => lacks.write)).toEqual([['/srv/a'], ['/srv']]);
});

test('an import says which job already runs a copy of the script of a line', async () => {
  const dir = createHome();
  writeFiles(dir, {
    'bin/backup.sh': '#!/bin/sh\ncp -a "$1" "$2"\n',
    'other/backup.sh': '#!/bin/sh\ndate\n',
    'jobs/.keep': '',
  });
  expect(await flwd(dir, 'init', '--from', 'bin/backup.sh')).toMatchObject({ code: 0 });
  const script = `${dir}/bin/backup.sh`;
  const found = await imported(dir, `1 1 * * * sh ${script} /srv/a /srv/b`, `2 1 * * * sh ${dir}/other/backup.sh`);
  expect(found.map(({ notes }) => notes.filter((note) => note.includes('copy')))).toEqual([
    [
      `jobs/backup already runs a copy of ${script}: keep one of the two jobs. To keep jobs/backup, write the schedule into its ` +
        'config.yaml, delete jobs/backup-2, and remove the line from the crontab',
    ],
    [],
  ]);
  writeFiles(dir, { 'jobs/team/.keep': '' });
  renameSync(join(dir, 'jobs/backup'), join(dir, 'jobs/team/backup'));
  const line = `1 2 * * * sh ${script} /srv/a /srv/b\n`;
  const { stdout } = await flwdReading(dir, line, 'import', 'crontab', '-', '--to', 'jobs/team');
  expect(stdout.match(/jobs\/team\/backup already runs a copy/g)).toHaveLength(1);
});

test('an import ends with the next steps, but only if cron reads the crontab', async () => {
  const dir = createHome();
  const line = '1 1 * * * date\n';
  writeFiles(dir, { 'my.cron': line, 'flwd.yaml': 'sources: [{path: jobs}]\n', 'jobs/.keep': '' });
  const crontab = createCrontab(dir, line);
  const own = await start(dir, ['import', 'crontab', '--config=flwd.yaml'], crontab.env).ended;
  expect(own.stderr).toBe(
    '1 job imported\nNew schedules are held, and cron still runs the lines.\n' +
      'next: check each job (flwd --config flwd.yaml run JOB), start the server (flwd serve --config flwd.yaml), then let flwd ' +
      'run the lines (flwd takeover --config flwd.yaml)\n',
  );
  expect((await flwd(dir, 'import', 'crontab', 'my.cron', '--config=flwd.yaml')).stderr).toBe(
    '1 job imported\nNew schedules are held: nothing starts before you release them (flwd schedules release SCHEDULE --config ' +
      'flwd.yaml).\n',
  );
});

test('a job is named after the most telling word of its line, and no two jobs have the same name', async () => {
  const names = [
    ['sleep 30 && ~/bin/warm-cache.py', 'warm-cache'],
    ['cd ~/proj && npm run nightly', 'nightly'],
    ["bash -c 'set -e; /srv/bin/rotate.sh'", 'rotate'],
    ['source ~/.bashrc; . /etc/env; export A=1 B=2; KEEP=3 /srv/backup.sh', 'backup'],
    ['[ -x /usr/bin/certbot ] && perl -e "sleep int(rand(9))" && certbot -q renew', 'certbot'],
    ["nice -n 19 ionice -c 3 flock -w 5 /tmp/l -c 'python3 -m app.jobs.clean'", 'app.jobs.clean'],
    ['make -C ~/proj -j 4 A=1 images', 'images'],
    ['cd /srv && docker compose -f a.yml run --rm -e A=b sync-mail', 'sync-mail'],
    ['if test -e /x; then timeout 5m env A=1 php -f /srv/tick.php; fi', 'tick'],
    ['tar czf /srv/$(date +%F).tgz /srv/www', 'tar'],
    ['sleep 8', 'sleep'],
    ['A=1', 'cron'],
    ['/srv/other/backup.sh', 'backup-2'],
    ['sh /srv/tidy.sh -c foo', 'tidy'],
    ['python3 -W ignore /srv/app.py -c x', 'app'],
    ['php -d memory_limit=1G -f /srv/feed.php', 'feed'],
    ['/usr/bin/env -u A python3 -u -m foo.bar', 'foo.bar'],
    ['/usr/bin/nice -n 5 node --require ./hook.js /srv/mailer.js', 'mailer'],
    ["bash -eo pipefail -c '/srv/bin/prune.sh | cat'", 'prune'],
    ["su ada -c '/srv/bin/fetch.sh'", 'fetch'],
  ];
  const found = await imported(
    createHome(),
    ...names.map(([line = ''], at) => `${at} 1 * * * ${line.replaceAll('%', '\\%')}`),
  );
  expect(found.map((one) => configOf(one).name)).toEqual(names.map(([, name]) => name));
  expect(found.map(({ folder }) => basename(folder))).toEqual(names.map(([, name]) => name));
});

test('if a line has changed since its import, the new import names the job that the new one may replace', async () => {
  const dir = createHome();
  const lines = [
    '5 1 * * * clean-logs --days 7',
    '0 2 * * * old-report',
    '0 3 * * * a',
    '0 3 * * * b',
    '9 9 * * * same',
  ];
  const taken = '0 4 * * * taken --one';
  writeFiles(dir, { 'my.cron': [...lines, taken, ''].join('\n') });
  expect((await flwd(dir, 'import', 'crontab', 'my.cron')).stdout).not.toContain('replace');
  const changed = [
    '5 4 * * * clean-logs --days 9',
    '0 2 * * * new-report',
    '0 3 * * * c',
    '9 9 * * * same',
    '9 9 * * * d',
  ];
  writeFiles(dir, { 'my.cron': [...changed, `#flwd:taken# ${taken}`, '0 4 * * * taken --two', ''].join('\n') });
  const again = await flwd(dir, 'import', 'crontab', 'my.cron');
  expect(again.stdout.split('\n').filter((line) => line.includes('replace'))).toEqual([
    '  note:             jobs/clean-logs was imported from an entry that no longer exists: 5 1 * * * clean-logs --days 7. If this ' +
      'job replaces it, copy your changes from jobs/clean-logs and delete that job, so that nobody releases both',
    '  note:             jobs/old-report was imported from an entry that no longer exists: 0 2 * * * old-report. If this job ' +
      'replaces it, copy your changes from jobs/old-report and delete that job, so that nobody releases both',
  ]);
  expect(again.stderr).toContain('2 of them may replace jobs of an earlier import: see their notes\n');
  expect(readFileSync(join(dir, 'jobs/clean-logs-2/config.yaml'), 'utf8')).toContain('# Note: jobs/clean-logs was ');
});

test('a log file needs no grant, and no grant is proposed that flwd would refuse', async () => {
  const dir = createHome();
  writeFiles(dir, {
    'bin/backup.sh': '#!/bin/sh\necho done\n',
    'flwd.yaml': 'instance: {data_dir: data}\nsources: [{path: jobs}]\n',
    'jobs/.keep': '',
  });
  const script = `${dir}/bin/backup.sh`;
  const logs = [
    '>> ~/backup.log 2>&1',
    '> ~/backup-$(date +\\%F).log 2>&1',
    '1>>"$HOME/my log" 2>&1',
    '&>> ~/backup.log',
    '> /dev/null 2>&1',
  ];
  const found = await imported(
    dir,
    'SHELL=/bin/dash',
    `HOME=${dir}/home`,
    ...logs.map((log, at) => `${at} 1 * * * ${script} ${log}`),
    `10 1 * * * ${script} > ~/$(date +\\%F).txt`,
    // The folder of new.txt contains flwd.yaml.
    `11 1 * * * ${script} > ${dir}/new.txt`,
    `12 1 * * * ${script} > ${dir}/data/new.txt`,
  );
  expect(found.slice(0, logs.length).map(({ notes, lacks }) => [notes, lacks.write])).toEqual([
    [
      [
        'remove >> ~/backup.log 2>&1 from command.sh: flwd keeps the output of each run, and the job is not allowed to write to that file',
      ],
      [],
    ],
    [[expect.stringMatching(/^remove > ~\/backup-\$\(date \+%F\)\.log 2>&1 from command\.sh: /)], []],
    [[expect.stringMatching(/^remove 1>>"\$HOME\/my log" 2>&1 from command\.sh: /)], []],
    [
      [
        expect.stringMatching(/^remove &>> ~\/backup\.log from command\.sh: /),
        expect.stringMatching(/^\/bin\/dash reads `&>` as `&` and `>`/),
      ],
      [],
    ],
    [
      [
        'the line discards its output: remove > /dev/null 2>&1 from command.sh, so that the output goes to the log of the run',
      ],
      [],
    ],
  ]);
  const refused = (path: string) =>
    `flwd lets no job write to ${path}: let the command write to a folder of its own, and allow that folder`;
  expect(found.slice(logs.length).map(({ notes, lacks }) => [notes, lacks.write])).toEqual([
    [[refused(`${dir}/home`)], []],
    [[`create ${dir}/new.txt before the first run`], [`${dir}/new.txt`]],
    [[refused(`${dir}/data/new.txt`)], []],
  ]);
  expect(found.every(({ lacks }) => lacks.read.includes(script))).toBe(true);
});
