// `flwd logs --all --follow`: one stream with the lines of all runs.

import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { isLeftNote } from '../support/left-note.ts';
import { createInstance } from './an-instance.ts';
import { bin, flwd, observe, start } from './terminal.ts';

type Line = {
  readonly id: number;
  readonly run_id: string;
  readonly job_id: string;
  readonly seq: number;
  readonly message: string;
};

const follow = ['logs', '--all', '--follow', '--json'];
const hand = (word: string) =>
  bash(`echo "${word} 1"; until [ -e "$GO" ]; do sleep 0.05; done; echo "${word} 2"`, { env: { GO: '/workspace/go' } });

function toLines(text: string): Line[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line): Line => JSON.parse(line));
}

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
}

const isFollowed = (url: string) => expect.poll(() => metric(url, 'flwd_sse_streams')).toBe(1);

/** The lines of each job, each as `seq message`. */
function byJob(lines: readonly Line[]): Record<string, string[]> {
  const jobs: Record<string, string[]> = {};
  const said = lines.filter(({ message }) => !isLeftNote(message));
  for (const { job_id: job, seq, message } of said) jobs[job] = [...(jobs[job] ?? []), `${seq} ${message}`];
  return jobs;
}

testWith('bwrap')(
  'the lines of all runs are printed as they are written, even if the server is killed in between',
  async () => {
    const jobs = { slow: hand('slow'), other: hand('other'), quick: bash('echo quick'), late: bash('echo late') };
    const { dir, dataDir, serve } = await createInstance(jobs);
    const go = (runId: string) => writeFileSync(join(dataDir, 'runs', runId, 'workspace', 'go'), '');
    let server = await serve();
    const following = start(dir, follow);
    await isFollowed(server.url);
    const [slow, other] = await Promise.all([server.start('slow'), server.start('other')]);
    await Promise.all([following.prints(/slow 1/), following.prints(/other 1/)]);
    await server.run('quick');
    go(other);
    await following.prints(/other 2/);

    await server.kill();
    go(slow);
    expect(await flwd(dir, 'run', 'late')).toMatchObject({ code: 0 });
    server = await serve();
    await server.finished(slow);
    await server.run('quick');
    await following.prints(/"message":"quick"[\s\S]*"message":"quick"/);
    following.child.kill('SIGINT');
    const { code, stdout } = await following.ended;
    expect(code).toBe(130);
    const lines = toLines(stdout);
    expect(byJob(lines)).toEqual({
      slow: ['1 slow 1', '2 slow 2'],
      other: ['1 other 1', '2 other 2'],
      quick: ['1 quick', '1 quick'],
      late: ['1 late'],
    });
    const ids = lines.map(({ id }) => id);
    expect(ids).toEqual([...new Set(ids)].toSorted((a, b) => a - b));
  },
);

test('if the connection breaks before the first line arrives, lines written meanwhile are not lost', async () => {
  const { dir, serve } = await createInstance({ says: bash('echo hello') });
  let server = await serve();
  const following = start(dir, follow);
  await isFollowed(server.url);
  // The command cannot connect again until the run has ended.
  following.child.kill('SIGSTOP');
  await server.stop();
  server = await serve();
  await server.run('says');
  following.child.kill('SIGCONT');
  await following.prints(/hello/);
  following.child.kill('SIGTERM');
  expect(byJob(toLines((await following.ended).stdout))).toEqual({ says: ['1 hello'] });
});

test('--after continues after a line of earlier output, and JSON lines have all their members', async () => {
  const { dir, serve } = await createInstance({
    says: bash(`echo one; echo '{"level":"warn","msg":"two","user":7}'; echo three >&2`),
  });
  const server = await serve();
  const first = start(dir, follow);
  await isFollowed(server.url);
  const { run_id: runId } = await server.run('says');
  await first.prints(/three/);
  first.child.kill('SIGINT');
  const [one, ...others] = toLines((await first.ended).stdout);
  const about = {
    id: expect.any(Number),
    run_id: runId,
    job_id: 'says',
    tenant: 'default',
    timestamp: expect.stringMatching(/^20.*Z$/),
    step_id: 'step_01',
    attempt: 1,
  };
  const rest = [
    { ...about, seq: 2, level: 'warn', stream: 'stdout', message: 'two', fields: { user: 7 } },
    { ...about, seq: 3, level: 'error', stream: 'stderr', message: 'three' },
  ];
  expect(others).toEqual(rest);

  const second = start(dir, [...follow, '--after', String(one?.id)]);
  await second.prints(/three/);
  second.child.kill('SIGINT');
  expect(toLines((await second.ended).stdout)).toEqual(rest);

  const text = start(dir, ['logs', '--all', '-f', '--after', String(one?.id), '--level', 'error']);
  await text.prints(/three/);
  text.child.kill('SIGINT');
  expect(await text.ended).toMatchObject({ code: 130, stdout: `says ${runId} step_01 | three\n`, stderr: '' });
});

test('if output is read slowly, the server disconnects the command, which resumes without losing a line', async () => {
  const { dir, serve } = await createInstance(
    { floods: bash(`seq -f "%.0f $(printf '=%.0s' {1..1000})" 1 20000`) },
    { server: { write_timeout: '1s' } },
  );
  const server = await serve();
  const child = spawn(process.execPath, [bin, ...follow], {
    cwd: dir,
    env: { PATH: process.env.PATH, HOME: dir },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await isFollowed(server.url);
  await server.run('floods');
  // Nothing has been read from the command yet.
  await expect.poll(() => metric(server.url, 'flwd_slow_readers_disconnected_total')).toBeGreaterThan(0);
  const { ended, prints } = observe(child);
  await prints(/"message":"20000 /);
  child.kill('SIGTERM');
  const seqs = toLines((await ended).stdout).map(({ seq }) => seq);
  expect(seqs).toEqual(Array.from({ length: 20_000 }, (_, at) => at + 1));
});

test('a token that is limited to some jobs gets only their lines', async () => {
  const { dir, serve } = await createInstance({ 'reports/a': bash('echo mine'), other: bash('echo not mine') });
  const server = await serve();
  const limits = ['--only', 'reports/**', '--scopes', 'runs:read'];
  const { stdout: token, stderr } = await flwd(dir, 'tokens', 'create', '--name', 'shipper', ...limits);
  expect(stderr).not.toContain('warning');
  const following = start(dir, [...follow, '--remote', server.url], { FLWD_TOKEN: token.trim() });
  await isFollowed(server.url);
  await server.run('other');
  await server.run('reports/a');
  await following.prints(/"mine"/);
  following.child.kill('SIGINT');
  expect(toLines((await following.ended).stdout)).toMatchObject([{ job_id: 'reports/a', message: 'mine' }]);
});

test.each([
  [
    ['--all'],
    2,
    '--all needs --follow; flwd search TEXT finds lines of all runs, flwd logs RUN prints the log of one\n',
  ],
  [['--all', '-f', 'run_x'], 2, 'unexpected word `run_x`: --all prints the lines of all runs\n'],
  [['--all', '-f', '--tail', '3'], 2, '--tail is for the log of one run: leave it out, or name the run\n'],
  [['--all', '-f', '--after', 'x'], 2, '--after x is not the `id` of a line\n'],
  [['run_x', '--after', '3'], 2, '--after is for the lines of all runs: use it with --all\n'],
  [
    ['--all', '-f', '--after', '999'],
    3,
    'The server no longer has all events after 999. Without --after, flwd logs --all prints the lines from now on; flwd search finds older ones.\n',
  ],
])('flwd logs %j is refused', async (words, code, stderr) => {
  const { dir, serve } = await createInstance({});
  const server = await serve();
  expect(await flwd(dir, 'logs', ...words)).toEqual({ code, stdout: '', stderr });
  await server.stop();
});
