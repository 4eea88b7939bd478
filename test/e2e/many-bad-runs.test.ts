// A server that starts and finds many runs that it cannot continue: it answers, sets each of them aside, and continues
// the others.

import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect } from 'vitest';
import { createInstance } from '../cli/an-instance.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';

const argspec = { type: 'object', properties: { token: { type: 'string', format: 'secret' } } };
const jobs = {
  waits: bash('echo ready; until [ -e "$GO" ]; do sleep 0.05; done', { env: { GO: '/workspace/go' } }),
  quick: bash('true', { argspec }),
};
const runningBad = 3;
const pendingBad = 100;
const good = 10;

testWith('bwrap')(
  'a start with 203 runs that cannot continue answers, fails each with a reason, and runs the others',
  async () => {
    const { dataDir, serve } = await createInstance(jobs, { scheduler: { global_concurrency: runningBad + 1 } });
    const first = await serve();
    const start = (count: number, job: string, args: object = {}): Promise<string[]> =>
      Promise.all(Array.from({ length: count }, () => first.start(job, args)));
    const [kept = '', ...withoutLog] = await start(runningBad + 1, 'waits');
    for (const id of [kept, ...withoutLog]) await expect.poll(() => first.messages(id)).toEqual(['ready']);
    const withoutKey = await start(pendingBad, 'quick', { token: 'hunter2-secret' });
    const withoutSteps = await start(pendingBad, 'quick');
    const sound = await start(good, 'quick');
    await first.kill();

    rmSync(join(dataDir, 'secret.key'));
    for (const id of withoutLog) replaceLog(dataDir, id);
    const database = new DatabaseSync(join(dataDir, 'flwd.db'));
    const removeSteps = database.prepare('DELETE FROM steps WHERE run_id = ?');
    for (const id of withoutSteps) removeSteps.run(id);
    database.close();

    const next = await serve();
    expect((await next.fetch('/health')).status).toBe(200);
    await expect.poll(async () => (await next.json<{ runs: object[] }>('/runs?status=pending')).runs).toEqual([]);
    const ends = async (ids: readonly string[]): Promise<string[]> => {
      const runs = await Promise.all(ids.map((id) => next.finished(id)));
      return [...new Set(runs.map(({ status, reason, error }) => [status, reason, error?.message].join(', ')))];
    };
    expect(await ends(withoutLog)).toEqual([expect.stringMatching(/^failed, lost, /)]);
    const unstarted = 'failed, start_failed, the run could not be started; the server log says why';
    expect(await ends(withoutKey)).toEqual([unstarted]);
    expect(await ends(withoutSteps)).toEqual([unstarted]);
    expect(await ends(sound)).toEqual(['success, , ']);
    expect((await next.json<{ status: string }>(`/runs/${kept}`)).status).toBe('running');
    writeFileSync(join(dataDir, 'runs', kept, 'workspace', 'go'), '');
    expect(await ends([kept])).toEqual(['success, , ']);
    await next.stop();
  },
);

/** Puts a folder where the log of the run was, so that it cannot be continued. */
function replaceLog(dataDir: string, runId: string): void {
  const logs = join(dataDir, 'logs');
  const names = readdirSync(logs, { recursive: true, encoding: 'utf8' });
  const name = names.find((path) => path.includes(runId) && path.endsWith('.raw'));
  if (name === undefined) throw new Error(`there is no log of ${runId}`);
  rmSync(join(logs, name));
  mkdirSync(join(logs, name));
}
