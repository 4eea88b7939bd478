// The list of steps and their graph, without a browser: the bars and their time axis, which steps are folded, and the
// texts.

import { describe, expect, test } from 'vitest';
import { revisionWords } from '../../src/client/revision-words.ts';
import { curveThrough, layOut } from '../../src/console/graph/graph-layout.ts';
import { gridOf, instanceName } from '../../src/console/graph/instance-grid.ts';
import { runSentence } from '../../src/console/run/run-sentence.ts';
import { timesOf } from '../../src/console/run/run-times.ts';
import { idWords } from '../../src/console/run/run-words.ts';
import { barsOf } from '../../src/console/run/steps/step-bars.ts';
import { rowsOf } from '../../src/console/run/steps/step-rows.ts';
import { stepCountWords, stepNote, waitsForWords } from '../../src/console/run/steps/step-words.ts';
import { axisOf, cutWords } from '../../src/console/run/steps/time-axis.ts';
import type { Run, Step } from '../../src/console/words.ts';

const at = (seconds: number): string => new Date(seconds * 1_000).toISOString();

const step = (id: string, members: Partial<Step> = {}): Step => ({
  step_id: id,
  name: id,
  status: 'success',
  reason: null,
  attempt: 1,
  needs: [],
  started_at: null,
  finished_at: null,
  exit_code: null,
  outputs: {},
  kind: 'command',
  message: null,
  instance_of: null,
  item: null,
  not_before: null,
  child_run_id: null,
  hint: null,
  approval: null,
  termination: null,
  ...members,
});

const runOf = (steps: Step[], members: Partial<Run> = {}): Run => ({
  run_id: 'run_1',
  job_id: 'shop/release',
  tenant: 'default',
  status: 'running',
  reason: null,
  waiting: null,
  waiting_approval: [],
  approval_ms: 0,
  expected_ms: null,
  expected_end_at: null,
  created_at: at(0),
  started_at: at(110),
  finished_at: null,
  args: {},
  result: null,
  exit_code: null,
  error: null,
  steps,
  attempt: 1,
  rerun_of: null,
  parent: null,
  trace: { trace_id: '0af7651916cd43dd8448eb211c80319c', parent_id: null, sampled: true, state: null },
  progress: null,
  priority: 0,
  limits: { log_bytes: 1 },
  grants: [],
  termination: null,
  left_behind: null,
  trigger: { type: 'api' },
  created_by: 'local',
  labels: {},
  source: { name: 'local-fs', type: 'fs', revision: 'r' },
  security: {
    profile: 'secure',
    isolation: {
      pid_namespace: true,
      network: 'none',
      filesystem: 'workspace',
      environment: 'clean',
      no_new_privileges: true,
      uid: 0,
    },
  },
  worker: null,
  cancel_requested_at: null,
  cancel_requested_by: null,
  request_id: null,
  ...members,
});

const instance = (group: string, name: string, members: Partial<Step> = {}): Step =>
  step(`${group}[${name}]`, { instance_of: group, ...members });

test('the duration of a run excludes its approvals, as the usual duration does', () => {
  const steps = [step('build', { started_at: at(111), finished_at: at(120) })];
  const run = runOf(steps, { status: 'success', finished_at: at(160), approval_ms: 30_000 });
  expect(timesOf(run, steps, 0)).toMatchObject({ workMs: 20_000, waitedMs: 140_000 });
});

test('a step waits from the end of the steps it needs, or of its last attempt, and works from its start', () => {
  const build = step('build', { started_at: at(110), finished_at: at(120) });
  const ask = step('ask', { kind: 'approval', needs: ['build'], started_at: at(120), finished_at: at(150) });
  const first = step('test', { status: 'failed', needs: ['build'], started_at: at(123), finished_at: at(130) });
  const again = step('test', { status: 'pending', attempt: 2, needs: ['build'] });
  const ship = step('ship', { status: 'pending', needs: ['test'] });
  const run = runOf([build, ask, again, ship]);
  const bars = barsOf(run, [build, ask, again, first, ship], 170_000);
  const told = (id: string) =>
    bars.get(id)?.map(({ look, fromMs, toMs, words }) => `${look} ${fromMs / 1000}-${toMs / 1000} ${words}`);
  expect(told('build')).toEqual(['waiting 0-110 waited 1 min 50 s', 'success 110-120 success 10 s']);
  expect(told('ask')).toEqual(['waiting_approval 120-150 waited for approval 30 s']);
  expect(told('test')).toEqual([
    'waiting 120-123 waited 3.0 s',
    'failed 123-130 failed 7.0 s',
    'waiting 130-170 has waited 40 s',
  ]);
  expect(told('ship')).toEqual([]);
});

describe('the time axis', () => {
  const minutes = (from: number, to: number) => ({ fromMs: from * 60_000, toMs: to * 60_000 });

  test('draws a long wait short, and everything else true to scale', () => {
    const axis = axisOf([minutes(0, 1), minutes(0, 2), minutes(20, 22)], minutes(0, 22));
    expect(axis.workMs).toBe(4 * 60_000);
    expect(cutWords(axis)).toBe('18 min of waiting drawn short');
    const share = (minute: number) => axis.share(minute * 60_000);
    expect(share(0)).toBe(0);
    expect(share(22)).toBeCloseTo(1);
    expect(share(1)).toBeCloseTo(share(21) - share(20));
    expect(share(20) - share(2)).toBeCloseTo(0.045 * 4 * share(1));
    expect(axis.ticks.map(({ words }) => words)).toEqual(['0 min', '1 min', '2 min', '3 min']);
    expect(axis.ticks[3]?.share).toBeCloseTo(share(21));
  });

  test('shows the only wait of a run that has not worked yet, and a run that took no time', () => {
    const axis = axisOf([], minutes(0, 5));
    expect([axis.share(0), axis.share(150_000), axis.share(300_000)]).toEqual([0, 0.5, 1]);
    expect([cutWords(axis), axis.ticks]).toEqual([null, []]);
    const { share } = axisOf([{ fromMs: 7, toMs: 7 }], { fromMs: 7, toMs: 8 });
    expect([share(7), share(8)]).toEqual([0, 1]);
  });
});

describe('the rows of steps', () => {
  const failed = instance('test', 'node=24,db=pg', { status: 'failed' });
  const fine = ['node=22,db=pg', 'node=22,db=sqlite', 'node=24,db=sqlite'].map((name) => instance('test', name));
  const steps = [
    step('checkout'),
    step('build'),
    step('test', { kind: 'group', status: 'failed' }),
    step('deploy', { status: 'skipped', needs: ['test'], reason: 'upstream_failed' }),
    step('report'),
    failed,
    ...fine,
  ];
  const told = (o: Partial<Parameters<typeof rowsOf>[1]> = {}, of = steps) =>
    rowsOf(of, { folds: new Map(), chosen: null, isTight: false, ...o }).map((row) => {
      const name = row.kind === 'rest' ? row.words : row.step.step_id;
      return `${' '.repeat(row.depth)}${row.isOpen === null ? '' : row.isOpen ? '- ' : '+ '}${name}`;
    });

  test('open at the failed instance, and fold the other instances', () => {
    expect(told()).toEqual([
      'checkout',
      'build',
      '- test',
      ' test[node=24,db=pg]',
      ' + 3 others succeeded',
      'deploy',
      'report',
    ]);
    expect(told({ folds: new Map([['test', false]]) })).toEqual(['checkout', 'build', '+ test', 'deploy', 'report']);
    expect(told({ folds: new Map([['success of test', true]]) }).slice(4)).toEqual([
      ' - 3 others succeeded',
      ' test[node=22,db=pg]',
      ' test[node=22,db=sqlite]',
      ' test[node=24,db=sqlite]',
      'deploy',
      'report',
    ]);
  });

  test('show the selected instance of a step that has succeeded', () => {
    const group = step('test', { kind: 'group' });
    const done = [group, ...fine];
    expect(told({}, done)).toEqual(['+ test']);
    expect(told({ folds: new Map([['test', true]]) }, done)).toHaveLength(4);
    expect(told({ chosen: fine[1]?.step_id ?? '' }, done)).toEqual([
      '- test',
      ' test[node=22,db=sqlite]',
      ' + 2 others succeeded',
    ]);
  });

  test('share a row with neighbours of the same status if there is little room', () => {
    expect(told({ isTight: true }).slice(0, 2)).toEqual(['+ 2 succeeded', '- test']);
    expect(told({ isTight: true, chosen: 'build' }).slice(0, 2)).toEqual(['checkout', 'build']);
  });

  test('unfold a sub-run that failed', () => {
    const child = { kind: 'job', child_run_id: 'run_2' } as const;
    expect(told({}, [step('one', child), step('two', { ...child, status: 'failed' })])).toEqual(['+ one', '- two']);
  });

  // The note is also part of the graph, whose lines show the needed steps.
  test('name the steps that a pending step waits for, apart from its note', () => {
    const apply = step('apply', { status: 'pending', needs: ['ask'] });
    const run = runOf([step('ask', { status: 'waiting_approval', kind: 'approval' }), apply]);
    expect(waitsForWords(run, apply)).toBe('after ask');
    expect(stepNote(run, apply, 0)).toBe('');
  });

  test('say why a step did not run', () => {
    const run = runOf(steps);
    const [, , , deploy] = steps;
    expect(deploy && stepNote(run, deploy, 0)).toBe('needs test');
    expect(stepCountWords(steps)).toBe('5, with 8 instances');
    const child = step('two', { status: 'failed', child_run_id: 'run_2', message: 'run_2 of a/b failed: exit 3' });
    expect(stepNote(run, child, 0)).toBe('a/b failed: exit 3');
  });

  test('are summarized in the sentence about the run', () => {
    const run = runOf(steps, {
      status: 'failed',
      finished_at: at(200),
      error: { message: 'expected 17.50, got 14.00', step_id: failed.step_id },
    });
    expect(runSentence(run, 0)).toEqual({
      lead: 'Failed in test, node=24 db=pg:',
      why: 'expected 17.50, got 14.00.',
      rest: '3 other instances succeeded, 1 step did not run.',
      soFar: '',
    });
    const others = { instances: 2, steps: 1 };
    const several = { ...run, error: { message: '', step_id: failed.step_id, other_failures: others } };
    expect(runSentence(several, 0).rest).toBe(
      '2 other instances failed, 1 other step failed, 3 other instances succeeded, 1 step did not run.',
    );
    expect(runSentence(runOf([step('a', { status: 'running' }), step('b')]), 172_400)).toEqual({
      lead: 'Running',
      why: 'a',
      rest: '',
      soFar: 'for 1 min 2 s.',
    });
  });
});

describe('the graph', () => {
  const box = (id: string, ...needs: string[]) => ({ id, needs, width: 100, height: 40 });

  test('places each step to the right of the steps it needs, and no two steps at the same place', () => {
    const boxes = [box('a'), box('b', 'a'), box('c', 'a'), box('d', 'b', 'c', 'a'), box('lost', 'nowhere')];
    const { places, edges } = layOut(boxes);
    for (const { id, needs } of boxes) {
      for (const need of needs.filter((one) => places.has(one)))
        expect(places.get(id)?.x).toBeGreaterThanOrEqual((places.get(need)?.x ?? 0) + 100);
    }
    expect(new Set([...places.values()].map(({ x, y }) => `${x} ${y}`)).size).toBe(boxes.length);
    expect(edges).toHaveLength(5);
    const below = layOut(boxes, 'TB').places;
    expect(below.get('d')?.y).toBeGreaterThanOrEqual((below.get('b')?.y ?? 0) + 40);
    expect(below.get('b')?.y).toBe(below.get('c')?.y);
    expect(
      curveThrough([
        { x: 0, y: 0 },
        { x: 10, y: 4 },
      ]),
    ).toBe('M0 0C5 0 5 4 10 4');
  });

  test('places a thousand dependencies of 400 steps without a long pause', () => {
    const boxes = Array.from({ length: 400 }, (_, n) =>
      box(`s${n}`, ...(n < 20 ? [] : [`s${n - 20}`, `s${n - (n % 20) - 20}`, `s${n - (n % 20) - 1}`])),
    );
    expect(layOut(boxes).places.size).toBe(400);
  });

  test('shows a matrix as a grid, and a missing combination as a gap', () => {
    const ids = (...names: string[]) => names.map((name) => ({ step_id: `t[${name}]` }));
    const { corner, columns, rows } = gridOf(ids('node=22,db=pg', 'node=22,db=my, sql', 'node=24,db=my, sql'));
    expect([corner, columns]).toEqual(['node', ['pg', 'my, sql']]);
    expect(rows.map(({ name, cells }) => [name, cells.map((cell) => cell?.step_id ?? null)])).toEqual([
      ['22', ['t[node=22,db=pg]', 't[node=22,db=my, sql]']],
      ['24', [null, 't[node=24,db=my, sql]']],
    ]);
    const three = gridOf(ids('os=a,node=1,db=x', 'os=a,node=1,db=y', 'os=b,node=1,db=x'));
    expect(three.rows.map(({ name }) => name)).toEqual(['os=a node=1', 'os=b node=1']);
    expect(gridOf(ids('host=a', 'host=b')).rows.map(({ name }) => name)).toEqual(['host=a', 'host=b']);
    const many = gridOf(Array.from({ length: 25 }, (_, n) => ({ step_id: `t[${n}]` })));
    expect(many.rows.map(({ cells }) => cells.length)).toEqual([10, 10, 5]);
  });

  test('names instances by their values or items', () => {
    const nameOf = (id: string, item: string | null = null): string => instanceName({ step_id: id, item });
    expect(['t[node=24,db=pg]', 't[3]', 't[a=1=2,b=x,y]', 'plain'].map((id) => nameOf(id))).toEqual([
      'node=24 db=pg',
      'item 4',
      'a=1=2 b=x,y',
      'plain',
    ]);
    expect(['db1', '', 'x'.repeat(41), 'a\u202eb'].map((item) => nameOf('t[3]', item))).toEqual([
      'db1',
      'item 4',
      'item 4',
      'a�b',
    ]);
  });
});

test('long ids and revisions are shortened', () => {
  expect(idWords('run_01M8GM0RDQFQDJJN5VYWHF11MC')).toBe('run_01M8…YWHF11MC');
  expect(['9f31c2e0aa11bb22cc33', 'sha256:9f31c2e0aa11bb22cc33', 'v1.2'].map(revisionWords)).toEqual([
    '9f31c2e',
    '9f31c2e',
    'v1.2',
  ]);
});
