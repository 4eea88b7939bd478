// Runs a short chaos loop, and checks that each invariant finds a planted breach. `npm run chaos` runs a long loop.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { absentTools } from '../support/host.ts';
import type { Evidence, RunRow } from './evidence.ts';
import { invariants } from './invariants.ts';
import type { Told } from './ledger.ts';
import { type Outcome, wreak } from './loop.ts';
import { mutations } from './mutations.ts';

const seed = Number(process.env.CHAOS_SEED ?? 1);
const isPossible = absentTools('bwrap').length === 0 || process.env.CI !== undefined;

describe.skipIf(!isPossible)(`a server that is killed again and again (CHAOS_SEED=${seed})`, () => {
  let outcome: Outcome;
  beforeAll(async () => {
    const packageDir = inject('packageDir');
    outcome = await wreak({ packageDir, seed, kills: 7, cutChance: 0.3, ofEachKind: 1, say: () => undefined });
  });
  afterAll(() => outcome.remove());

  test('receives requests for runs, and is killed while the runs are running', () => {
    const { ledger, runs } = outcome.evidence;
    expect(ledger.kills).toBe(7);
    expect(runs.length).toBeGreaterThan(10);
    expect(ledger.secondEngines.length).toBeGreaterThan(0);
  });

  test.each(invariants)('$name: $sentence', ({ breaches }) => {
    expect(breaches(outcome.evidence)).toEqual([]);
  });

  test.each<[string, (evidence: Evidence) => Partial<Evidence>]>([
    [
      'acknowledged',
      ({ runs, ledger }) => ({
        runs: runs.filter(({ id }) => id !== ledger.orders.flatMap(({ answers }) => answers)[0]),
      }),
    ],
    ['ends-once', ({ events }) => ({ events: events.filter(({ type }) => type !== 'run.finished') })],
    ['ends-once', ({ runs }) => ({ runs: changed(runs, { status: 'running' }) })],
    ['ends-as-it-should', ({ runs }) => ({ runs: changed(runs, { reason: 'signal' }) })],
    ['log-is-exact', ({ logs }) => ({ logs: new Map([...logs].map(([id, lines]) => [id, lines.slice(1)])) })],
    ['log-is-exact', ({ logs }) => ({ logs: new Map([...logs].map(([id, lines]) => [id, lines.slice(0, -1)])) })],
    ['log-is-exact', ({ logs }) => ({ logs: new Map([...logs].map(([id, lines]) => [id, [...lines, ...lines]])) })],
    [
      'keeps-what-it-made',
      ({ runs }) => ({ runs: changed(runs, { job_id: 'keeper', status: 'success' }), artifacts: new Map() }),
    ],
    ['ids-grow', ({ events }) => ({ events: events.toReversed() })],
    ['lines-announced-once', ({ events }) => ({ events: events.filter(({ type }) => !type.endsWith('.output')) })],
    ['follower-saw-all', ({ seen }) => ({ seen: seen.filter(({ event }) => event !== 'run.created') })],
    ['follower-saw-all', ({ seen }) => ({ seen: [...seen, ...seen.slice(-1)] })],
    ['follower-saw-all', ({ replayed }) => ({ replayed: replayed.slice(1) })],
    [
      'times-stay',
      ({ seen }) => ({
        seen: seen.map((frame) => ({ ...frame, data: frame.data.replace(/"timestamp":"20/, '"timestamp":"19') })),
      }),
    ],
    ['keys-hold', ({ runs }) => ({ runs: [...runs, ...changed(runs, { id: 'another' })] })],
    [
      'cancel-is-proven',
      ({ steps }) => ({
        steps: steps.map((step) => ({ ...step, status: 'cancelled', termination: '{"remaining":1}' })),
      }),
    ],
    ['epochs-apart', ({ steps }) => ({ steps: steps.flatMap((step) => [{ ...step, finished_at: null }, step]) })],
    [
      'stale-writer-is-refused',
      ({ ledger }) => ({ ledger: { ...ledger, staleWrites: [{ runId: 'one', isChanged: true }] } }),
    ],
    ['second-engine-takes-nothing', ({ ledger }) => ({ ledger: { ...ledger, secondEngines: [{ taken: ['one'] }] } })],
    [
      'commands-end-as-their-run',
      ({ ledger }) => ({ ledger: { ...ledger, told: changedTold(ledger.told, { kind: 'run', end: 5 }) } }),
    ],
    [
      'followers-end-with-their-run',
      ({ ledger }) => ({ ledger: { ...ledger, told: changedTold(ledger.told, { kind: 'logs', end: 5 }) } }),
    ],
    ['clients-see-all', ({ ledger }) => ({ ledger: { ...ledger, told: changedTold(ledger.told, { stdout: '' }) } })],
    ['counters-agree', ({ runs }) => ({ runs: runs.slice(1) })],
    ['counters-agree', ({ endedCounts }) => ({ endedCounts: endedCounts.slice(1) })],
    ['counters-agree', () => ({ wrongLabels: [{ run_id: 'one', key: 'env', status: null }] })],
    ['database-is-whole', () => ({ integrity: ['row 1 missing from index runs_by_age'] })],
    ['nothing-left', () => ({ runFolders: [{ runId: 'one', names: ['1-1'] }] })],
    [
      'stops-cleanly',
      ({ ledger }) => ({ ledger: { ...ledger, stops: [{ code: null, signal: 'SIGKILL', tookMs: 9_000 }] } }),
    ],
    ['stops-tidily', ({ ledger }) => ({ ledger: { ...ledger, leftAtStops: ['runs/run_1 holds 1-1, workspace'] } })],
    ['answers-properly', ({ ledger }) => ({ ledger: { ...ledger, refusals: ['POST /runs answered 500'] } })],
  ])('a breach of %s is found', (name, plant) => {
    const { evidence } = outcome;
    const planted = { ...evidence, ...plant(evidence) };
    expect(invariants.find((one) => one.name === name)?.breaches(planted)).not.toEqual([]);
  });
});

test.each(mutations)('the text that removing $name replaces is in $file, once', ({ file, text }) => {
  const source = readFileSync(join(import.meta.dirname, '../..', file), 'utf8');
  expect(source.split(text)).toHaveLength(2);
});

function changedTold(told: readonly Told[], change: Partial<Told>): Told[] {
  return told.map((one) => ({ ...one, ...change }));
}

/** Applies a change to all rows. */
function changed(runs: readonly RunRow[], change: Partial<RunRow>): RunRow[] {
  return runs.map((run) => ({ ...run, started_at: run.started_at ?? 0, ...change }));
}
