// `flwd init --from DIR`: a typical folder of scripts becomes a folder of jobs that run.

import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { writeFiles } from './a-job-folder.ts';
import { createFolder, flwd } from './terminal.ts';

/** A home with the scripts in `bin`, and files that belong to no script. */
function createHome(): string {
  const home = createFolder();
  cpSync(join(import.meta.dirname, 'scripts'), join(home, 'bin'), { recursive: true });
  writeFiles(home, {
    'bin/README': 'notes\n',
    'bin/common.sh': 'x=1\n',
    'bin/hosts.csv': 'a,b\n',
    'bin/.git/config': '',
    'bin/old ones/x.sh': '#!/bin/sh\n',
    'bin/\u001b[31mred.sh': '#!/bin/sh\necho red\n',
    '.config/feeds.txt': '',
    'access.log': '1.2.3.4 - - [x y] "GET / HTTP/1.1" 404 5\n',
    'bots.txt': 'crawler\n',
  });
  symlinkSync('/nowhere', join(home, 'bin/gone'));
  mkdirSync(join(home, 'certs'));
  return home;
}

function configOf(home: string, job: string): string {
  return readFileSync(join(home, 'jobs', job, 'config.yaml'), 'utf8');
}

test('each script becomes a job, and the report says what it left out, what the jobs need and what must change', async () => {
  const home = createHome();
  const made = await flwd(home, 'init', '--from', 'bin');
  expect(made.stdout.trim().split('\n')).toEqual([
    ...['certcheck', 'cleanup', 'deploy', 'disk-alert', 'dotfiles', 'feeds', 'healthcheck', 'mirror', 'nicely'].map(
      (name) => `jobs/${name}`,
    ),
    ...['pg-backup', 'prune', 'report'].map((name) => `jobs/${name}`),
  ]);
  for (const line of [
    'jobs/deploy, from bin/deploy.sh: guessed 5 arguments',
    `  to do: line 27 writes into ${home} itself, which no job in a sandbox may do: let the script write into a folder below it, or use --profile disabled`,
    '  to do: line 23 asks a question: a run answers it with --answer or skips it with --yes; to ask a person while the run waits, use a step with an approval',
    '  to do: --certs lists paths, and permissions take no list: add the folder that contains them under read',
    '  to do: line 6: mail hands mail to the mail system of this machine, which a sandbox hides: for a mail when a run fails, use notify in config.yaml with a channel for mail',
    '  needs a permission: network  line 4: curl',
    'to give a job its permissions, remove the # and the space after it from these lines in its config.yaml, or remove its folder and use --allow',
    '  to do: line 7: ssh finds no keys in a sandbox: docs/guides/ssh-keys.md shows how to give the job a key of its own',
    '  to do: line 9: a job cannot become another user with sudo: remove sudo, and give the user of the server the rights that the command needs, or name the other user in run_as',
    '  to do: line 10: crontab cannot reach the tables of cron from a sandbox: schedules in config.yaml replace them',
    '  to do: line 7: /var/lock/mirror.lock no longer keeps the job and other programs of this host apart: to share the lock with them, keep it, and write `permissions: {write: [/run/lock]}` into config.yaml and `security: {paths: [/run/lock]}` into flwd.yaml',
    '  red.sh: the file name red.sh does not work in a job: rename the script, with A to Z, a to z, 0 to 9 and _ . + @ - only',
    '  .git: hidden',
    '  README: not executable, and has no #! line',
    '  common.sh: not executable, and has no #! line',
    '  gone: not a file',
    '  hosts.csv: not executable, and has no #! line',
    "  old ones: a folder: flwd init --from 'bin/old ones' turns its scripts into jobs",
    `  mkdir -p ${home}/backups`,
  ])
    expect(made.stderr).toContain(`${line}\n`);
  expect(made.stderr).not.toContain('\u001b');

  const again = await flwd(home, 'init', '--from', 'bin');
  expect(again).toMatchObject({ stdout: '', code: 0 });
  expect(again.stderr).toContain('  deploy.sh: skipped, because jobs/deploy is not empty\n');
  rmSync(join(home, 'jobs/nicely'), { recursive: true });
  mkdirSync(join(home, 'jobs/nicely'));
  expect((await flwd(home, 'init', '--from', 'bin')).stdout).toBe('jobs/nicely\n');
});

test('the jobs ask only for what their scripts read and write', async () => {
  const home = createHome();
  await flwd(home, 'init', '--from', 'bin');
  expect(configOf(home, 'pg-backup')).toContain(
    'permissions:\n  # network: all   # probably needed: line 14: pg_dump\n' +
      '  write:\n    - { arg: backup_dir }   # line 12: mkdir\n    # - /var/log/pg-backup.log   # line 16: tee\n',
  );
  expect(configOf(home, 'pg-backup')).toContain(`      default: ${home}/backups\n`);
  expect(configOf(home, 'mirror')).toContain(`\nenv: { HOME: ${home} }\n`);
  expect(configOf(home, 'mirror')).toContain('\nconcurrency: { limit: 1, on_conflict: reject }\n');
  expect(configOf(home, 'mirror')).toContain(`#   write:\n#     - ${home}/mirror   # line 9: mkdir\n`);
  expect(configOf(home, 'report')).toContain(
    'permissions:\n  # network: all\n  read:\n    - { arg: logfile }   # line 8: FileType\n' +
      '    # - { arg: known }   # line 16: read_text\n',
  );
  expect(configOf(home, 'report')).not.toMatch(/^ +(?:# )?write:/m);
  expect(configOf(home, 'cleanup')).toContain('  write:\n    - { arg: clean_dir }   # line 10: find\n');
  expect(configOf(home, 'feeds')).toContain('\nartifacts: { paths: [merged.json] }\n');
  expect(configOf(home, 'feeds')).toContain(`      format: path\n      default: ${home}/.config/feeds.txt\n`);
  expect(configOf(home, 'prune')).toContain('  write:\n    - { arg: folder }   # line 9: unlink\n');
  expect(configOf(home, 'nicely')).toContain('description: "how nice it should be, from 0 to 19"');
});

test('with --allow, the proposed permissions are active, and the jobs run once flwd.yaml allows their paths', async () => {
  const home = createHome();
  const made = await flwd(home, 'init', '--from', 'bin', '--allow', '--json');
  const report: {
    readonly jobs: readonly { readonly needs: { readonly security: { readonly paths: readonly string[] } } }[];
    readonly left_out: readonly { readonly file: string }[];
  } = JSON.parse(made.stdout);
  expect(report.left_out.map(({ file }) => file)).toEqual([
    '\u001b[31mred.sh',
    '.git',
    'README',
    'common.sh',
    'gone',
    'hosts.csv',
    'old ones',
  ]);
  const paths = report.jobs.flatMap(({ needs }) => needs.security.paths);
  expect(paths).toContain(`${home}/mirror`);
  writeFiles(home, {
    'flwd.yaml': `security: {paths: [${home}/certs, ${home}/access.log, ${home}/bots.txt, ${home}/.config]}\n`,
  });
  writeFiles(home, { 'certs/old.tmp': '', 'certs/new.txt': '' });

  const seen = await flwd(
    home,
    'report',
    '--logfile',
    '~/access.log',
    '--known',
    '~/bots.txt',
    '--no-header',
    '--quiet',
  );
  // The permission of `known` is a comment, because its default path does not exist here.
  expect(seen.stderr).toContain('No such file or directory');
  writeFiles(home, {
    'jobs/report/config.yaml': configOf(home, 'report').replace('# - { arg: known }', '- { arg: known }'),
  });
  expect(
    (await flwd(home, 'report', '--logfile', '~/access.log', '--known', '~/bots.txt', '--no-header', '--quiet')).stdout,
  ).toBe('404 1\n');
  expect((await flwd(home, 'feeds', '--quiet')).stdout).toBe('merged 0 items\n');
  expect((await flwd(home, 'nicely', '--niceness', '3', '--rest', 'echo', '--rest', 'hi', '-q')).stdout).toBe(
    'hi\nended with 0\n',
  );
  expect((await flwd(home, 'deploy', '--version', '2', '--answer', 'y', '--dry_run', '-q')).stdout).toBe(
    'would deploy 2 to staging\n',
  );
});

test('with --profile permissive, the job can read the home, and write to the paths that flwd.yaml allows', async () => {
  // A job has its own /tmp, so it could not see a home below /tmp.
  const home = mkdtempSync('/var/tmp/flwd-home-');
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  chmodSync(home, 0o755);
  writeFiles(home, {
    'bin/note.sh': '#!/bin/sh\nread -r name < ~/name\nmkdir -p ~/notes\necho "hello $name" | tee ~/notes/last\n',
    name: 'Ada\n',
    'notes/last': '',
    'flwd.yaml': `security: {paths: [${home}/notes]}\n`,
  });
  expect(await flwd(home, 'init', '--from', 'bin/note.sh', '--profile', 'permissive')).toMatchObject({
    stderr: 'next:\n  flwd note\n  flwd note --help\nfound no arguments: check jobs/note/config.yaml\n',
    code: 0,
  });
  // If the server runs as root, its jobs run as nobody.
  chmodSync(join(home, 'notes/last'), 0o666);
  expect(await flwd(home, 'note', '-q')).toMatchObject({ stdout: 'hello Ada\n', code: 0 });
  expect(readFileSync(join(home, 'notes/last'), 'utf8')).toBe('hello Ada\n');

  const disabled = await flwd(home, 'init', '--from', 'bin/note.sh', 'jobs/free', '--profile', 'disabled');
  expect(disabled.stderr).toContain('  security: { allow_profiles: [secure, permissive, disabled] }\n');
});

test('a link or a file outside of the folder is never copied into a job', async () => {
  const home = createFolder();
  writeFiles(home, {
    'secret/key': 'hunter22\n',
    'bin/lib/x': '',
    'bin/a.sh': '#!/bin/sh\n. "$(dirname "$0")/lib/key.sh"\n. "$(dirname "$0")/../secret/key"\n',
  });
  symlinkSync('../../secret/key', join(home, 'bin/lib/key.sh'));
  expect((await flwd(home, 'init', '--from', 'bin')).code).toBe(0);
  expect(readdirSync(join(home, 'jobs/a')).toSorted()).toEqual(['a.sh', 'config.yaml', 'run.sh', 'tests.yaml']);
  expect(existsSync(join(home, 'jobs/a/lib'))).toBe(false);
});

test('a folder without a script is refused, with the reason for each file', async () => {
  const home = createFolder();
  writeFiles(home, { 'bin/notes.txt': 'x\n' });
  expect(await flwd(home, 'init', '--from', 'bin')).toMatchObject({
    stdout: '',
    stderr: 'bin has no script that can become a job\n  notes.txt: not executable, and has no #! line\n',
    code: 2,
  });
  expect(await flwd(home, 'init', 'jobs/x', '--allow')).toMatchObject({
    stderr: '--profile and --allow are for --from: in a new job, write security_profile and permissions\n',
    code: 2,
  });
});
