// `flwd takeover` moves imported lines from cron to flwd, and back with `--undo`. At no moment may both start a job.

import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { createCrontab } from './a-crontab.ts';
import { createInstance } from './an-instance.ts';
import { type Seen, start } from './terminal.ts';

type Schedule = { readonly job_id: string; readonly held: boolean };

/** A month that is far away, so that a takeover need not wait until a scheduled minute is over. */
const far = new Date(Date.now() + 40 * 86_400_000).getUTCMonth() + 1;
const lines = [
  '# my jobs',
  'MAILTO=""',
  `  0 3 1 ${far} *  echo first\t`,
  `0 4 1 ${far} * echo second`,
  `0 5 1 ${far} * date; echo third`,
  'not a line of cron',
  '',
];
const table = lines.join('\n');
const marked = [
  ...lines.slice(0, 2),
  `#flwd:echo# ${lines[2]}`,
  `#flwd:echo-2# ${lines[3]}`,
  `#flwd:date# ${lines[4]}`,
  ...lines.slice(5),
].join('\n');

/** If the server runs as root, its jobs run as another user, so each job must name that user. */
const isRoot = userInfo().uid === 0;
const security = isRoot ? { security: { run_as: ['games'] } } : {};

async function imported(text = table) {
  const { dir, dataDir, serve } = await createInstance({}, security);
  const crontab = createCrontab(dir, text);
  const type = (...words: readonly string[]) => start(dir, words, crontab.env);
  const flwd = (...words: readonly string[]): Promise<Seen> => type(...words).ended;
  expect(await flwd('import', 'crontab', '--quiet')).toMatchObject({ code: 0 });
  if (isRoot) for (const job of ['date', 'echo', 'echo-2']) addTo(dir, job, 'run_as: games\n');
  const server = await serve();
  const schedules = async () => (await server.json<{ schedules: Schedule[] }>('/schedules')).schedules;
  const held = async () => (await schedules()).filter((one) => one.held).map((one) => one.job_id);
  await expect.poll(async () => (await schedules()).length).toBe(3);
  return { dir, dataDir, crontab, type, flwd, held, server };
}

function addTo(dir: string, job: string, line: string): void {
  const file = join(dir, 'jobs', job, 'config.yaml');
  writeFileSync(file, `${readFileSync(file, 'utf8')}\n${line}`);
}

test('a takeover says once to whom cron has mailed the output of the jobs', async () => {
  const { flwd } = await imported(table.replace('MAILTO=""', 'MAILTO=ops@example.org'));
  const { stdout } = await flwd('takeover', '--dry-run');
  expect(stdout.match(/^note: cron mails the output to ops@example\.org; flwd keeps it\. For a mail/gm)).toHaveLength(
    1,
  );
  const { lines: found }: { lines: object[] } = JSON.parse((await flwd('takeover', '--dry-run', '--json')).stdout);
  expect(found[0]).toMatchObject({ cron_mails_to: 'ops@example.org' });
});

test('cron loses exactly the imported lines, flwd gets them, and --undo brings them back', async () => {
  const { dataDir, crontab, flwd, held, server } = await imported();
  expect(await held()).toEqual(['date', 'echo', 'echo-2']);
  const dry = await flwd('takeover', '--dry-run');
  expect(dry).toMatchObject({ code: 0, stderr: '' });
  expect(dry.stdout).toMatch(
    /line 3: 0 3 .* echo first\n {2}echo: flwd takes it over\n {2}note: echo has not run here yet: try flwd run echo first\n(?: {2}note: .*\n)? {4}cron +flwd\n {4}(\S+) {2}\1\n/,
  );
  if (isRoot) expect(dry.stdout).toContain('  note: cron ran it as root, and flwd runs it as games\n');
  expect(crontab.read()).toBe(table);

  expect(await flwd('takeover')).toMatchObject({ code: 2, stderr: expect.stringContaining('add --yes') });
  const taken = await flwd('takeover', '--yes');
  expect(taken).toMatchObject({ code: 0, stderr: expect.stringContaining('flwd starts echo-2 from now on') });
  expect(crontab.read()).toBe(marked);
  expect(await held()).toEqual([]);
  const copies = readdirSync(join(dataDir, 'takeover')).filter((name) => name.startsWith('20'));
  expect(copies.map((name) => readFileSync(join(dataDir, 'takeover', name), 'utf8'))).toEqual([table]);
  expect(statSync(join(dataDir, 'takeover', copies[0] ?? '')).mode & 0o777).toBe(0o600);

  const again = await flwd('takeover', '--yes');
  expect(again).toMatchObject({ code: 0, stderr: 'There is nothing to take over.\n' });
  await server.stop();
  expect(await flwd('takeover', '--undo', '--yes')).toMatchObject({ code: 0 });
  expect(crontab.read()).toBe(table);
  expect(await flwd('takeover', '--yes')).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('no server is running'),
  });
  expect(crontab.read()).toBe(table);
});

test('a takeover says whether the newest run of a job has succeeded with the files that it has now', async () => {
  const { dir, flwd, server } = await imported();
  const notes = async () => {
    const { stdout } = await flwd('takeover', '--dry-run', '--json');
    const { lines: found }: { lines: { job_id: string; warning: string | null }[] } = JSON.parse(stdout);
    return Object.fromEntries(found.map(({ job_id: id, warning }) => [id, warning]));
  };
  expect(await server.run('echo')).toMatchObject({ status: 'success' });
  expect(await notes()).toMatchObject({ echo: null, date: 'date has not run here yet: try flwd run date first' });
  appendFileSync(join(dir, 'jobs/echo/command.sh'), '\nexit 7\n');
  await expect
    .poll(async () => (await notes()).echo)
    .toBe('echo has changed since its last run: try flwd run echo first');
  const { run_id: id } = await server.run('echo');
  expect((await notes()).echo).toBe(`the last run of echo did not succeed: flwd logs ${id} says why`);
  await server.stop();
  expect(await flwd('takeover', '--dry-run')).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/^Before the takeover, start a server: run flwd serve$/m),
  });
});

test('a line that has changed, or whose runs would be refused, stays with cron', async () => {
  const { dir, crontab, flwd, held } = await imported();
  const changed = table.replace('echo second', 'echo 2nd').replace('MAILTO=""', 'MAILTO=""\nLEVEL=9');
  crontab.write(changed);
  const other = await flwd('takeover', '--yes');
  expect(other.stdout).toContain(
    'echo-2: left as it is: the line has changed since the import, or it no longer exists\n',
  );
  expect(other.stdout).toContain('echo: left as it is: its variables, user or time zone changed since the import');
  expect(crontab.read()).toBe(changed);

  crontab.write(table);
  addTo(dir, 'date', 'env: { X: { secret: missing } }\n');
  const config = join(dir, 'jobs/echo/config.yaml');
  writeFileSync(config, readFileSync(config, 'utf8').replace('run_as: games\n', ''));
  await expect
    .poll(async () => (await flwd('takeover', '--dry-run')).stdout)
    .toContain('date: left as it is: its runs would be refused');
  const some = await flwd('takeover', '--yes');
  if (isRoot)
    expect(some.stdout).toContain('echo: left as it is: not carried over: ran as root, and flwd would run it');
  else expect(some.stdout).toContain('echo: flwd takes it over');
  expect(crontab.read()).toContain(`\n#flwd:echo-2# ${lines[3]}\n`);
  expect(crontab.read()).toContain(`\n${lines[4]}\n`);
  expect(await held()).toEqual(isRoot ? ['date', 'echo'] : ['date']);
});

test('a takeover killed at any step leaves no job in both cron and flwd, and the next takeover finishes it', async () => {
  const { crontab, type, flwd, held } = await imported();
  const jobs = ['date', 'echo', 'echo-2'];
  const startedByBoth = async (): Promise<string[]> => {
    const ofFlwd = jobs.filter((job) => !heldNow.includes(job));
    return ofFlwd.filter((job) => !crontab.read().includes(`#flwd:${job}# `));
  };
  let heldNow: readonly string[] = [];
  for (const words of [
    ['takeover', '--yes'],
    ['takeover', '--undo', '--yes'],
  ]) {
    const before = crontab.read();
    // The calls of `crontab`: 1 reads, 2 reads again, 3 writes, 4 reads back what was written.
    for (const [call, when] of [
      [2, 'before'],
      [3, 'before'],
      [3, 'after'],
      [4, 'after'],
    ] as const) {
      crontab.stopAt(call, when);
      const { child, ended } = type(...words);
      await crontab.stopped();
      child.kill('SIGKILL');
      await ended;
      heldNow = await held();
      expect({ call, when, both: await startedByBoth() }).toEqual({ call, when, both: [] });
      crontab.neverStop();
      const isWritten = call > 3 || (call === 3 && when === 'after');
      if (isWritten) expect(heldNow).toEqual(jobs);
      // Restores the crontab for the next round.
      crontab.write(before);
    }
    expect((await flwd('schedules')).stderr).toContain('a takeover was interrupted');
    const finished = await flwd(...words);
    expect(finished).toMatchObject({ code: 0 });
    heldNow = await held();
    expect(await startedByBoth()).toEqual([]);
    expect((await flwd('schedules')).stderr).not.toContain('interrupted');
  }
  expect(crontab.read()).toBe(table);
  expect(await held()).toEqual(jobs);
});

test('if a takeover is killed after it wrote the crontab, the next takeover releases the schedules', async () => {
  const { crontab, type, flwd, held } = await imported();
  crontab.stopAt(3, 'after');
  const { child, ended } = type('takeover', '--yes');
  await crontab.stopped();
  child.kill('SIGKILL');
  await ended;
  crontab.neverStop();
  expect(crontab.read()).toBe(marked);
  expect(await held()).toEqual(['date', 'echo', 'echo-2']);
  expect((await flwd('doctor')).stdout).toContain('a takeover from cron was interrupted');
  expect((await flwd('takeover', '--yes')).code).toBe(0);
  expect(crontab.read()).toBe(marked);
  expect(await held()).toEqual([]);
  expect((await flwd('doctor')).stdout).not.toContain('takeover');
});

test('a takeover that finishes a killed one also waits until no line is about to start', async () => {
  const due = new Date(Date.now() + 90_000);
  const soon = (text: string): string => text.replace(`0 3 1 ${far} *`, `${due.getMinutes()} ${due.getHours()} * * *`);
  const { dataDir, crontab, type, held } = await imported(soon(table));
  // This is what a takeover leaves that was killed after it wrote the crontab.
  crontab.write(soon(marked));
  mkdirSync(join(dataDir, 'takeover'), { mode: 0o700 });
  writeFileSync(join(dataDir, 'takeover', 'unfinished.json'), '["echo","echo-2","date"]\n');

  await type('takeover', '--yes').prints(/^waiting until no line is about to start/m);
  expect(await held()).toEqual(['date', 'echo', 'echo-2']);
  expect(crontab.read()).toBe(soon(marked));
});

test('a crontab that somebody else changes during a takeover is not overwritten', async () => {
  const { crontab, type, held, flwd } = await imported();
  crontab.stopAt(2, 'before');
  const { child, ended } = type('takeover', '--yes');
  await crontab.stopped();
  expect((await flwd('takeover', '--yes')).stderr).toContain('another takeover is under way');
  child.kill('SIGKILL');
  await ended;
  crontab.neverStop();
  expect(await held()).toEqual(['date', 'echo', 'echo-2']);
  expect(crontab.read()).toBe(table);
});

test('while a server has the jobs of another folder, a takeover and --undo refuse, and doctor names the lines that nothing runs', async () => {
  const { dir, dataDir, crontab, flwd, server } = await imported();
  expect(await flwd('takeover', '--yes')).toMatchObject({ code: 0 });
  await server.stop();
  const other = await createInstance({ echo: bash('true', { schedules: [{ cron: `0 3 1 ${far} *`, held: true }] }) });
  writeFileSync(join(other.dir, 'flwd.yaml'), readFileSync(join(dir, 'flwd.yaml')));
  await other.serve();
  for (const words of [['--dry-run'], ['--yes'], ['--undo', '--yes']]) {
    const { code, stdout, stderr } = await flwd('takeover', ...words);
    expect({ code, stdout }).toEqual({ code: 6, stdout: '' });
    expect(stderr).toContain(
      `the server of ${dataDir} has the jobs of ${join(other.dir, 'jobs')}, and not those of ${join(dir, 'jobs')}: restart it`,
    );
  }
  expect(crontab.read()).toBe(marked);
  for (const folder of [dir, other.dir]) {
    const { stdout } = await start(folder, ['doctor'], crontab.env).ended;
    expect(stdout).toMatch(/^warn {2}takeover +nothing runs the crontab of \S+, line 3: flwd commented it out/m);
  }
});

test('doctor names a job that cron and flwd both start, and a job that neither starts', async () => {
  const { dir, crontab, flwd } = await imported();
  expect((await flwd('doctor')).stdout).not.toContain('takeover');
  const { schedules }: { schedules: (Schedule & { id: string })[] } = JSON.parse(
    (await flwd('schedules', '--json')).stdout,
  );
  const idOf = (job: string): string => schedules.find((one) => one.job_id === job)?.id ?? '';
  expect(await flwd('schedules', 'release', idOf('date'))).toMatchObject({ code: 0 });
  expect((await flwd('doctor')).stdout).toMatch(
    /^warn {2}takeover +cron and flwd both start date: the crontab of \S+, line 5 is still in force\n +→ flwd takeover, or/m,
  );
  expect(await flwd('takeover', '--yes')).toMatchObject({ code: 0 });
  expect(crontab.read()).toBe(marked);
  expect((await flwd('doctor')).stdout).not.toContain('takeover');
  expect(await flwd('schedules', 'hold', idOf('echo'))).toMatchObject({ code: 0 });
  expect((await flwd('doctor')).stdout).toMatch(
    /^warn {2}takeover +nothing runs the crontab of \S+, line 3: flwd took it over, but holds the schedule of echo\n/m,
  );
  expect(await flwd('schedules', 'release', idOf('echo'))).toMatchObject({ code: 0 });
  addTo(dir, 'date', 'no_such_key: 1\n');
  await expect
    .poll(async () => (await flwd('doctor')).stdout)
    .toMatch(/^warn {2}takeover +nothing runs the crontab of \S+, line 5: flwd took it over, but its job is broken/m);
});

test('doctor says nothing about lines that another instance of the same user has taken over', async () => {
  const { crontab, flwd } = await imported();
  crontab.write(`${marked}#flwd:other# 0 6 1 ${far} * other\n`);
  expect((await flwd('doctor')).stdout).not.toContain('other');
});

test('copies of crontabs are never written to a folder that another user could have planted', async () => {
  const { dir, dataDir, crontab, flwd } = await imported();
  const elsewhere = join(dir, 'elsewhere');
  mkdirSync(elsewhere);
  symlinkSync(elsewhere, join(dataDir, 'takeover'));
  const behindLink = await flwd('takeover', '--yes');
  expect(behindLink).toMatchObject({ code: 2, stderr: expect.stringContaining('cannot keep copies of crontabs in') });
  rmSync(join(dataDir, 'takeover'));
  if (isRoot) {
    mkdirSync(join(dataDir, 'takeover'));
    chownSync(join(dataDir, 'takeover'), 65_534, 65_534);
    expect((await flwd('takeover', '--yes')).stderr).toContain('belongs to another user, uid 65534');
  }
  expect(readdirSync(elsewhere)).toEqual([]);
  expect(crontab.read()).toBe(table);
});

const hasCron = spawnSync('crontab', ['-V']).error === undefined && isRoot;

test.runIf(hasCron)('a crontab of Debian’s cron and a file of /etc/cron.d can be taken over and restored', async () => {
  const name = `flwd-test-${process.pid}`;
  const file = `/etc/cron.d/${name}`;
  const { dir, serve } = await createInstance({}, security);
  const flwd = (...words: readonly string[]): Promise<Seen> => start(dir, words).ended;
  const crontab = (words: readonly string[], input = '') => spawnSync('crontab', ['-u', 'games', ...words], { input });
  const before = crontab(['-l']);
  try {
    writeFileSync(file, `# system\n0 3 1 ${far} * games date\n0 4 1 ${far} * root echo root\n`, { mode: 0o640 });
    crontab(['-'], `0 5 1 ${far} * echo games\n`);
    for (const table of [file, '/var/spool/cron/crontabs/games'])
      expect(await flwd('import', 'crontab', table)).toMatchObject({ code: 0 });
    await serve();
    const taken = await flwd('takeover', '--yes');
    expect(taken.stdout).toContain('not carried over: ran as root');
    expect(taken).toMatchObject({ code: 0 });
    expect(readFileSync(file, 'utf8')).toBe(
      `# system\n#flwd:date# 0 3 1 ${far} * games date\n0 4 1 ${far} * root echo root\n`,
    );
    expect(statSync(file).mode & 0o7777).toBe(0o640);
    expect(crontab(['-l']).stdout.toString()).toBe(`#flwd:echo-2# 0 5 1 ${far} * echo games\n`);
    expect(await flwd('takeover', '--undo', '--yes')).toMatchObject({ code: 0 });
    expect(readFileSync(file, 'utf8')).toContain(`\n0 3 1 ${far} * games date\n`);
    expect(crontab(['-l']).stdout.toString()).toBe(`0 5 1 ${far} * echo games\n`);
  } finally {
    if (before.status === 0) crontab(['-'], before.stdout.toString());
    else crontab(['-r']);
    spawnSync('rm', ['-f', file]);
  }
});
