// A job with write access keeps replacing folders by links and back, in paths that other jobs are granted, while those
// jobs start. No job may ever see the targets of the links: a file of the server, and a file that was granted to nobody
// (ADR 0020).

import { chmod, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect } from 'vitest';
import type { ProblemAnswer } from '../support/answers.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { startServer } from '../support/server.ts';
import { attackJob } from './attacks.ts';

const test = testWith('bwrap', 'python3');

// Not below /tmp, because a permissive job has a /tmp of its own.
const base = await realpath(await mkdtemp('/var/tmp/flwd-grants-'));
afterAll(() => rm(base, { recursive: true }));
await chmod(base, 0o755);
const keys = join(base, 'keys');
const outside = join(base, 'outside');
const granted = join(base, 'granted');
const places = [keys, outside, granted, join(granted, 'open')];
for (const place of places) {
  await mkdir(place);
  await chmod(place, 0o777);
}
await writeFile(join(keys, 'target'), '{"keys": []}');
await writeFile(join(outside, 'target'), 'of nobody');
for (const place of [keys, outside]) await chmod(join(place, 'target'), 0o666);

const argspec = { type: 'object', properties: { target: { type: 'string' }, link: { type: 'string' } } };
const permissions = { read: [{ arg: 'target' }] };
const jobs = {
  // Each replacement is atomic, so that the path always exists.
  flips: attackJob(
    `
folder, link = '${granted}/open/parent', '${granted}/open/other'
os.makedirs(folder, exist_ok=True)
with open(folder + '/target', 'w') as file: file.write('granted')
os.symlink(os.environ['FLWD_ARG_LINK'], link)
say('ready')
exchange = ctypes.CDLL(None, use_errno=True).renameat2
import random, time
while True:
    # Now and then for as long as a run takes to start, so that some come through.
    if random.random() < 0.01: time.sleep(0.03)
    if exchange(-100, folder.encode(), -100, link.encode(), 2): say(errno.errorcode[ctypes.get_errno()])`,
    { argspec, permissions: { write: [join(granted, 'open')] }, cancel: { grace: '100ms' } },
  ),
  reads: bash('cat "$target"', { argspec, permissions }),
  writes: bash('cat "$target"; echo changed >> "$target"', { argspec, permissions: { write: [{ arg: 'target' }] } }),
  // The profile of this job lets it read these files anyway.
  'writes-permissive': bash('(echo changed >> "$target") 2> /dev/null || echo elsewhere', {
    argspec,
    security_profile: 'permissive',
    permissions: { write: [{ arg: 'target' }] },
  }),
};
const users = [
  { user: 'the user of these tests', as: {} },
  ...(process.getuid?.() === 0 ? [{ user: 'another user than root', as: { uid: 65_534 } }] : []),
];

describe.each(users)('if the server runs as $user,', async ({ as }) => {
  const server = await startServer({
    ...as,
    jobs,
    config: {
      auth: { jwt: { issuer: 'https://id.example.org/', audience: 'flwd', jwks_file: join(keys, 'target') } },
      security: { paths: [granted], profiles: { permissive: { may_grant: ['write'] } } },
    },
  });
  afterAll(() => server.close());

  /** Returns the output of a run, or the reason why the run was refused. */
  async function outcome(job_id: string): Promise<string> {
    const target = join(granted, 'open', 'parent', 'target');
    const response = await server.fetch('/runs', { body: { job_id, args: { target } } });
    if (response.status !== 201) {
      const { detail }: ProblemAnswer = JSON.parse(await response.text());
      return (detail ?? '').replaceAll(target, 'it');
    }
    const { run_id }: { run_id: string } = JSON.parse(await response.text());
    const run = await server.finished(run_id);
    return run.status === 'success' ? (await server.messages(run_id)).join('\n') : (run.error?.message ?? run.status);
  }

  test.each([
    ['the server’s own', keys, "'it' belongs to the server itself, so no job may see it."],
    [
      'not granted',
      outside,
      "'it' is not below any folder in security.paths: add security: {paths: [it]} to flwd.yaml, unless it is there already (flwd config show names the file). Then restart the server, which reads the file only when it starts.",
    ],
  ])('a link to a file that is %s is never followed', async (_, link, refused) => {
    await rm(join(granted, 'open'), { recursive: true });
    await mkdir(join(granted, 'open'));
    await chmod(join(granted, 'open'), 0o777);
    const flipping = await server.start('flips', { link });
    await expect.poll(() => server.messages(flipping)).toEqual(['ready']);

    const outcomes = new Map<string, number>();
    const hasRun = () => [...outcomes.keys()].some((one) => one.startsWith('granted'));
    for (let round = 0; round < 25 || (round < 200 && !(hasRun() && outcomes.has(refused))); round += 1) {
      const some = await Promise.all(['reads', 'writes', 'writes-permissive', 'reads'].map(outcome));
      for (const one of some) outcomes.set(one, (outcomes.get(one) ?? 0) + 1);
    }
    await server.fetch(`/runs/${flipping}/cancel`, { method: 'POST' });
    await server.finished(flipping);

    const harmless = [
      '',
      'elsewhere',
      refused,
      'a path that the job was granted has been moved or removed since the run was created',
      'a path that the job was granted was moved while it started',
      'the sandbox could not be set up; the log says why',
    ];
    expect([...outcomes.keys()].filter((one) => !harmless.includes(one) && !one.startsWith('granted'))).toEqual([]);
    // The race did take place, and not every run was refused.
    expect(hasRun()).toBe(true);
    expect(outcomes.get(refused)).toBeGreaterThan(0);
    expect(await readFile(join(keys, 'target'), 'utf8')).toBe('{"keys": []}');
    expect(await readFile(join(outside, 'target'), 'utf8')).toBe('of nobody');
  });
});
