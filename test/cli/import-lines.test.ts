// `flwd import crontab`: what a line does besides its command, such as a lock, becomes part of the job.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { writeFiles } from './a-job-folder.ts';
import { flwd, flwdReading } from './terminal.ts';

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
  // A note for root alone.
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
    ['flock became `concurrency: {limit: 1, on_conflict: reject}`: a run that begins during another is rejected'],
    [
      'flock became `concurrency: {limit: 1, on_conflict: queue}`: a run that begins during another waits until that ' +
        'one has ended; `timeouts: {queue: 10s}` lets it give up as flock did',
    ],
    [
      expect.stringContaining('on_conflict: queue'),
      'the sandbox does not show /var/lock/z: remove the lock, which `concurrency` replaces',
    ],
    [expect.stringContaining('on_conflict: reject')],
    [expect.stringContaining('/tmp of its own')],
    [expect.stringContaining('on_conflict: reject')],
  ]);
  expect((await flwd(dir, 'jobs', 'validate', 'jobs')).stdout).toBe('6 jobs are valid\n');
});

test('jobs with the same lock are told of each other', async () => {
  const found = await imported(
    createHome(),
    '1 * * * * flock -n /tmp/x.lock sync',
    '2 * * * * flock -n /tmp/other.lock sync',
    '3 * * * * (flock 9; date) 9>/tmp/x.lock',
  );
  const [, , of] = found.map(({ notes }) => notes.filter((note) => note.includes('the same lock')));
  expect(found.map(({ notes }) => notes.some((note) => note.includes('the same lock')))).toEqual([true, false, true]);
  expect(of).toEqual([
    'jobs/sync takes the same lock, and `concurrency` limits each job alone: if they must not run at once, make them ' +
      'steps of one job',
  ]);
});

test('the command under flock, sh -c and sh FILE lacks what it lacks alone', async () => {
  const dir = createHome();
  writeFiles(dir, { 'bin/backup.sh': '#!/bin/sh\ncurl -fsS https://example.org > /srv/x\n' });
  const found = await imported(
    dir,
    `1 1 * * * ${dir}/bin/backup.sh shop`,
    `2 1 * * * flock -n /tmp/a nice -n 5 ${dir}/bin/backup.sh -n`,
    `3 1 * * * flock /tmp/b -c 'cd ${dir} && bin/backup.sh'`,
    `4 1 * * * bash -c 'set -e; ${dir}/bin/backup.sh'`,
    `5 1 * * * sh ${dir}/bin/backup.sh`,
    `6 1 * * * ${'flock /tmp/c '.repeat(700)} date`,
  );
  const lacks = { write: ['/srv'], network: `line 2 of ${dir}/bin/backup.sh: curl` };
  expect(found.slice(0, 5).map((one) => one.lacks)).toMatchObject([lacks, lacks, lacks, lacks, lacks]);
  expect(found.slice(0, 5).every((one) => one.lacks.read.includes(`${dir}/bin/backup.sh`))).toBe(true);
});
