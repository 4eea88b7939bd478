import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { aRun } from './a-run.ts';
import { engines, nowMs, type Opened } from './engines.ts';
import { moveRun } from './moves.ts';

describe.each(engines)('what a collector gets on $engine', ({ open }) => {
  let dir: string;
  let store: Opened;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'flwd-exports-'));
    store = await open(dir);
  });
  afterEach(async () => {
    await store.database.close();
    await rm(dir, { recursive: true });
  });

  const all = { fromId: 1, toId: 1_000_000 };

  async function add(over: Parameters<typeof aRun>[0] = {}): Promise<string> {
    const run = aRun(over);
    await store.database.transact((tx) => store.runs.add(tx, run));
    return run.id;
  }
  async function end(id: string): Promise<void> {
    await store.database.transact((tx) => moveRun(tx, store.runs, id, 'claim', { atMs: nowMs + 10 }));
    await store.database.transact((tx) => moveRun(tx, store.runs, id, 'fail', { atMs: nowMs + 20, reason: 'exit' }));
  }

  test('runs are exported in the order in which they ended, with their attempts', async () => {
    const [waiting, first, second] = [await add(), await add(), await add()];
    await end(second);
    await end(first);
    const ended = await store.exports.ended(all);
    expect(ended.map(({ runId }) => runId)).toEqual([second, first]);
    expect(ended.map(({ runId }) => runId)).not.toContain(waiting);
    expect(ended[0]).toMatchObject({
      status: 'failed',
      reason: 'exit',
      createdAtMs: nowMs,
      startedAtMs: nowMs + 10,
      finishedAtMs: nowMs + 20,
      before: null,
    });
    expect(await store.exports.attempts(second)).toMatchObject([
      { stepId: 'step_01', attempt: 1, kind: 'command', status: 'failed', finishedAtMs: nowMs + 20 },
    ]);
    const fromId = (ended[0]?.eventId ?? 0) + 1;
    expect(await store.exports.ended({ ...all, fromId })).toMatchObject([{ runId: first }]);
  });

  test('a rerun names the run before it while that run is stored', async () => {
    const first = await add();
    const rerun = await add({ rerunOf: first });
    await end(rerun);
    const traceParent = { trace_id: 'a'.repeat(32), parent_id: 'b'.repeat(16), sampled: true, state: null };
    await end(await add({ rerunOf: 'run_gone', traceParent }));
    expect(await store.exports.ended(all)).toMatchObject([
      { before: { runId: first, traceId: expect.stringMatching(/^[0-9a-f]{32}$/) } },
      { before: null, trace: traceParent },
    ]);
  });

  test('each export stores its own position, which replaces the previous one', async () => {
    expect(await store.exports.state('traces')).toBeUndefined();
    const state = { nextId: 7, sentAtMs: null, failedAtMs: nowMs, error: 'the answer was 503' };
    await store.database.transact((tx) => store.exports.setState(tx, 'traces', state));
    await store.database.transact((tx) => store.exports.setState(tx, 'logs', { ...state, nextId: 9 }));
    await store.database.transact((tx) => store.exports.setState(tx, 'traces', { ...state, nextId: 8, error: null }));
    expect(await store.exports.state('traces')).toEqual({ ...state, nextId: 8, error: null });
    expect(await store.exports.state('logs')).toEqual({ ...state, nextId: 9 });
  });

  test('a run has the trace of its caller, or a trace of its own', async () => {
    const traceParent = { trace_id: 'a'.repeat(32), parent_id: 'b'.repeat(16), sampled: false, state: null };
    const [own, given] = [await add(), await add({ traceParent })];
    const found = await store.exports.traceIds([own, given, 'run_gone']);
    expect([...found]).toEqual(
      expect.arrayContaining([
        [own, expect.stringMatching(/^[0-9a-f]{32}$/)],
        [given, traceParent.trace_id],
      ]),
    );
    expect(found.size).toBe(2);
  });
});
