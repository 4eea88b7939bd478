// `flwd doctor` on a host that has everything it needs, and on hosts that lack something.

import { appendFileSync, chmodSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { checkVersion } from '../../src/cli/admin/doctor.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { createFolder, flwd, type Seen, start } from './terminal.ts';

/** A host whose PATH contains only bash and these programs. */
function onHostWith(programs: Readonly<Record<string, string>>, config = 'sources: []\n'): Promise<Seen> {
  const dir = createFolder();
  const bin = join(dir, 'bin');
  mkdirSync(bin);
  for (const [name, content] of Object.entries({ bash: '/bin/bash', setpriv: '/usr/bin/setpriv', ...programs })) {
    if (content.startsWith('/')) symlinkSync(content, join(bin, name));
    else {
      writeFileSync(join(bin, name), content);
      chmodSync(join(bin, name), 0o755);
    }
  }
  writeFileSync(join(dir, 'flwd.yaml'), config);
  return start(dir, ['doctor'], { PATH: bin }).ended;
}

testWith('bwrap')('says what the host can enforce, and exits with 0 if the default profile works', async () => {
  const dir = createFolder();
  writeFileSync(join(dir, 'flwd.yaml'), 'sources: []\ninstance: { data_dir: ./data }\n');
  const { code, stdout, stderr } = await flwd(dir, 'doctor');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const lines = stdout.split('\n').map((line) => line.split(/ {2,}/));
  const names = lines.filter(([status = '']) => /^(ok|warn|fail)$/.test(status)).map(([, name]) => name);
  expect(names.join(', ')).toBe(
    'platform, node, user, bubblewrap, bash, setpriv, prlimit, python3, user namespaces, seccomp, landlock, ' +
      'security modules, cgroups, inotify, network of jobs, profile secure, profile permissive, profile disabled, data dir, secret key, clock',
  );
  expect(stdout).not.toContain('ulc.');
  expect(lines).toContainEqual(['ok', 'seccomp', 'system calls can be filtered']);
  expect(lines).toContainEqual(['ok', 'profile secure', 'the default; can be enforced']);
  expect(lines).toContainEqual([
    'ok',
    'data dir',
    `${join(dir, 'data')} does not exist yet; the first start creates it`,
  ]);
  expect(stdout).toMatch(/\nThe default profile, secure, can be enforced on this host\.\n$/);
});

test('doctor says what a job with network access reaches, warns if the API treats it as the operator, and says what to do', async () => {
  const reach = 'a job with network access reaches the internet, .*, also on 127\\.0\\.0\\.1: .*';
  const asks = await onHostWith({});
  expect(asks.stdout).toMatch(new RegExp(`^ok {2,}network of jobs {2,}${reach}; the API asks it for a token$`, 'm'));
  const open = await onHostWith({}, 'auth: { mode: none }\n');
  expect(open.stdout).toMatch(
    new RegExp(
      `^warn {2}network of jobs {2,}${reach}; with auth.mode: none the API treats it as the operator\n +→ remove auth.mode: none from flwd.yaml$`,
      'm',
    ),
  );
});

test('without bubblewrap it says what to install and exits with 2', async () => {
  const { code, stdout } = await onHostWith({});
  expect(code).toBe(2);
  expect(stdout).toMatch(
    /^fail {2}bubblewrap {2,}not installed; without it jobs can only run with the profile disabled, if the operator allows it\n +→ apt-get install bubblewrap$/m,
  );
  expect(stdout).toMatch(/^fail {2}profile secure {2,}the default; cannot be enforced: bubblewrap is not installed/m);
  expect(stdout).toMatch(
    /^ok {4}profile disabled {2,}not allowed; bubblewrap is not installed, so a run has no sandbox/m,
  );
  expect(stdout).toMatch(/The default profile, secure, cannot be enforced on this host: runs with it fail/);
});

test('a bubblewrap that is too old is named', async () => {
  const { stdout } = await onHostWith({ bwrap: '#!/bin/bash\necho bubblewrap 0.6.1\n' });
  expect(stdout).toMatch(/^fail {2}bubblewrap {2,}0\.6\.1; too old\n +→ install bubblewrap 0\.8 or newer$/m);
});

test('the configured default profile decides the exit code', async () => {
  const bwrap =
    '#!/bin/bash\nif [[ $* == *--seccomp* ]]; then echo "bwrap: seccomp" >&2; exit 1; fi\necho bubblewrap 0.8.0\n';
  expect(await onHostWith({ bwrap })).toMatchObject({ code: 2 });
  const { code, stdout } = await onHostWith({ bwrap }, 'sources: []\nsecurity: { default_profile: permissive }\n');
  expect({ code, stdout }).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('default profile, permissive, can'),
  });
  expect(stdout).toMatch(
    /^fail {2}profile secure {2,}allowed; cannot be enforced: system calls cannot be filtered here/m,
  );
});

test('doctor warns about a data dir that other users can open', async () => {
  const dir = createFolder();
  writeFileSync(join(dir, 'flwd.yaml'), 'sources: []\n');
  mkdirSync(join(dir, 'data'), { mode: 0o755 });
  const { stdout } = await flwd(dir, 'doctor', '--data-dir', './data');
  expect(stdout).toMatch(/^warn {2}data dir {2,}\S+data, mode 755, .* free: other users can open it\n +→ chmod 700 /m);
});

testWith('bwrap')('it works while a server is running, also with --json', async () => {
  const instance = await createInstance({});
  const served = await instance.serve();
  onTestFinished(() => served.stop());
  const { code, stdout } = await flwd(instance.dir, 'doctor', '--json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    default_profile: 'secure',
    enforceable: true,
    checks: expect.arrayContaining([
      { name: 'profile secure', status: 'ok', detail: 'the default; can be enforced', fix: null },
      {
        name: 'owner',
        status: 'ok',
        detail: expect.stringMatching(/^running runs: 0 of this data dir; the id of this data dir is owner_\S+$/),
        fix: null,
      },
    ]),
  });
});

test('missing or unusable files of the configuration are reported with a fix, also by flwd config validate', async () => {
  const dir = createFolder();
  writeFileSync(join(dir, 'jwks.json'), 'no keys');
  writeFileSync(join(dir, 'secret.key'), 'no key');
  const config = {
    sources: [],
    instance: { data_dir: './data' },
    server: { tls: { cert_file: './no.crt', key_file: './no.key' } },
    auth: { jwt: { issuer: 'https://id.example.org/', audience: 'flwd', jwks_file: './jwks.json' } },
    persistence: { secret_key_file: './secret.key' },
  };
  writeFileSync(join(dir, 'flwd.yaml'), JSON.stringify(config));
  const { stdout } = await flwd(dir, 'doctor');
  const lines = stdout.split('\n');
  const said = (name: string) => {
    const at = lines.findIndex((line) => line.startsWith(`fail  ${name}`));
    return lines.slice(at, at + 2).map((line) => line.replace(`fail  ${name}`, '').trim());
  };
  const key = `${join(dir, 'secret.key')} must contain one key per line`;
  expect(said('secret key')).toEqual([
    expect.stringContaining(key),
    expect.stringContaining('restore the file from a backup'),
  ]);
  const certificate = `\`server.tls.cert_file\`: ${join(dir, 'no.crt')} is not there`;
  expect(said('TLS certificate')).toEqual([certificate, expect.stringContaining('→ put the certificate there')]);
  const jwks = `\`auth.jwt.jwks_file\`: ${join(dir, 'jwks.json')}`;
  expect(said('keys of JWTs')).toEqual([expect.stringContaining(jwks), '→ put the issuer’s JSON Web Key Set there']);

  const { code, stderr } = await flwd(dir, 'config', 'validate');
  expect(code).toBe(2);
  expect(stderr).toContain(`flwd: ${key}`);
  expect(stderr).toContain(`flwd: ${certificate}; put the certificate there`);
  expect(stderr).toContain(`flwd: ${jwks}`);
  expect(stderr.split('\n')).toHaveLength(4);
});

testWith('bwrap')('a missing secret key is reported if secrets are stored, and not created again', async () => {
  const { dir, dataDir, serve } = await createInstance({});
  const server = await serve();
  const stored = await server.fetch('/secrets/token', {
    method: 'PUT',
    body: JSON.stringify({ value: 'a-value' }),
    headers: { 'content-type': 'application/json' },
  });
  expect(stored.ok).toBe(true);
  await server.stop();
  rmSync(join(dataDir, 'secret.key'));
  const { stdout } = await flwd(dir, 'doctor');
  expect(stdout).toMatch(
    /^fail {2}secret key {2,}\S+secret\.key does not exist, but the database holds secrets encrypted with it \(1\); no server can start\n +→ restore the file, or set FLWD_SECRET_KEY/m,
  );
  expect(await flwd(dir, 'config', 'validate')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('restore the file'),
  });
  expect(existsSync(join(dataDir, 'secret.key'))).toBe(false);
});

test('a calendar that is missing, broken or has run out of days is named, in the words with which serve refuses it', async () => {
  const dir = createFolder();
  const path = join(dir, 'holidays.ics');
  const day = (date: string) =>
    `BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:${date}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n`;
  const calendars = '{ holidays: ./holidays.ics, closing: ["2020-12-31"] }';
  writeFileSync(
    join(dir, 'flwd.yaml'),
    `sources: []\ninstance: { data_dir: ./data }\nscheduler: { calendars: ${calendars} }\n`,
  );
  const refusal = `\`scheduler.calendars.holidays\`: ${path} is not there`;
  const fix = 'put an iCalendar file there';
  const validated = await flwd(dir, 'config', 'validate');
  expect(validated).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining(`flwd: ${refusal}; ${fix}\n`),
  });
  const served = await flwd(dir, 'serve', '--bind', '127.0.0.1:0');
  expect(served).toMatchObject({ code: 2, stderr: expect.stringContaining(`${refusal}; ${fix}`) });
  const doctor = async (): Promise<string> => (await flwd(dir, 'doctor')).stdout.replaceAll(/ +/g, ' ');
  expect(await doctor()).toContain(`fail calendars ${refusal}\n → ${fix}\n`);

  writeFileSync(path, 'garbage');
  expect(await doctor()).toContain(`fail calendars \`scheduler.calendars.holidays\`: ${path} is not an iCalendar file`);

  writeFileSync(path, day('20201225'));
  const out = await doctor();
  expect(out).toContain('warn calendars holidays has no day from today on, so `except: holidays` leaves out no day\n');
  expect(out).toContain(`→ add the coming days to ${path}, and restart the server\n`);
  expect(out).toContain('→ add the coming days to scheduler.calendars.closing, and restart the server\n');
  expect(await flwd(dir, 'config', 'validate')).toMatchObject({ code: 0 });

  writeFileSync(path, day('20661225'));
  writeFileSync(
    join(dir, 'flwd.yaml'),
    'sources: []\ninstance: { data_dir: ./data }\nscheduler: { calendars: { holidays: ./holidays.ics } }\n',
  );
  expect(await doctor()).toContain('\nok calendars holidays\n');
});

test('a secret that is not stored is named before the next run of a schedule, trigger or webhook fails', async () => {
  const needsKey = { env: { KEY: { secret: 'pg-key' } } };
  const instance = await createInstance({
    dump: bash('true', needsKey),
    nightly: {
      'config.yaml': JSON.stringify({
        steps: [{ id: 'dump', job: 'dump' }],
        schedules: [{ cron: '30 2 * * *', heartbeat: { secret: 'ping-url' } }],
        triggers: [{ job: 'hooked', on: ['success'] }],
      }),
    },
    hooked: bash('true', { ...needsKey, webhooks: [{ name: 'push', scheme: 'github', secret: 'pg-key' }] }),
    byhand: bash('true', needsKey),
    held: bash('true', { ...needsKey, schedules: [{ cron: '0 6 * * *', held: true }] }),
    rests: bash('true', { ...needsKey, schedules: [{ cron: '0 7 * * *', enabled: false }] }),
    follows: bash('true', { ...needsKey, triggers: [{ job: 'gone', on: ['success'] }] }),
    off: bash('true', { ...needsKey, enabled: false, webhooks: [{ name: 'in', scheme: 'github', secret: 'pg-key' }] }),
  });
  const { dir } = instance;
  const server = await instance.serve();
  onTestFinished(() => server.stop());
  const added = await flwd(dir, 'schedules', 'add', 'byhand', '--cron', '0 5 * * *', '--tenant', 'acme');
  expect(added).toMatchObject({ code: 0 });
  const schedules = async (): Promise<string> => (await flwd(dir, 'schedules')).stdout.replaceAll(/ +/g, ' ');
  const doctor = async (): Promise<string> => (await flwd(dir, 'doctor')).stdout.replaceAll(/ +/g, ' ');

  const users = 'nightly (schedule), nightly (trigger), hooked (webhook)';
  expect(await doctor()).toContain(
    `warn secrets pg-key is not stored, so runs will fail: ${users}; ` +
      'pg-key is not stored in the tenant acme, so runs will fail: byhand (schedule); ' +
      'ping-url is not stored, so heartbeats cannot be called: nightly\n' +
      ' → flwd secrets set pg-key; flwd secrets set pg-key --tenant acme; flwd secrets set ping-url\n',
  );
  const detail = 'runs of schedules, triggers or webhooks need secrets that are not stored: pg-key';
  expect(JSON.parse(await (await server.fetch('/health')).text())).toMatchObject({
    status: 'degraded',
    checks: { secrets: { status: 'degraded', detail } },
  });
  const triggers = (await flwd(dir, 'triggers', '--job', 'nightly')).stdout.replaceAll(/ +/g, ' ');
  expect(triggers).toMatch(/ nightly no secret lacks the secret pg-key: flwd secrets set pg-key$/m);
  const listed = await schedules();
  expect(listed).toMatch(/ nightly .* no secret not yet called lacks the secret pg-key: flwd secrets set pg-key$/m);
  expect(listed).toMatch(/ rests .* disabled - ?$/m);

  const stored = { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{"value":"hunter-22"}' };
  await server.fetch('/secrets/pg-key', stored);
  await server.fetch('/secrets/pg-key?tenant=acme', stored);
  await server.fetch('/secrets/ping-url', stored);
  expect(await doctor()).not.toMatch(/pg-key|ping-url/);
  await expect
    .poll(async () => JSON.parse(await (await server.fetch('/health')).text()), { timeout: 20_000 })
    .toMatchObject({ checks: { secrets: { status: 'ok' } } });
  expect(await schedules()).not.toContain('secret');
  expect(await schedules()).toMatch(/ nightly .* on not yet called ?$/m);
});

test('schedules and webhooks that can start nothing are named, with what to do', async () => {
  const jobs = {
    plain: bash('true'),
    dated: bash('true', { schedules: [{ cron: '0 6 * * *', except: 'holidays' }] }),
  };
  const instance = await createInstance(jobs, { scheduler: { calendars: { holidays: ['2066-12-25'] } } });
  const { dir } = instance;
  const server = await instance.serve();
  const doctor = async (): Promise<string> => (await flwd(dir, 'doctor')).stdout.replaceAll(/ +/g, ' ');
  const made = await flwd(dir, 'tokens', 'create', '--name', 'lim', '--scopes', 'schedules:write', '--only', 'plain');
  const add = async (path: string, body: object): Promise<string> => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${made.stdout.trim()}` };
    const answer = await server.fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
    expect(answer.status).toBe(201);
    return JSON.parse(await answer.text()).id;
  };
  const schedule = await add('/schedules', { job_id: 'plain', cron: '0 0 1 1 *' });
  const webhook = await add('/webhooks', { job_id: 'plain', name: 'push' });
  expect(await doctor()).not.toContain('warn schedules');

  expect(await flwd(dir, 'tokens', 'revoke', 'lim')).toMatchObject({ code: 0 });
  const end = "The token 'lim' that created it is revoked.";
  const again = 'again with another token';
  expect(await doctor()).toContain(
    `warn schedules plain (${schedule}) starts nothing: ${end}\n → flwd schedules rm ${schedule}, and add the schedule ${again}\n`,
  );
  expect(await doctor()).toContain(
    `warn webhooks plain/push takes no deliveries: ${end}\n → flwd webhooks rm ${webhook}, and add the webhook ${again}\n`,
  );
  expect(await flwd(dir, 'schedules', 'hold', schedule)).toMatchObject({ code: 0 });
  expect(await doctor()).not.toContain('warn schedules');
  await server.stop();

  const other = await createInstance(jobs, {}, dir);
  const restarted = await other.serve();
  await expect
    .poll(doctor)
    .toMatch(
      /^warn schedules dated \(\S+\) starts nothing: the calendar 'holidays' does not exist\n → add holidays to scheduler\.calendars in flwd\.yaml, and restart the server$/m,
    );
  expect((await flwd(dir, 'schedules')).stdout).toMatch(/ dated .* no calendar {2,}The server does not know/);
  await restarted.stop();
});

test('a running server of another version is named', () => {
  expect(checkVersion('0.1.0', '0.1.1')).toEqual([
    {
      name: 'version',
      status: 'warn',
      detail: 'the running server is flwd 0.1.0, but this command is flwd 0.1.1',
      fix: 'restart the server',
    },
  ]);
  expect(checkVersion('0.1.1', '0.1.1')).toEqual([]);
  expect(checkVersion(undefined, '0.1.1')).toEqual([]);
});

testWith('bwrap')('a flwd.yaml that was changed since the server started is named', async () => {
  const { dir, serve } = await createInstance({});
  const server = await serve();
  const doctor = async (): Promise<string> => (await flwd(dir, 'doctor')).stdout.replaceAll(/ +/g, ' ');
  expect(await doctor()).not.toContain('flwd.yaml was changed');
  appendFileSync(join(dir, 'flwd.yaml'), '\n');
  const warning =
    'warn flwd.yaml flwd.yaml was changed after the running server had started, so the server does not use the new settings yet\n → restart the server\n';
  await expect.poll(doctor).toContain(warning);
  await server.stop();
  expect(await doctor()).not.toContain('flwd.yaml was changed');
});

testWith('bwrap')('broken jobs are named, with and without a server, and are only a warning', async () => {
  const { dir, serve } = await createInstance({ good: bash('true') });
  const put = (job: string): void => {
    mkdirSync(join(dir, 'jobs', job), { recursive: true });
    writeFileSync(join(dir, 'jobs', job, 'config.yaml'), 'command: 7\n');
  };
  const doctor = async (): Promise<string> => {
    const { code, stdout } = await flwd(dir, 'doctor');
    expect(code).toBe(0);
    return stdout.replaceAll(/ +/g, ' ');
  };
  expect(await doctor()).not.toMatch(/^\w+ jobs /m);
  put('backup/daily');
  const one =
    'warn jobs 1 of 2 jobs is broken, so neither a schedule nor a person can start it: backup/daily\n → run flwd jobs, which shows their errors\n';
  expect(await doctor()).toContain(one);

  const server = await serve();
  expect(await doctor()).toContain(one);
  for (const job of ['f', 'e', 'd', 'c', 'b', 'a']) put(job);
  await expect
    .poll(doctor)
    .toContain(
      'warn jobs 7 of 8 jobs are broken, so neither a schedule nor a person can start them: a, b, backup/daily, c, d, and 2 more\n → run flwd jobs',
    );
  await server.stop();
});

test('a rule of notifications that matches no job is named', async () => {
  const dir = createFolder();
  for (const job of ['good', 'prod/broken']) mkdirSync(join(dir, 'jobs', job), { recursive: true });
  writeFileSync(join(dir, 'jobs/good/config.yaml'), 'command: ["true"]\n');
  writeFileSync(join(dir, 'jobs/prod/broken/config.yaml'), 'command: 7\n');
  const rules = '[{jobs: "prod/**", to: a}, {jobs: [prd/**, gut], to: a}, {to: a}]';
  const notify = `notify: {channels: {a: {type: webhook, url: "http://127.0.0.1:9"}}, rules: ${rules}}`;
  writeFileSync(join(dir, 'flwd.yaml'), `instance: {data_dir: ./data}\nsources: [{path: jobs}]\n${notify}\n`);
  const { stdout } = await flwd(dir, 'doctor');
  expect(stdout.match(/^warn {2}rules .*$/gm)).toEqual([
    expect.stringMatching(
      / no job matches `jobs` \(prd\/\*\*, gut\) of notify\.rules\[1\], so this rule reports nothing$/,
    ),
  ]);
});

testWith('bwrap')('doctor works while the first server has created the database, but not its tables', async () => {
  const dir = createFolder();
  writeFileSync(join(dir, 'flwd.yaml'), 'sources: []\ninstance: { data_dir: ./data }\n');
  mkdirSync(join(dir, 'data'), { mode: 0o700 });
  const database = new DatabaseSync(join(dir, 'data/flwd.db'));
  database.exec('PRAGMA journal_mode = WAL');
  database.close();
  chmodSync(join(dir, 'data/flwd.db'), 0o600);
  expect(await flwd(dir, 'doctor')).toMatchObject({ code: 0, stderr: '' });
});

test('doctor says how many runs wait, since when and why, and warns if one has waited for long', async () => {
  const schedules = [{ cron: '0 0 1 1 *' }];
  const q = bash('while :; do sleep 0.1; done', { concurrency: { limit: 1 }, schedules });
  const { dir, dataDir, serve } = await createInstance({ q });
  const server = await serve();
  const doctor = async (): Promise<string> => (await flwd(dir, 'doctor')).stdout.replaceAll(/ +/g, ' ');
  expect(await doctor()).not.toMatch(/^\w+ queue /m);
  await server.start('q');
  const first = await server.start('q');
  const { created_at: since } = await server.json<{ created_at: string }>(`/runs/${first}`);
  const why = 'only one run of q at a time';
  await expect.poll(doctor).toContain(`ok queue 1 run waits since ${since} (${first} of q): ${why}\n`);
  await server.start('q');
  expect(await doctor()).toContain(`ok queue 2 runs wait, the first since ${since} (${first} of q): ${why}\n`);

  const database = new DatabaseSync(join(dataDir, 'flwd.db'), { timeout: 60_000 });
  database.prepare('UPDATE runs SET created_at = created_at - 7200000 WHERE id = ?').run(first);
  database.close();
  expect(await doctor()).toMatch(
    /^warn queue 2 runs wait, the first since .*\n → flwd runs --status pending lists them, and flwd cancel --status pending cancels them; add --job JOB for those of one job$/m,
  );
  expect(await flwd(dir, 'cancel', '--job', 'q', '--force', '--yes')).toMatchObject({ code: 0 });
  await server.stop();
  expect(await doctor()).toMatch(/^warn server no server has been running since \S+; 1 schedule waits for a server$/m);
});
