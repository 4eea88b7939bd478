import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { engines } from './engines.ts';

const program = join(import.meta.dirname, 'programs/write-runs.ts');
const order: readonly string[] = ['pending', 'running', 'success'];

describe.each(engines)('a server on $engine that is killed', ({ engine, open }) => {
  let dir: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'flwd-crash-'));
  });
  afterEach(() => rm(dir, { recursive: true }));

  test('loses nothing that it acknowledged, and its counters and events agree with the runs', async () => {
    const acknowledged = new Map<string, string>();
    // Twice on the same database: the second start continues with what the first one left.
    for (const goal of [200, 400]) {
      const child = spawn(process.execPath, [program, engine, dir], { stdio: ['ignore', 'pipe', 'inherit'] });
      for await (const line of createInterface(child.stdout)) {
        const [status = '', id = ''] = line.split(' ');
        acknowledged.set(id, status);
        if (acknowledged.size >= goal) child.kill('SIGKILL');
      }
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      expect(child.signalCode).toBe('SIGKILL');
    }

    const { database, runs, journal } = await open(dir);
    const stored = new Map<string, string>();
    let cursor: string | null = null;
    do {
      const page = await runs.list({ limit: 1_000, ...(cursor === null ? {} : { cursor }) });
      for (const run of page.runs) stored.set(run.run_id, run.status);
      cursor = page.nextCursor;
    } while (cursor !== null);
    const lost = [...acknowledged].filter(
      ([id, status]) => order.indexOf(stored.get(id) ?? '') < order.indexOf(status),
    );
    expect(lost).toEqual([]);
    expect((await runs.list({ limit: 1 })).total).toBe(stored.size);

    const events = await journal.read({ afterId: 0, limit: 100_000 });
    expect(events.map(({ id }) => id)).toEqual(events.map((_, n) => n + 1));
    const finished = events.filter(({ type }) => type === 'run.finished').map(({ runId }) => runId);
    expect(finished.toSorted()).toEqual(
      [...stored].flatMap(([id, status]) => (status === 'success' ? [id] : [])).toSorted(),
    );
    const counted = await database.read.selectFrom('run_stats').select(['span', 'success']).execute();
    const timed = await database.read
      .selectFrom('run_times')
      .select(['span', 'count as success'])
      .where('measure', '=', 'took')
      .execute();
    // All runs have the same job, end in the same hour and take the same time. So there is one counter for the job, and
    // one for all jobs.
    const each = ['day', 'day', 'hour', 'hour'].map((span) => ({ span, success: finished.length }));
    for (const counters of [counted, timed]) {
      expect(counters.toSorted((a, b) => a.span.localeCompare(b.span))).toEqual(each);
    }
    await database.close();
  });
});
