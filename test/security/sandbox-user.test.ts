// `run_as`: jobs of a server that runs as root run as a user of the host. Every Debian has the users `backup`, `daemon`
// and `nobody`.

import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { ProblemAnswer, RunAnswer } from '../support/answers.ts';
import { bash, type JobFiles, python } from '../support/jobs.ts';
import { processesWith } from '../support/processes.ts';
import { startServer } from '../support/server.ts';

const isRoot = process.getuid?.() === 0;
/** Other test files may run at the same time. */
const [left, nap] = [`sleep 8032.${process.pid}`, `sleep 8033.${process.pid}`] as const;
const profiles = ['secure', 'permissive', 'disabled'] as const;
const idOf = (flag: string, user: string) => Number(execFileSync('id', [flag, user], { encoding: 'utf8' }));

const who = `
echo "$(id -u) $(id -g) $(id -G) $USER $LOGNAME $HOME"
echo "$(cat "$FLWD_SECRETS_DIR/token") $(stat -c '%u %a' "$FLWD_SECRETS_DIR/token")"
echo "$(stat -c %u . artifacts "$FLWD_ARGS_FILE" | tr '\\n' ' ')"
grep -hE 'Cap(Prm|Eff|Bnd|Amb)|NoNewPrivs' /proc/self/status | tr -d '\\n\\t'; echo
umask 077
echo kept >artifacts/private.txt
flwd_result '{"done": true}'`;
const argspec = { type: 'object', properties: { token: { type: 'string', format: 'secret' } } };
const steps = (user: string, script: string): JobFiles => ({
  'config.yaml': JSON.stringify({
    run_as: user,
    steps: [
      { id: 'make', command: ['sh', '-c', 'id -un >made; mkdir folder; echo one >folder/one'] },
      { id: 'use', needs: ['make'], command: ['sh', '-c', script] },
    ],
  }),
});

describe.each(isRoot ? ['root'] : [])('a server that is %s', async () => {
  const shared = mkdtempSync(join(tmpdir(), 'flwd-run-as-'));
  chmodSync(shared, 0o755);
  const own = join(shared, 'own');
  mkdirSync(own, { mode: 0o700 });
  chownSync(own, idOf('-u', 'backup'), idOf('-g', 'backup'));
  const server = await startServer({
    jobs: {
      ...Object.fromEntries(
        profiles.map((profile) => [profile, bash(who, { run_as: 'backup', security_profile: profile, argspec })]),
      ),
      home: bash('echo $HOME', { run_as: 'daemon', permissions: { read: ['/usr/sbin'] } }),
      grant: bash(`echo by-backup >${own}/file; cat ${own}/file`, { run_as: 'backup', permissions: { write: [own] } }),
      other: bash(`cat ${own}/file`, { permissions: { read: [own] } }),
      long: bash('echo going; while [[ ! -e go ]]; do sleep 0.05; done; id -un >artifacts/who'),
      leaves: bash(`echo going; trap "" TERM; setsid ${left} & ${nap}`, {
        run_as: 'backup',
        cancel: { grace: '200ms' },
      }),
      caller: python(
        `import os, urllib.request, urllib.error
try: print(urllib.request.urlopen(os.environ['FLWD_ARG_URL']).status)
except urllib.error.HTTPError as error: print(error.code)`,
        { run_as: 'backup', permissions: { network: 'all' }, args: [{ name: 'url' }] },
      ),
      moved: steps('backup', 'exit 3'),
      unlisted: bash('id', { run_as: 'nobody' }),
      root: bash('id', { run_as: 'root', security_profile: 'disabled' }),
      unknown: bash('id', { run_as: 'nosuchuser' }),
      number: bash('id', { run_as: '34' }),
    },
    config: {
      security: {
        allow_profiles: [...profiles],
        run_as: ['backup', 'daemon', 'nosuchuser'],
        paths: [shared, '/usr/sbin'],
      },
    },
  });
  afterAll(async () => {
    await server.close();
    rmSync(shared, { recursive: true });
  });
  const [uid, gid] = [idOf('-u', 'backup'), idOf('-g', 'backup')];

  test.each(profiles)('runs a %s job as the user it names, without capabilities', async (profile) => {
    const run = await server.run(profile, { token: 'hunter2' });
    const home = profile === 'secure' ? '/workspace' : '/var/backups';
    expect(run).toMatchObject({ status: 'success', result: { value: { done: true } } });
    expect(await server.messages(run.run_id)).toEqual([
      `${uid} ${gid} ${gid} backup backup ${home}`,
      `[redacted] ${uid} 400`,
      `${uid} ${uid} ${uid} `,
      `CapPrm:${'0'.repeat(16)}CapEff:${'0'.repeat(16)}CapBnd:${'0'.repeat(16)}CapAmb:${'0'.repeat(16)}NoNewPrivs:1`,
    ]);
    expect(await server.json(`/runs/${run.run_id}`)).toMatchObject({
      security: { profile, isolation: { uid, user: 'backup', capabilities: 'none' } },
    });
    const [artifact] = await server.artifacts(run.run_id);
    expect(await (await server.fetch(`/artifacts/${artifact?.id}`)).text()).toBe('kept\n');
  });

  test('sets HOME to the home of the user if the job may see it', async () => {
    const run = await server.run('home');
    expect(await server.messages(run.run_id)).toEqual(['/usr/sbin']);
  });

  test('lets the job use a granted path as far as its user may use it', async () => {
    const run = await server.run('grant');
    expect(await server.messages(run.run_id)).toEqual(['by-backup']);
    expect(statSync(join(own, 'file')).uid).toBe(uid);
    expect(await server.run('other')).toMatchObject({ status: 'failed' });
  });

  test('ends a cancelled job that ignores its signal, with all its processes', async () => {
    const runId = await server.start('leaves');
    await expect.poll(() => server.messages(runId)).toEqual(['going']);
    await expect.poll(() => processesWith(left)).toHaveLength(1);
    await server.json(`/runs/${runId}/cancel`, { method: 'POST' });
    const { status, termination } = await server.finished(runId);
    expect([...processesWith(left), ...processesWith(nap)]).toEqual([]);
    expect(status).toBe('cancelled');
    expect(termination).toMatchObject({ remaining: 0, proven: true });
  });

  test('does not treat a job with network access as an operator of the API', async () => {
    const run = await server.run('caller', { url: `${server.url}/api/v1/runs` });
    expect(await server.messages(run.run_id)).toEqual(['401']);
  });

  test('lets a rerun as another user use the files that the earlier run left', async () => {
    const first = await server.run('moved');
    expect(first.status).toBe('failed');
    const config = steps('daemon', 'cat made; echo two >>folder/one; id -un >>made; cat made folder/one')[
      'config.yaml'
    ];
    await writeFile(join(server.jobsDir, 'moved/config.yaml'), config ?? '');
    const rerun = () =>
      server.json<RunAnswer>(`/runs/${first.run_id}/rerun`, { body: { from: 'failed', revision: 'latest' } });
    await expect.poll(async () => (await server.json<{ run_as: string }>('/jobs/moved')).run_as).toBe('daemon');
    const second = await server.finished((await rerun()).run_id);
    expect(await server.messages(second.run_id)).toEqual(['backup', 'backup', 'daemon', 'one', 'two']);
  });

  test.each([
    ['unlisted', 'grant-not-allowed', 'add the user to security.run_as in flwd.yaml, unless it is there already'],
    ['root', 'grant-not-allowed', 'use security_profile: disabled'],
    ['unknown', 'isolation-unavailable', 'this host has no such user'],
  ])('does not start the job %s', async (job, slug, detail) => {
    const response = await server.fetch('/runs', { body: { job_id: job } });
    const problem: ProblemAnswer = JSON.parse(await response.text());
    expect([response.status, problem.type]).toEqual([422, `https://flowd.org/problems/${slug}`]);
    expect(problem.detail).toContain(detail);
    expect(await server.json('/plans', { body: { job_id: job } })).toMatchObject({
      denied: { detail: problem.detail },
    });
  });

  test('rejects a number as a user, and the error of the job says so', async () => {
    const problem = await server.json<ProblemAnswer>('/jobs/number');
    expect(problem).toMatchObject({
      errors: [{ message: expect.stringMatching(/^`run_as` must be the name of a user/) }],
    });
  });

  test('resumes a run as its user after the server was killed', async () => {
    await writeFile(
      join(server.jobsDir, 'long/config.yaml'),
      JSON.stringify({ command: './run.sh', ulc_profile: 'ulc.shell.bash', run_as: 'backup' }),
    );
    await expect.poll(async () => (await server.json<{ run_as: string }>('/jobs/long')).run_as).toBe('backup');
    const runId = await server.start('long');
    await expect.poll(() => server.messages(runId)).toEqual(['going']);
    expect(await server.stop('SIGKILL')).toBe('SIGKILL');
    await writeFile(join(server.dataDir, 'runs', runId, 'workspace', 'go'), '');
    await server.startAgain();
    expect(await server.finished(runId)).toMatchObject({ status: 'success' });
    const [artifact] = await server.artifacts(runId);
    expect(await (await server.fetch(`/artifacts/${artifact?.id}`)).text()).toBe('backup\n');
  });
});

describe('a server that does not run as root', async () => {
  const server = await startServer({
    jobs: { id: bash('id', { run_as: 'backup' }) },
    config: { security: { run_as: ['backup'] } },
    ...(isRoot && { uid: 65_534 }),
  });
  afterAll(() => server.close());

  test('refuses a job that names a user, and says why', async () => {
    const { detail } = await server.json<ProblemAnswer>('/runs', { body: { job_id: 'id' } });
    expect(detail).toBe(
      "The job runs as the user 'backup' (run_as), but only a server that runs as root can do that: start flwd as root, or remove run_as.",
    );
  });
});
