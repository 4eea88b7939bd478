// Files of an instance that the current user may not read or write, as after a `cp` by root or a wrong chmod.

import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { bin, createFolder, flwd as flwdHere, observe, type Seen, start } from './terminal.ts';

const isRoot = process.getuid?.() === 0;
const user = isRoot ? 65_534 : (process.getuid?.() ?? 0);

/** Root may access every file, so the commands run as another user if the test runs as root. */
function flwd(dir: string, ...words: readonly string[]): Promise<Seen> {
  const asUser = isRoot ? ['setpriv', '--reuid', String(user), '--regid', String(user), '--clear-groups'] : [];
  const [program = '', ...args] = [...asUser, process.execPath, bin, ...words];
  const child = spawn(program, args, {
    cwd: dir,
    env: { PATH: process.env.PATH, HOME: dir },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return observe(child).ended;
}

async function stoppedInstance(jobs: Parameters<typeof createInstance>[0] = {}) {
  const instance = await createInstance(jobs);
  await (await instance.serve()).stop();
  if (isRoot) spawnSync('chown', ['-R', `${user}:${user}`, instance.dir]);
  return instance;
}

test('a file of the database that may not be written is named with a fix, by every command', async () => {
  const { dir, dataDir } = await stoppedInstance();
  const database = join(dataDir, 'flwd.db');
  chmodSync(database, 0o400);
  const what = `the database file ${database} cannot be written`;
  const refusal = { code: 2, stdout: '', stderr: `${what}: its mode is 400; chmod 600 ${database}\n` };
  expect(await flwd(dir, 'runs')).toEqual(refusal);
  expect(await flwd(dir, 'serve')).toEqual(refusal);
  const doctor = await flwd(dir, 'doctor');
  expect(doctor).toMatchObject({ code: 1, stderr: '' });
  expect(doctor.stdout).toMatch(
    /^fail {2}database {2,}\S.* cannot be written: its mode is 400\n +→ chmod 600 \S+flwd\.db$/m,
  );

  // Doctor must not have created the files beside the database, because their mode would be wrong as well.
  chmodSync(database, 0o600);
  expect(await flwd(dir, 'runs')).toMatchObject({ code: 0 });
  if (!isRoot) return;
  chownSync(database, 0, 0);
  const fix = 'run flwd as the owner of the data dir, and chown the file to that user';
  expect(await flwd(dir, 'runs')).toEqual({
    ...refusal,
    stderr: `${what}: it belongs to another user, uid 0; ${fix}\n`,
  });
});

const unreadable =
  'cannot be read: you need permission to read and enter this folder, and to enter the folders above it\n';

test('commands name a folder of jobs that may be listed but not entered', async () => {
  const { dir } = await stoppedInstance({ top: bash('cat data/x'), 'group/a': bash('echo a') });
  const group = join(dir, 'jobs/group');
  const error =
    'group/config.yaml:1:1: flwd may not read this folder: let the user of the server read and enter it, or name it in .flwdignore\n';
  chmodSync(group, 0o644);
  expect(await flwd(dir, 'jobs')).toMatchObject({ code: 0, stderr: `group is broken: ${error}` });
  expect(await flwd(dir, 'jobs', 'validate', 'jobs')).toMatchObject({ code: 2, stderr: `jobs/${error}` });
  expect(await flwd(dir, 'jobs', 'validate', 'jobs/group/a')).toMatchObject({
    code: 2,
    stderr: `jobs/group/a ${unreadable}`,
  });
  expect((await flwd(dir, 'doctor')).stdout).toMatch(
    /^warn {2}jobs {2,}1 of 2 jobs is broken, so neither a schedule nor a person can start it: group\n +→ run flwd jobs, which shows their errors$/m,
  );
  chmodSync(group, 0o755);
  expect(await flwd(dir, 'jobs')).toMatchObject({ code: 0, stderr: '' });

  // The copy that a run gets would lack these files.
  mkdirSync(join(dir, 'jobs/top/data'));
  writeFileSync(join(dir, 'jobs/top/data/x'), '');
  chmodSync(join(dir, 'jobs/top/data'), 0o644);
  expect(await flwd(dir, 'run', 'top')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('its folder `data` cannot be read (EACCES)'),
  });
});

test('commands name a file of a job that may not be read', async () => {
  const { dir } = await stoppedInstance({ copy: bash('echo copy') });
  const key = join(dir, 'jobs/copy/keys/key.pem');
  mkdirSync(join(dir, 'jobs/copy/keys'));
  writeFileSync(key, '');
  chmodSync(key, 0o000);
  if (isRoot) chownSync(key, user, user);
  const fix = 'let the user of the server read it, or name it in .flwdignore';
  const stderr = `copy/config.yaml:1:1: its file \`keys/key.pem\` cannot be read (EACCES): ${fix}\n`;
  for (const verb of ['run', 'plan', 'jobs']) expect(await flwd(dir, verb, 'copy')).toMatchObject({ code: 2, stderr });

  writeFileSync(join(dir, 'jobs/.flwdignore'), 'copy/keys\n');
  expect(await flwd(dir, 'plan', 'copy')).toMatchObject({ code: 0, stderr: '' });
});

test('commands name the folder of a source that may not be read or entered, or that lies in such a folder', async () => {
  const { dir } = await stoppedInstance({ etl: bash('echo etl') });
  const jobs = join(dir, 'jobs');
  const uid = user;
  mkdirSync(join(dir, 'above'));
  writeFileSync(join(dir, 'flwd.yaml'), 'sources:\n  - path: ./jobs\n  - path: ./above/more\n');
  mkdirSync(join(dir, 'above/more'));
  for (const mode of [0o644, 0o000]) {
    for (const folder of ['jobs', 'above']) chmodSync(join(dir, folder), mode);
    expect(await flwd(dir, 'jobs')).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(
        `flwd: flwd.yaml:2:11: uid ${uid} may not read the folder ./jobs, so flwd finds no jobs there\n` +
          `flwd: flwd.yaml:3:11: uid ${uid} may not read the folder ./above/more, so flwd finds no jobs there\n`,
      ),
    });
    expect((await flwd(dir, 'sources')).stdout.match(/\bmissing\b/g)).toHaveLength(2);
    expect((await flwd(dir, 'doctor')).stdout).toContain(
      `jobs has no jobs, because uid ${uid} may not read the folder ${jobs}\n`,
    );
    expect(await flwd(dir, 'jobs', 'validate', 'jobs')).toMatchObject({
      code: 2,
      stderr: `jobs ${unreadable}`,
    });
    for (const folder of ['jobs', 'above']) chmodSync(join(dir, folder), 0o755);
  }
  expect(await flwd(dir, 'jobs')).toMatchObject({ code: 0, stderr: '' });
});

test('doctor fails where serve refuses the data dir, in the same words', async () => {
  const { dir, dataDir } = await stoppedInstance();
  const cannot = `the data dir ${dataDir} cannot be used: `;
  for (const [mode, why] of [
    [
      0o777,
      'other users can write to it (mode 777), so what is there may not be flwd’s (look through it, then chmod 700 it)',
    ],
    [0o500, 'its mode is 500, so its owner, who runs flwd, may not use it (chmod 700 it)'],
    [0o000, 'its mode is 000, so its owner, who runs flwd, may not use it (chmod 700 it)'],
  ] as const) {
    chmodSync(dataDir, mode);
    const fix = 'fix that, or choose another (--data-dir)';
    const refusal = { code: 2, stdout: '', stderr: `${cannot}${why}; ${fix}\n` };
    expect(await flwd(dir, mode === 0o000 ? 'runs' : 'serve')).toEqual(refusal);
    const doctor = await flwd(dir, 'doctor');
    expect(doctor).toMatchObject({ code: 1, stderr: '' });
    expect(doctor.stdout.replaceAll(/ +/g, ' ')).toContain(`fail data dir ${cannot}${why}\n → ${fix}\n`);
  }
  chmodSync(dataDir, 0o700);
});

test('doctor fails where serve cannot create the data dir, in the same words', async () => {
  const { dir } = await stoppedInstance();
  const closed = join(dir, 'closed');
  mkdirSync(closed, { mode: 0o555 });
  writeFileSync(join(dir, 'file'), '');
  for (const [place, why] of [
    ['closed/data', `this user may not create a folder in ${closed}`],
    ['closed/new/data', `this user may not create a folder in ${closed}`],
    ['file/data', 'a part of the path is not a folder'],
  ] as const) {
    const dataDir = join(dir, place);
    const fix = 'fix that, or choose another (--data-dir)';
    const cannot = `the data dir ${dataDir} cannot be used: ${why}`;
    const refusal = { code: 2, stdout: '', stderr: `${cannot}; ${fix}\n` };
    expect(await flwd(dir, 'serve', '--data-dir', dataDir)).toEqual(refusal);
    const doctor = await flwd(dir, 'doctor', '--data-dir', dataDir);
    expect(doctor).toMatchObject({ code: 1, stderr: '' });
    expect(doctor.stdout.replaceAll(/ +/g, ' ')).toContain(`fail data dir ${cannot}\n → ${fix}\n`);
  }
});

test('a key of the secrets that all users can read is a warning of doctor and serve', async () => {
  const instance = await createInstance({});
  await (await instance.serve()).stop();
  const key = join(instance.dataDir, 'secret.key');
  expect(statSync(key).mode & 0o777).toBe(0o600);
  chmodSync(key, 0o644);
  const doctor = await flwdHere(instance.dir, 'doctor');
  expect(doctor.stdout).toMatch(
    /^warn {2}secret key .*: other users can read the key of the secrets \(mode 644\)\n +→ chmod 600 \S+secret\.key$/m,
  );
  const { child, ended, prints } = start(instance.dir, ['serve']);
  await prints(/other users can read the key of the secrets: chmod 600 \S+secret\.key/);
  child.kill('SIGTERM');
  await ended;
});

test('a data dir behind a link is restored even if this user may not rename the folder', async () => {
  const { dir, dataDir } = await stoppedInstance();
  const around = createFolder();
  onTestFinished(() => chmodSync(around, 0o755));
  for (const name of ['artifacts', 'runs']) {
    const target = join(around, name);
    mkdirSync(target);
    if (isRoot) chownSync(target, user, user);
    // As in the root folder of a file system.
    mkdirSync(join(target, 'lost+found'), { mode: 0o000 });
    rmSync(join(dataDir, name), { recursive: true, force: true });
    symlinkSync(target, join(dataDir, name));
  }
  chmodSync(around, 0o555);
  const dest = join(dir, 'backup');
  expect(await flwd(dir, 'backup', dest)).toMatchObject({ code: 0 });
  expect(await flwd(dir, 'tokens', 'create', '--name', 'later', '--scopes', 'runs:read')).toMatchObject({ code: 0 });
  const foreign = join(around, 'artifacts/AA');
  mkdirSync(foreign);
  chmodSync(foreign, 0o555);
  expect(await flwd(dir, 'restore', '--force', dest)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(
      `${foreign} cannot be moved: permission denied; give it to the user who runs flwd\n`,
    ),
  });
  expect((await flwd(dir, 'tokens', 'list')).stdout).toContain('later');
  rmSync(foreign, { recursive: true });
  expect(await flwd(dir, 'restore', '--force', dest)).toMatchObject({ code: 0 });
  expect((await flwd(dir, 'tokens', 'list')).stdout).not.toContain('later');
  expect(await flwd(dir, 'gc')).toMatchObject({ code: 0, stderr: '' });
  for (const name of ['artifacts', 'runs']) expect(readdirSync(join(around, name))).toEqual(['lost+found']);
});
