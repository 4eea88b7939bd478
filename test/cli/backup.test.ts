import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
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
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { unfinishedRestoreFile } from '../../src/instance/unfinished-restore.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { processesWith } from '../support/processes.ts';
import { mountDisk, mountOn, testWithDisk } from '../support/small-disk.ts';
import { createInstance } from './an-instance.ts';
import { bin, createFolder, flwd, flwdReading, observe, start } from './terminal.ts';

const jobs = {
  prints: bash('echo one; seq 20000; echo kept > artifacts/file.txt'),
  hold: bash('echo "held $FLWD_RUN_ID"; sleep 8020'),
  secret: bash('cat "$FLWD_SECRETS_DIR/token" > artifacts/token; sleep "$pause"', {
    argspec: {
      type: 'object',
      properties: { token: { type: 'string', format: 'secret' }, pause: { type: 'integer', default: 0 } },
    },
  }),
};

describe('a backup of a running instance', () => {
  testWith('bwrap')(
    'can be restored elsewhere with runs, logs and artifacts; runs that were running are lost',
    async () => {
      const instance = await createInstance(jobs);
      const served = await instance.serve();
      const ended = await served.run('prints');
      const running = await served.start('hold');
      await expect.poll(() => served.messages(running)).toEqual([`held ${running}`]);
      const dest = join(createFolder(), 'backup');

      const taken = await flwd(instance.dir, 'backup', dest);
      expect(taken).toMatchObject({ stderr: '', code: 0 });
      expect(taken.stdout).toMatch(
        /^copied \d+ files \([\d.]+ \w+\) from \/\S+\/data to \/\S+; restore them with flwd restore \S+\nsecret.key and notify.key are not included/,
      );
      expect(existsSync(join(dest, 'secret.key'))).toBe(false);
      expect(spawnSync('sha256sum', ['--check', '--quiet', 'files.sha256'], { cwd: dest }).status).toBe(0);
      await served.fetch(`/runs/${running}/cancel`, { method: 'POST' });
      const lastId = /^id: (\d+)/m.exec(await (await served.fetch(`/runs/${running}/events`)).text())?.[1] ?? '';
      await served.stop();

      const other = await createInstance(jobs);
      const restored = await flwd(other.dir, 'restore', dest);
      expect(restored).toMatchObject({ code: 0 });
      expect(restored.stdout).toMatch(
        /^restored \d+ files from \S+\nruns that were running at that time: 1; the next start marks them as lost\n/,
      );
      expect(restored.stdout).toContain(
        '\nthe next server also starts runs of schedules, triggers and webhooks; to prevent this, first set scheduler.schedules_paused: true and scheduler.triggers_paused: true in flwd.yaml\n',
      );
      expect((await flwd(other.dir, 'doctor')).stdout).toContain(
        'no server is running; 1 unfinished run waits for a server',
      );
      const again = await other.serve();
      expect(await again.finished(running)).toMatchObject({ status: 'failed', reason: 'lost', attempt: 1 });
      expect(await again.messages(running)).toEqual([`held ${running}`]);
      expect(processesWith(other.dataDir).filter(({ command }) => command.includes('sleep'))).toEqual([]);
      expect(await again.json(`/runs/${ended.run_id}`)).toMatchObject({ status: 'success' });
      expect(await again.messages(ended.run_id)).toHaveLength(1_000);
      const { artifacts } = await again.json<{ artifacts: { id: string }[] }>(`/artifacts?run_id=${ended.run_id}`);
      expect(await (await again.fetch(`/artifacts/${artifacts[0]?.id}`)).text()).toBe('kept\n');
      // The id of an event is never reused, so a new event skips the ids that were assigned before the restore.
      const resumed = await again.fetch('/events/runs', { headers: { 'last-event-id': lastId } });
      expect(resumed.status).toBe(410);
      const next = await again.run('prints');
      const ids = [...(await (await again.fetch(`/runs/${next.run_id}/events`)).text()).matchAll(/^id: (\d+)/gm)];
      expect(Math.min(...ids.map(([, id]) => Number(id)))).toBeGreaterThan(1_000_000_000);
      await again.stop();
    },
  );

  testWith('bwrap')('contains lines whose log segment was compressed during the backup', async () => {
    // Two segments of 4 MiB and a remainder, even if each segment holds up to 1 MiB more.
    const printedBytes = 10_500_000;
    const instance = await createInstance({
      much: bash(`head -c ${printedBytes} /dev/zero | tr "\\0" "x" | fold -w 99; echo; echo printed; sleep 8021`),
    });
    const served = await instance.serve();
    const runId = await served.start('much');
    const printed = async (): Promise<string[]> => {
      const page = await served.json<{ logs: { message: string }[] }>(`/runs/${runId}/logs?tail=1`);
      return page.logs.map(({ message }) => message);
    };
    await expect.poll(printed).toEqual(['printed']);
    // The backup's copy of the database is older than the compression, so it has no segments either.
    const database = new DatabaseSync(join(instance.dataDir, 'flwd.db'), { timeout: 60_000 });
    await expect.poll(() => database.prepare('SELECT count(*) AS n FROM log_segments').get()?.n).toBe(2);
    database.exec('DELETE FROM log_segments');
    database.close();
    const dest = join(createFolder(), 'backup');
    expect(await flwd(instance.dir, 'backup', dest)).toMatchObject({ code: 0 });
    await served.fetch(`/runs/${runId}/cancel`, { method: 'POST' });
    await served.stop();

    const other = await createInstance({});
    await flwd(other.dir, 'restore', dest);
    const again = await other.serve();
    await again.finished(runId);
    const text = await (await again.fetch(`/runs/${runId}/logs`, { headers: { accept: 'text/plain' } })).text();
    expect(text.split('\n').filter((line) => line.startsWith('x'))).toHaveLength(Math.ceil(printedBytes / 99));
    await again.stop();
  });
});

describe('the key', () => {
  testWith('bwrap')(
    'is part of a backup with --include-key and decrypts secret arguments after a restore',
    async () => {
      const instance = await createInstance(jobs, { scheduler: { global_concurrency: 1 } });
      const served = await instance.serve();
      await served.start('hold');
      const waiting = await served.start('secret', { token: 'a secret of length' });
      const dest = join(createFolder(), 'backup');
      const taken = await flwd(instance.dir, 'backup', '--include-key', dest);
      expect(taken.stdout).toContain('secret.key and notify.key are included');
      await served.stop();

      const other = await createInstance(jobs);
      expect((await flwd(other.dir, 'restore', dest)).stdout).toContain(
        'runs that were waiting at that time: 1; the next start runs them again, even if they have run since',
      );
      expect(statSync(join(other.dataDir, 'secret.key')).mode & 0o777).toBe(0o600);
      const keyOf = ({ dataDir }: { dataDir: string }) => readFileSync(join(dataDir, 'notify.key'), 'utf8');
      expect(keyOf(other)).toBe(keyOf(instance));
      const again = await other.serve();
      expect(await again.finished(waiting)).toMatchObject({ status: 'success', error: null });
      await again.stop();

      rmSync(join(dest, 'secret.key'));
      const third = await createInstance(jobs);
      expect(await flwd(third.dir, 'restore', dest)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('secret.key is missing'),
      });
    },
  );

  testWith('bwrap')(
    'that does not match the backup is reported at once, and the missing keys can be added',
    async () => {
      const instance = await createInstance(jobs, { scheduler: { global_concurrency: 1 } });
      await flwdReading(instance.dir, 'hunter-22', 'secrets', 'set', 'registry');
      const served = await instance.serve();
      await served.start('hold');
      const waiting = await served.start('secret', { token: { secret: 'registry' } });
      const dest = join(createFolder(), 'backup');
      await flwd(instance.dir, 'backup', dest);
      const taken = readFileSync(join(instance.dataDir, 'secret.key'), 'utf8');
      await served.stop();

      const other = await createInstance(jobs);
      await flwdReading(other.dir, 'of another key', 'secrets', 'set', 'theirs');
      for (const { dir } of [await createInstance(jobs), other]) {
        const restored = await flwd(dir, 'restore', '--force', dest);
        expect(restored).toMatchObject({
          code: 0,
          stdout: expect.stringMatching(
            /no key here can decrypt some of the data \(stored secrets: 1; unfinished runs with secret arguments: 1\)\nbefore the next start, put back the key file from that time, or add its lines to the current key file, which is \/\S+\/data\/secret\.key\n/,
          ),
        });
      }
      appendFileSync(join(other.dataDir, 'secret.key'), taken);
      expect((await flwd(other.dir, 'restore', '--force', dest)).stdout).not.toContain('sealed by a key');
      const again = await other.serve();
      expect(await again.finished(waiting)).toMatchObject({ status: 'success' });
      await again.stop();
    },
  );
});

describe('a restore is refused and changes nothing', () => {
  testWith('bwrap')('while a server is running, and if the data dir contains data', async () => {
    const instance = await createInstance(jobs);
    const served = await instance.serve();
    const first = await served.run('prints');
    const dest = join(createFolder(), 'backup');
    await flwd(instance.dir, 'backup', dest);
    const second = await served.run('prints');
    expect(await flwd(instance.dir, 'restore', '--force', dest)).toMatchObject({
      code: 6,
      stderr: expect.stringContaining('is in use by'),
    });
    const held = await served.start('hold');
    await expect.poll(() => served.messages(held)).toEqual([`held ${held}`]);
    await served.stop();
    expect(await flwd(instance.dir, 'restore', '--force', dest)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`scripts of this data dir are still running: ${held}; `),
    });
    const between = await instance.serve();
    await between.fetch(`/runs/${held}/cancel`, { method: 'POST' });
    await between.stop();
    expect(await flwd(instance.dir, 'restore', dest)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('there is data already: '),
    });

    expect(await flwd(instance.dir, 'restore', '--force', dest)).toMatchObject({ code: 0 });
    const again = await instance.serve();
    expect((await again.fetch(`/runs/${first.run_id}`)).status).toBe(200);
    expect((await again.fetch(`/runs/${second.run_id}`)).status).toBe(404);
    await again.stop();
  });

  test('if the backup is damaged, incomplete or from a newer flwd', async () => {
    const { dir, dataDir } = await createInstance({});
    await flwd(dir, 'tokens', 'create', '--name', 'first', '--scopes', 'runs:read');
    const dest = join(createFolder(), 'backup');
    expect(await flwd(dir, 'backup', dest)).toMatchObject({ code: 0 });
    const other = await createInstance({});
    const restored = () => flwd(other.dir, 'restore', dest);

    const database = readFileSync(join(dest, 'flwd.db'));
    writeFileSync(join(dest, 'flwd.db'), Buffer.concat([database, Buffer.from('x')]));
    expect(await restored()).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /the backup \S+ is damaged: flwd\.db has changed since the backup was made; nothing was restored: use an earlier backup, or put an intact copy of the file there\n$/,
      ),
    });
    writeFileSync(join(dest, 'flwd.db'), database);
    const manifest = readFileSync(join(dest, 'manifest.json'), 'utf8');
    const says = async (from: string | RegExp, to: string): Promise<string> => {
      writeFileSync(join(dest, 'manifest.json'), manifest.replace(from, to));
      const { stderr, code } = await restored();
      expect(code).toBe(2);
      return stderr;
    };
    for (const [from, to] of [
      ['"format"', '"formau"'],
      [/"schema": \d+/, '"schema": 99'],
      ['"sums_sha256": "', '"sums_sha256": "x'],
    ] as const)
      expect(await says(from, to)).toMatch(/^(?:checking .*\n)?\S+\/manifest.json is damaged[:;]/);
    expect(await says('"format": 1', '"format": 2')).toContain(
      'has the format 2, which this flwd does not know: restore it with the flwd that made it, unless its manifest.json',
    );
    writeFileSync(join(dest, 'manifest.json'), manifest);
    const newer = new DatabaseSync(join(dest, 'flwd.db'));
    newer.exec('PRAGMA user_version = 99');
    newer.close();
    const sumIn = (path: string): string =>
      createHash('sha256')
        .update(readFileSync(join(dest, path)))
        .digest('hex');
    const sums = readFileSync(join(dest, 'files.sha256'), 'utf8');
    writeFileSync(join(dest, 'files.sha256'), sums.replace(/\w+(?= {2}flwd\.db)/, sumIn('flwd.db')));
    const ofNewer = manifest.replace(/"schema": \d+/, '"schema": 99');
    const withSum = ofNewer.replace(/(?<="sums_sha256": ")\w+/, sumIn('files.sha256'));
    writeFileSync(join(dest, 'manifest.json'), withSum);
    expect(await restored()).toMatchObject({ code: 2, stderr: expect.stringContaining('was written by a newer flwd') });
    rmSync(join(dest, 'manifest.json'));
    expect(await restored()).toMatchObject({ code: 2, stderr: expect.stringContaining('is not a complete backup') });
    expect(existsSync(join(other.dataDir, 'flwd.db'))).toBe(false);

    expect(await flwd(dir, 'backup', dest)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('has an incomplete backup, without manifest.json; remove it'),
    });
    rmSync(join(dest, 'flwd.db'));
    expect(await flwd(dir, 'backup', dest)).toMatchObject({ code: 2, stderr: expect.stringContaining('is not empty') });
    expect(await flwd(dir, 'backup', join(dataDir, 'backup'))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('is lost with it'),
    });
  });

  test('if the destination folder cannot be created', async () => {
    const { dir } = await createInstance({ greet: bash('true') });
    await flwd(dir, 'greet');
    expect(await flwd(dir, 'backup', '/proc/backup')).toEqual({
      code: 2,
      stdout: '',
      stderr: '/proc/backup cannot be written: no file or folder can be made there\n',
    });
  });

  test('if the source is not a backup, and no data dir is created', async () => {
    const dir = createFolder();
    writeFileSync(join(dir, 'file'), 'not a backup');
    mkdirSync(join(dir, 'empty'));
    mkdirSync(join(dir, 'there'));
    symlinkSync('circle', join(dir, 'circle'));
    const what = 'a backup is a folder that flwd backup has made, with manifest.json and flwd.db';
    for (const [source, why] of [
      ['typo', `there is no folder ${dir}/typo; ${what}`],
      ['file', `${dir}/file is not a folder; ${what}`],
      ['empty', `${dir}/empty is not a complete backup: it has no manifest.json; ${what}`],
      ['circle', `${dir}/circle/manifest.json cannot be read (ELOOP)`],
    ] as const) {
      expect(await flwd(dir, 'restore', source, '--data-dir', 'new')).toEqual({
        code: 2,
        stdout: '',
        stderr: `${why}\n`,
      });
      expect(existsSync(join(dir, 'new'))).toBe(false);
    }
    await flwd(dir, 'restore', 'typo', '--data-dir', 'there');
    expect(existsSync(join(dir, 'there'))).toBe(true);
  });
});

describe('a restore that was interrupted', () => {
  test('while it replaced files is reported by every command that needs them, and finished by the next restore', async () => {
    const { dir, dataDir } = await createInstance({ prints: jobs.prints });
    const tokens = (name: string) => flwd(dir, 'tokens', 'create', '--name', name, '--scopes', 'runs:read');
    await tokens('first');
    const dest = join(createFolder(), 'backup');
    expect(await flwd(dir, 'backup', dest)).toMatchObject({ code: 0 });
    await tokens('second');
    const killing = join(createFolder(), 'killing.mjs');
    writeFileSync(
      killing,
      `import fs from 'node:fs/promises'; import { syncBuiltinESMExports } from 'node:module';
       const { rename } = fs;
       fs.rename = (from, to) => to.endsWith('flwd.db') ? process.kill(process.pid, 'SIGKILL') : rename(from, to);
       syncBuiltinESMExports();`,
    );
    const env = { NODE_OPTIONS: `--import ${killing}` };
    expect(await start(dir, ['restore', '--force', dest], env).ended).toMatchObject({ code: 'SIGKILL' });

    const words = `a restore into the data dir ${dataDir} was interrupted, so its files are partly old and partly new; run flwd restore again with the same backup to finish it`;
    for (const command of [
      ['serve'],
      ['runs'],
      ['run', 'prints'],
      ['audit'],
      ['backup', join(createFolder(), 'other')],
    ])
      expect({ command, ...(await start(dir, command).ended) }).toMatchObject({
        command,
        code: 2,
        stderr: expect.stringContaining(words),
      });
    const doctor = await flwd(dir, 'doctor');
    expect(doctor.code).toBe(1);
    expect(doctor.stdout).toMatch(
      /^fail {2}data dir .* was interrupted, so its files are partly old and partly new\n +→ run flwd restore again with the/m,
    );

    // A backup of an earlier version has no list of files that have been damaged since the backup.
    const note = unfinishedRestoreFile(dataDir);
    const { source, restored } = JSON.parse(readFileSync(note, 'utf8'));
    writeFileSync(note, JSON.stringify({ source, restored: { ...restored, damagedSince: undefined } }));
    expect(await flwd(dir, 'restore', dest)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^restored \d+ files from \S+\n.*tokens as they were at that time: 1;/s),
      stderr: `finishing the interrupted restore of ${dest}\n`,
    });
    expect((await flwd(dir, 'tokens', 'list')).stdout).not.toContain('second');
  });

  test('before it replaced any file has changed nothing, and flwd doctor names the files that it left', async () => {
    const { dir, dataDir } = await createInstance({});
    await flwd(dir, 'tokens', 'create', '--name', 'first', '--scopes', 'runs:read');
    writeFileSync(join(dataDir, 'flwd.db.restoring'), 'a part');
    const left = new RegExp(
      `^warn {2}restore .*left by a restore that was interrupted: ${dataDir}/flwd.db.restoring$`,
      'm',
    );
    expect((await flwd(dir, 'doctor')).stdout).toMatch(left);
    const dest = join(createFolder(), 'backup');
    await flwd(dir, 'backup', dest);
    expect(await flwd(dir, 'restore', '--force', dest)).toMatchObject({ code: 0 });
    expect((await flwd(dir, 'doctor')).stdout).not.toMatch(left);
  });
});

describe('a data dir on volumes, as in a container', () => {
  testWithDisk('is restored, although neither it nor its folders nor the key file can be replaced', async () => {
    const instance = await createInstance({ prints: jobs.prints });
    const served = await instance.serve();
    const first = await served.run('prints');
    const dest = join(createFolder(), 'backup');
    expect(await flwd(instance.dir, 'backup', '--include-key', dest)).toMatchObject({ code: 0 });
    await served.stop();

    const dir = createFolder();
    const folders = ['', 'artifacts', 'logs', 'snapshots', 'runs'].map((name) => join(dir, 'data', name));
    for (const folder of folders) {
      mkdirSync(folder);
      mountDisk(folder, 32);
    }
    for (const folder of folders.slice(1)) mkdirSync(join(folder, 'lost+found'), { mode: 0o700 });
    const { dataDir, serve } = await createInstance({ prints: jobs.prints }, {}, dir);
    chmodSync(dataDir, 0o700);
    const key = join(createFolder(), 'key');
    copyFileSync(join(dest, 'secret.key'), key);
    writeFileSync(join(dataDir, 'secret.key'), '');
    mountOn(join(dataDir, 'secret.key'), '--bind', key);
    const rootsOf = () => folders.map((folder) => statSync(folder)).map(({ dev, ino, mode }) => [dev, ino, mode]);
    const roots = rootsOf();
    expect(await flwd(dir, 'restore', dest)).toMatchObject({ code: 0 });
    const between = await serve();
    expect(await between.messages(first.run_id)).toHaveLength(1_000);
    const second = await between.run('prints');
    await between.stop();

    expect(await flwd(dir, 'restore', dest)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`there is data already: ${dataDir}/flwd.db, ${dataDir}/logs, `),
    });
    expect(await flwd(dir, 'restore', '--force', dest)).toMatchObject({ code: 0 });
    const again = await serve();
    expect(await again.messages(first.run_id)).toHaveLength(1_000);
    expect((await again.fetch(`/runs/${second.run_id}`)).status).toBe(404);
    const { artifacts } = await again.json<{ artifacts: { id: string }[] }>(`/artifacts?run_id=${first.run_id}`);
    expect(await (await again.fetch(`/artifacts/${artifacts[0]?.id}`)).text()).toBe('kept\n');
    await again.stop();
    expect(rootsOf()).toEqual(roots);
    for (const folder of folders.slice(1)) expect(readdirSync(folder)).toContain('lost+found');
  });
});

describe('a full disk', () => {
  testWithDisk('of the data dir makes a restore say how much space is missing and change nothing', async () => {
    const dir = createFolder();
    mountDisk(dir, 24);
    const { dataDir } = await createInstance({}, {}, dir);
    await flwd(dir, 'tokens', 'create', '--name', 'first', '--scopes', 'runs:read');
    const other = await createInstance({});
    await flwd(other.dir, 'tokens', 'create', '--name', 'second', '--scopes', 'runs:read');
    const snapshot = join(other.dataDir, 'snapshots/0123456789abcdef');
    mkdirSync(snapshot, { recursive: true });
    writeFileSync(join(snapshot, 'large'), Buffer.alloc(40 * 2 ** 20));
    const dest = join(createFolder(), 'backup');
    expect(await flwd(other.dir, 'backup', dest)).toMatchObject({ code: 0 });

    const before = readdirSync(dataDir);
    const { code, stderr } = await flwd(dir, 'restore', '--force', dest);
    expect(stderr).toMatch(
      /\nthe restore needs 4[12](\.\d)? MiB beside the present data, and the disk that holds \S+ has \d[\d.]* MiB free: [\d.]+ MiB more are needed; nothing was changed: free space there, or restore into another data dir \(--data-dir\)\n$/,
    );
    expect(code).toBe(6);
    expect(readdirSync(dataDir)).toEqual(before);
    expect((await flwd(dir, 'tokens', 'list')).stdout).toContain('first');
  });

  testWithDisk('of the backup is named in the error, and the files copied so far are removed', async () => {
    const { dir, dataDir } = await createInstance({});
    await flwd(dir, 'tokens', 'create', '--name', 'first', '--scopes', 'runs:read');
    const snapshot = join(dataDir, 'snapshots/0123456789abcdef');
    mkdirSync(snapshot, { recursive: true });
    writeFileSync(join(snapshot, 'large'), Buffer.alloc(8 * 2 ** 20));
    const disk = createFolder();
    mountDisk(disk, 4);
    mkdirSync(join(disk, 'made before'));
    for (const dest of [join(disk, 'new'), join(disk, 'made before')]) {
      expect(await flwd(dir, 'backup', dest)).toMatchObject({
        code: 6,
        stderr: `the disk that holds ${dest} is full; free space there, or choose a folder on another disk\n`,
      });
    }
    expect(readdirSync(disk, { recursive: true })).toEqual(['made before']);
    mountOn(disk, '-t', 'tmpfs', '-o', 'ro', 'flwd-test');
    expect(await flwd(dir, 'backup', join(disk, 'new'))).toMatchObject({
      code: 2,
      stderr: `${disk}/new cannot be written: the file system is read-only\n`,
    });
  });

  test('is not blamed if a backup cannot be written because part of its path is a file', async () => {
    const { dir } = await createInstance({});
    await flwd(dir, 'tokens', 'create', '--name', 'first', '--scopes', 'runs:read');
    const file = join(createFolder(), 'file');
    writeFileSync(file, '');
    expect(await flwd(dir, 'backup', file)).toMatchObject({
      code: 2,
      stderr: `${file} cannot be written: it is not a folder\n`,
    });
    expect(await flwd(dir, 'backup', join(file, 'sub'))).toMatchObject({
      code: 2,
      stderr: `${file}/sub cannot be written: a part of the path is not a folder\n`,
    });
    expect(readFileSync(file, 'utf8')).toBe('');
  });
});

/** Makes a database without tables of flwd in the data dir. */
function putDatabase(dataDir: string, sql: string): string {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const path = join(dataDir, 'flwd.db');
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
  chmodSync(path, 0o600);
  return path;
}

test('no command writes to a database of another program, and each says what to do', async () => {
  const { dir, dataDir } = await createInstance({ hello: bash('echo hello') });
  const path = putDatabase(dataDir, 'CREATE TABLE books (title TEXT); PRAGMA user_version = 1');
  const content = readFileSync(path);
  const what = `the database ${path} belongs to another program: it has tables, but no tables of flwd`;
  const fix = 'name another file under persistence.db_path in flwd.yaml, or move this file away';
  const dest = join(createFolder(), 'backup');
  for (const words of [
    ['serve'],
    ['run', 'hello'],
    ['runs'],
    ['gc'],
    ['secrets', 'list'],
    ['tokens', 'list'],
    ['backup', dest],
    ['audit'],
    ['audit', 'verify'],
  ]) {
    const { code, stdout, stderr } = await flwd(dir, ...words);
    expect({ words, code, stdout, stderr }).toEqual({
      words,
      code: 2,
      stdout: '',
      stderr: expect.stringContaining(`${what}; ${fix}\n`),
    });
    expect(readFileSync(path)).toEqual(content);
  }
  const doctor = await flwd(dir, 'doctor');
  expect(doctor.stdout.replaceAll(/ +/g, ' ')).toContain(`fail database ${what}\n → ${fix}\n`);
  expect(readFileSync(path)).toEqual(content);
});

test('backup and audit say what to do if the database is empty, and doctor names it', async () => {
  const { dir, dataDir } = await createInstance({});
  const path = putDatabase(dataDir, 'PRAGMA journal_mode = WAL');
  const stderr = `the database ${path} has no tables of flwd yet; start flwd serve, or a job with flwd run, to create them\n`;
  const dest = join(createFolder(), 'backup');
  expect(await flwd(dir, 'backup', dest)).toEqual({ code: 2, stdout: '', stderr });
  expect(existsSync(dest)).toBe(false);
  expect(await flwd(dir, 'audit')).toEqual({ code: 2, stdout: '', stderr });
  expect(await flwd(dir, 'audit', 'verify')).toEqual({ code: 2, stdout: '', stderr });
  expect((await flwd(dir, 'doctor')).stdout).toContain(
    `${path} has no tables of flwd yet; the first start creates them`,
  );
});

testWith('bwrap', 'setpriv')(
  'the nightly job of docs/operation.md backs up the data dir that its flwd.yaml names',
  async () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/operation.md'), 'utf8');
    const [, recipe = ''] = page.split('### Back up every night\n');
    const [, config = ''] = /```yaml\n# config.yaml\n(.*?)```/s.exec(recipe) ?? [];
    const [, script = ''] = /```sh\n(#!\/bin\/sh\n.*?)```/s.exec(recipe) ?? [];
    // Not below /tmp, because a job has its own /tmp.
    const home = mkdtempSync('/var/tmp/flwd-backup-');
    onTestFinished(() => rmSync(home, { recursive: true, force: true }));
    const dataDir = join(home, 'data');
    const own = script
      .replaceAll('/etc/flwd/flwd.yaml', join(home, 'flwd.yaml'))
      .replaceAll('/mnt/backup', join(home, 'backups'))
      .replace(/^flwd/m, `${process.execPath} ${bin}`);
    for (const folder of ['jobs/nightly', 'backups']) mkdirSync(join(home, folder), { recursive: true });
    writeFileSync(
      join(home, 'flwd.yaml'),
      `instance: {data_dir: ${dataDir}}\nserver: {bind: "127.0.0.1:0"}\nsecurity: {allow_profiles: [secure, disabled]}\n`,
    );
    writeFileSync(join(home, 'jobs/nightly/config.yaml'), config);
    writeFileSync(join(home, 'jobs/nightly/run.sh'), own, { mode: 0o755 });
    const isRoot = process.getuid?.() === 0;
    if (isRoot) spawnSync('chown', ['-R', '65534:65534', home]);
    const asUser = isRoot ? ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'] : [];
    const env = { PATH: process.env.PATH, HOME: home };
    const typed = (...words: string[]) => {
      const [program = '', ...args] = [...asUser, process.execPath, bin, ...words];
      return observe(spawn(program, args, { cwd: home, env, stdio: ['ignore', 'pipe', 'pipe'] }));
    };
    const server = typed('serve');
    await server.prints(/listening on/);

    expect(await typed('run', 'nightly').ended).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/copied \d+ files/),
    });
    const [made = ''] = readdirSync(join(home, 'backups'));
    expect(made).toMatch(/^flwd-\d{4}-\d{2}-\d{2}$/);
    expect(existsSync(join(home, 'backups', made, 'manifest.json'))).toBe(true);
    server.child.kill('SIGTERM');
    await server.ended;
  },
);

test('a backup without a data dir is refused, and the answer names --data-dir', async () => {
  const dir = createFolder();
  expect(await flwd(dir, 'backup', 'copy')).toEqual({
    code: 3,
    stdout: '',
    stderr: `there is no flwd instance in ${dir}/.local/share/flwd yet: flwd serve or a first flwd run creates one; --data-dir names another folder\n`,
  });
  expect(readdirSync(dir)).toEqual([]);
});

test('no backup is made while a file exists where the instance needs a folder', async () => {
  const { dir } = await createInstance({});
  await flwd(dir, 'tokens', 'create', '--name', 'first', '--scopes', 'runs:read');
  const logs = join(dir, 'data', 'logs');
  writeFileSync(logs, '');
  const dest = join(createFolder(), 'backup');
  expect(await flwd(dir, 'backup', dest)).toMatchObject({
    code: 2,
    stderr: `${logs} is a file, but flwd needs a folder there: move it away, or restore a backup\n`,
  });
  expect(existsSync(dest)).toBe(false);
});

describe('an instance with a job named backup', () => {
  const named = {
    backup: bash('echo "of $src"', { argspec: { type: 'object', properties: { src: { type: 'string' } } } }),
  };

  test('does not mistake the job’s arguments for a folder, and the job’s help says how to run it', async () => {
    const { dir } = await createInstance(named);
    expect(await flwd(dir, 'backup', '--src', '/srv')).toEqual({
      stdout: '',
      stderr: 'the command flwd backup has no option --src; to run the job `backup`: flwd run backup --src …\n',
      code: 2,
    });
    expect((await flwd(dir, 'run', 'backup', '--help')).stdout).toMatch(/^Usage: flwd run backup \[ARGUMENTS\]\n/);
    const other = await createInstance({});
    expect((await flwd(other.dir, 'backup', '--src', '/srv')).stderr).toMatch(/^unknown option --src; /);
  });

  testWith('bwrap')('says that the instance was copied if flwd backup may have been meant to run the job', async () => {
    const { dir, dataDir } = await createInstance(named);
    expect(await flwd(dir, 'run', 'backup', '--src', '/srv', '--quiet')).toMatchObject({ code: 0 });
    const { stderr, code } = await flwd(dir, 'backup', 'daily');
    expect(code).toBe(0);
    expect(stderr).toBe(
      `no job is named \`backup/daily\`, so the instance in ${dataDir} was copied to ${join(dir, 'daily')}\n`,
    );
    expect(existsSync(join(dir, 'daily'))).toBe(true);
  });
});

test.each([
  ['backup', './there'],
  ['restore', 'there'],
  ['audit', 'verify'],
])('flwd %s %s is refused if FLWD_REMOTE or FLOWD_REMOTE names another instance', async (...words) => {
  const dir = createFolder();
  const variable = words[0] === 'restore' ? 'FLOWD_REMOTE' : 'FLWD_REMOTE';
  const { ended } = start(dir, words, { [variable]: 'http://127.0.0.1:9' });
  const verb = words[0] === 'audit' ? 'audit verify' : words[0];
  expect(await ended).toMatchObject({
    code: 2,
    stderr: `flwd ${verb} works on the files of the data dir: run it on that machine, or unset ${variable}\n`,
  });
  expect(existsSync(join(dir, 'there'))).toBe(false);
});
