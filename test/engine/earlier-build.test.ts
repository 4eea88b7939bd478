// A database from a build in which a job was one command, with running, waiting and finished runs.

import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import type { RunPlan } from '../../src/domain/run.ts';
import { initial } from '../../src/store/migrations/0001-initial.ts';
import { columnTypes, connectToWrite, kyselyOver } from '../../src/store/sqlite/sqlite.ts';
import { bash } from '../support/jobs.ts';
import { processesWith } from '../support/processes.ts';
import { caller, dataFolder, openEngine } from './an-engine.ts';

const nap = `sleep 8026.${process.pid}`;
const tables = ['runs', 'run_plans', 'run_counts', 'steps', 'events', 'sequences', 'log_segments'];

/** The plan as that build wrote it. */
function lower(text: string): string {
  const plan: RunPlan = JSON.parse(text);
  const action = plan.job.steps[0]?.action;
  if (action?.kind !== 'command') throw new Error('its jobs had one command');
  const { command, ulcProfile } = action;
  // Members that are undefined are left out.
  const none = undefined;
  const permissions = { ...plan.job.permissions, resources: none };
  const later = { concurrency: none, onLost: none, schedules: none, notify: none };
  return JSON.stringify({
    ...plan,
    resources: none,
    job: { ...plan.job, ...later, permissions, command, ulcProfile, steps: [] },
  });
}

/** Rewrites the database to the first schema. */
async function lowerDatabase(path: string): Promise<void> {
  renameSync(path, `${path}.new`);
  for (const end of ['-wal', '-shm']) rmSync(`${path}${end}`, { force: true });
  const database = connectToWrite(path);
  const db = kyselyOver(database);
  for (const statement of initial.statements(db, columnTypes)) await statement.execute();
  database.exec(`ATTACH '${path}.new' AS later`);
  for (const table of tables) {
    const columns = database.prepare(`SELECT name FROM pragma_table_info('${table}')`).all();
    const names = columns.map(({ name }) => `"${String(name)}"`).join();
    database.exec(`INSERT INTO main.${table} (${names}) SELECT ${names} FROM later.${table}`);
  }
  database.function('lower_plan', (text) => lower(String(text)));
  database.exec('UPDATE main.run_plans SET plan = lower_plan(plan)');
  database.exec('DETACH later; PRAGMA user_version = 1');
  database.close();
}

test('after an upgrade a running run ends with its processes, a waiting run starts, and a finished run can be rerun', async () => {
  const root = dataFolder();
  const jobs = {
    hold: bash(`echo held; ${nap}`),
    quick: bash('echo "quick $note"', { argspec: { type: 'object', properties: { note: { type: 'string' } } } }),
  };
  const limits = { globalConcurrency: 1 };
  const opened = await openEngine(root, { jobs, limits });
  const ended = await opened.create('quick', { note: 'one' });
  await opened.finished(ended);
  const running = await opened.create('hold');
  await expect.poll(() => opened.messages(running)).toEqual(['held']);
  const waiting = await opened.create('quick', { note: 'two' });
  await opened.close();
  const data = join(root, 'data');
  renameSync(join(data, 'runs', running, '1-1'), join(data, 'runs', running, '1'));
  // The first engine runs in this process and still watches the attempt. If the folder were missing, it would end the
  // run's processes.
  mkdirSync(join(data, 'runs', running, '1-1'));
  await lowerDatabase(join(data, 'flwd.db'));
  const file = new DatabaseSync(join(data, 'flwd.db'));
  expect(file.prepare('SELECT status FROM steps WHERE run_id = ?').all(running)).toEqual([{ status: 'running' }]);
  file.close();

  const next = await openEngine(root, { limits });
  expect(await next.finished(running)).toMatchObject({
    status: 'failed',
    reason: 'lost',
    error: { message: 'the run could not be resumed after a restart; the server log says why' },
    termination: { signals: [{ signal: 'TERM' }], remaining: 0 },
    steps: [{ step_id: 'step_01', status: 'failed', reason: 'lost' }],
  });
  expect(processesWith(nap)).toEqual([]);
  expect(
    next.log.find(
      ({ run_id, msg }) => run_id === running && msg === 'a run that could not be resumed was marked as failed',
    ),
  ).toMatchObject({
    err: { message: 'the run was started by an earlier build of flwd' },
  });
  expect(await next.messages(running)).toEqual(['held']);
  expect(await next.finished(waiting)).toMatchObject({ status: 'success', steps: [{ status: 'success' }] });
  expect(await next.messages(waiting)).toEqual(['quick two']);
  const { runId } = await next.engine.rerun(ended, { from: 'failed' }, caller);
  expect(await next.finished(runId)).toMatchObject({ status: 'success', rerun_of: ended });
  expect(await next.messages(runId)).toEqual(['quick one']);
});
