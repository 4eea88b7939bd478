// Jobs that return pipes, devices, links and endless files as results, outputs and artifacts. The server accepts only
// the job's own regular files, reports the rest, and continues.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { startServer } from '../support/server.ts';
import { attackJob } from './attacks.ts';

const test = testWith('bwrap', 'python3');

/** Replaces a file that the server will read by something else. */
const instead: Readonly<Record<string, string>> = {
  'a pipe': 'os.mkfifo(path)',
  'a link to a file of the host': `os.symlink('/etc/passwd', path)`,
  'a link to what the server reads': `os.symlink('/proc/self/environ', path)`,
  'a link that leads up': `os.symlink('../../../../../../etc/passwd', path)`,
  'a link to itself': 'os.symlink(path, path)',
  'a folder': 'os.mkdir(path)',
  'a socket': `socket.socket(socket.AF_UNIX).bind(path)`,
  'a file that is closed': `open(path, 'w').write('{}'); os.chmod(path, 0)`,
  'a hundred gigabytes': `os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 100 * 2 ** 30)`,
};
const tricks = Object.entries(instead);

const strange = `
os.chdir('/workspace/artifacts')
open('kept', 'w').write('its own')
for name, target in {'shadow': '/etc/shadow', 'environ': '/proc/self/environ', 'up': '../../../../etc/passwd', 'host': host['dataDir'] + '/secret.key', 'args': '/run/flwd/in/args.json'}.items():
    os.symlink(target, name)
os.symlink('kept', 'to-kept')
os.mkfifo('pipe'); socket.socket(socket.AF_UNIX).bind('socket')
os.mkdir('closed'); open('closed/in', 'w').write('x'); os.chmod('closed', 0)
os.symlink('/', 'root')
with open('/run/flwd/out/artifacts', 'w') as named:
    for path in ('/etc/passwd', '/workspace/../etc/passwd', '/workspace/artifacts/host', '/workspace/artifacts/root/etc/passwd', '/proc/1/environ', host['dataDir'] + '/secret.key'):
        named.write(json.dumps({'path': path, 'name': 'named'}) + '\\n')
    named.write('no json\\n{"path": 1}\\n')`;

const users = [
  { user: 'the user of these tests', as: {} },
  ...(process.getuid?.() === 0 ? [{ user: 'another user than root', as: { uid: 65_534 } }] : []),
];

describe.each(users)('if the server runs as $user,', async ({ as }) => {
  const server = await startServer({
    ...as,
    jobs: {
      ...Object.fromEntries(
        tricks.flatMap(([, act], at) => [
          [`result-${at}`, attackJob(`path = '/run/flwd/out/result.json'\n${act}`)],
          [`output-${at}`, attackJob(`path = '/run/flwd/out/output'\n${act}`)],
          [`artifacts-${at}`, attackJob(`path = '/run/flwd/out/artifacts'\n${act}`)],
        ]),
      ),
      strange: attackJob(strange, { artifacts: { paths: ['artifacts/**', '**/passwd'] } }),
      names: attackJob(`
for name in (b'a\\nb', b'..\\\\up', b'\\xff\\xfe', b'"; rm -rf', b'\\x1b[2J', b'-rf', b'%2e%2e%2f'):
    open(b'/workspace/artifacts/' + name, 'w').write('x')`),
      sparse: attackJob(`os.truncate(os.open('artifacts/huge', os.O_CREAT | os.O_WRONLY), 2 ** 40)`),
      'large-result': attackJob(`json.dump('x' * 2 ** 21, open('/run/flwd/out/result.json', 'w'))`),
      'deep-result': attackJob(`open('/run/flwd/out/result.json', 'w').write('[' * 500000 + ']' * 500000)`),
      deep: attackJob(
        `
for _ in range(40): os.mkdir('d' * 250); os.chdir('d' * 250)
open('bottom', 'w').write('x')
say('deep')`,
        { artifacts: { paths: ['**/bottom'] } },
      ),
      closed: attackJob(`
os.makedirs('a/b/c'); os.chmod('a/b', 0); os.chmod('a', 0); os.chmod('/workspace/artifacts', 0); os.chmod('/run/flwd/out', 0)
os.chmod('/workspace', 0)`),
      secrets: attackJob(
        `
say(tried(open, '/run/flwd/secrets/new', 'w') == 'done', tried(os.unlink, '/run/flwd/secrets/token') == 'done')
room = os.statvfs('/run/flwd/secrets')
say(room.f_frsize * room.f_blocks <= 64 * 2 ** 20, oct(os.stat('/run/flwd/secrets/token').st_mode & 0o777))`,
        {
          argspec: { type: 'object', properties: { token: { type: 'string', format: 'secret' } } },
          permissions: { resources: { memory: '64MiB' } },
        },
      ),
      plain: bash('echo plain'),
    },
  });
  afterAll(async () => {
    expect(await server.run('plain')).toMatchObject({ status: 'success' });
    await server.close();
  });
  const host = JSON.stringify({ dataDir: server.dataDir });

  async function isGone(runId: string): Promise<void> {
    await expect.poll(() => existsSync(join(server.dataDir, 'runs', runId))).toBe(false);
  }

  test.each(tricks.map(([what], at) => ({ what, at })))('$what is not read as a result', async ({ what, at }) => {
    const run = await server.run(`result-${at}`);
    // Root can read files that nobody else may read.
    const isReadable = what === 'a file that is closed' && process.getuid?.() === 0 && !('uid' in as);
    const end = isReadable ? { status: 'success' } : { status: 'failed', reason: 'invalid_result' };
    expect(run).toMatchObject(end);
    expect(JSON.stringify(run)).not.toContain('root:');
    await isGone(run.run_id);
  });

  test.each(tricks.map(([what], at) => ({ what, at })))(
    '$what is not read as an output or as a named artifact',
    async ({ at }) => {
      for (const kind of ['output', 'artifacts']) {
        const run = await server.run(`${kind}-${at}`);
        expect(run.finished_at).not.toBeNull();
        expect(JSON.stringify(run)).not.toContain('root:');
        expect(await server.artifacts(run.run_id)).toEqual([]);
      }
    },
  );

  test('only the job’s own regular files become artifacts, and nothing behind a link out of the workspace', async () => {
    const run = await server.run('strange', { host });
    const artifacts = await server.artifacts(run.run_id);
    for (const { id } of artifacts) {
      const text = await (await server.fetch(`/artifacts/${id}`)).text();
      expect(text).toMatch(/^(its own|x)$/);
    }
    expect(artifacts.map(({ name }) => name)).toContain('kept');
    expect(JSON.stringify(artifacts)).not.toMatch(/shadow|environ|passwd|secret|args|pipe|socket/);
    await isGone(run.run_id);
  });

  test('the folder of secrets is small and accepts no new files', async () => {
    const run = await server.run('secrets', { token: 'a-secret-of-the-run' });
    expect(await server.messages(run.run_id)).toEqual(['False False', 'True 0o400']);
  });

  test('artifact names with any bytes result in a safe header', async () => {
    const run = await server.run('names');
    expect(run.status).toBe('success');
    const artifacts = await server.artifacts(run.run_id);
    expect(artifacts.length).toBeGreaterThanOrEqual(6);
    for (const { id } of artifacts) {
      const response = await server.fetch(`/artifacts/${id}`);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-disposition')).toMatch(
        /^attachment; filename="[^"\\/]*"(; filename\*=UTF-8''[\w%.~-]*)?$/,
      );
    }
  });

  test('an oversized output is reported', async () => {
    expect(await server.run('sparse')).toMatchObject({ status: 'failed', reason: 'artifact_too_large' });
    expect(await server.run('large-result')).toMatchObject({ status: 'failed', reason: 'invalid_result' });
    expect((await server.run('deep-result')).finished_at).not.toBeNull();
  });

  test.each(['deep', 'closed'])('a workspace that is %s is removed with its run', async (job) => {
    const run = await server.run(job);
    expect(run.finished_at).not.toBeNull();
    await isGone(run.run_id);
  });
});
