import {
  type Arbitrary,
  array,
  assert,
  boolean,
  constant,
  constantFrom,
  func,
  integer,
  nat,
  property,
  record,
  tuple,
} from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JobDefinition, StepDefinition } from '../../src/domain/job.ts';
import { ownTrace } from '../../src/store/run/span-ids.ts';
import { aRun } from '../store/a-run.ts';
import { type Course, expectedOf, instanceIdsOf, type Scene, type Script, simulate } from './simulated-steps.ts';

const many = { numRuns: 300 };

const aScript: Arbitrary<Script> = record({
  failures: constantFrom(0, 0, 0, 1, 2),
  retries: nat(1),
  delayMs: nat(20),
  durationMs: integer({ min: 1, max: 30 }),
});

const draft = record({
  continueOnError: boolean(),
  always: boolean(),
  condition: constantFrom(null, null, null, 'true', 'false', 'success', 'failed', 'skipped', 'args.nonsense'),
  kind: constantFrom('single', 'single', 'matrix', 'foreach'),
  instances: nat(3),
  needs: array(nat(1_000), { maxLength: 3 }),
});

const someSteps: Arbitrary<StepDefinition[]> = array(draft, { minLength: 1, maxLength: 12, size: 'max' }).chain(
  (drafts) => {
    const steps = drafts.map((one, at): StepDefinition => {
      const needs = at === 0 ? [] : [...new Set(one.needs.map((number) => `s${number % at}`))];
      const ofNeed = ['success', 'failed', 'skipped'].includes(one.condition ?? '');
      const numbers = Array.from({ length: one.instances }, (_, number) => number);
      return {
        id: `s${at}`,
        name: null,
        action: { kind: 'command', command: ['./run.sh'], ulcProfile: 'ulc.shell.bash' },
        needs,
        condition: !ofNeed ? one.condition : needs[0] ? `steps.${needs[0]}.status == "${one.condition}"` : null,
        matrix: one.kind === 'matrix' ? { node: [22, ...numbers] } : null,
        foreach: one.kind === 'foreach' ? JSON.stringify(numbers) : null,
        retry: { limit: 0, backoff: 'fixed', delayMs: 0, maxDelayMs: 0, on: null },
        timeoutMs: null,
        continueOnError: one.continueOnError,
        always: one.always,
      };
    });
    // The steps can be in any order in the file.
    return tuple(...steps.map(() => nat())).map((ranks) =>
      steps.toSorted((a, b) => (ranks[steps.indexOf(a)] ?? 0) - (ranks[steps.indexOf(b)] ?? 0)),
    );
  },
);

const facts = aRun();
const run: Scene['run'] = {
  run_id: facts.id,
  job_id: facts.jobId,
  tenant: facts.tenant,
  args: {},
  trigger: facts.trigger,
  created_by: 'local',
  created_at: '2024-01-15T10:30:00.000Z',
  labels: {},
  priority: 0,
  trace: ownTrace(facts.id),
};

function aScene(
  o: { readonly cancelAtMs?: Arbitrary<number>; readonly restartsAtMs?: Arbitrary<number[]> } = {},
): Arbitrary<Scene> {
  return record({
    job: someSteps.map((steps): JobDefinition => ({ ...facts.plan.job, composition: 'steps', steps })),
    run: constant(run),
    scriptOf: func(aScript),
    slots: integer({ min: 1, max: 4 }),
    cancelAtMs: o.cancelAtMs ?? constant(Number.POSITIVE_INFINITY),
    restartsAtMs: o.restartsAtMs ?? constant<number[]>([]),
  });
}

const restarts = array(nat(200), { minLength: 1, maxLength: 6 });

describe.each([
  ['in one life of the server', aScene()],
  ['over restarts of the server', aScene({ restartsAtMs: restarts })],
])('the steps of a run %s', (_, scenes) => {
  test('each end once and with their reason, as needs, conditions and instances decide', () => {
    assert(
      property(scenes, (scene) => {
        const { rows, state, starts, mostRunning } = simulate(scene);
        const { steps } = scene.job;
        expect(state.isOver).toBe(true);
        expect(mostRunning).toBeLessThanOrEqual(scene.slots);
        const expected = expectedOf(steps, scene.scriptOf);
        expect(new Map(rows.filter(isWhole).map(toEnd))).toEqual(expected);
        const begun = new Set(steps.flatMap((step) => (hasBegun(expected.get(step.id)) ? instanceIdsOf(step) : [])));
        expect(new Set(starts.map(({ stepId }) => stepId))).toEqual(begun);
      }),
      many,
    );
  });

  test('fail the run because of the first one that failed, but never because of one with continue_on_error', () => {
    assert(
      property(scenes, (scene) => {
        const { rows, state } = simulate(scene);
        const mayFail = new Set(scene.job.steps.flatMap(({ id, continueOnError }) => (continueOnError ? [id] : [])));
        const fatal = rows.filter(
          ({ instance, end }) =>
            instance.item === null && end?.ending.status === 'failed' && !end.skipped && !mayFail.has(instance.stepId),
        );
        const firstMs = Math.min(...fatal.map(({ end }) => end?.atMs ?? 0));
        const first = fatal.filter(({ end }) => end?.atMs === firstMs).map(({ instance }) => instance.stepId);
        const failure = state.failure()?.stepId.replace(/\[.*/, '');
        if (failure === undefined) expect(fatal).toEqual([]);
        else expect(first).toContain(failure);
      }),
      many,
    );
  });
});

test('the steps of a cancelled run all end, and no step starts afterwards, even after restarts', () => {
  assert(
    property(aScene({ cancelAtMs: nat(120), restartsAtMs: restarts }), (scene) => {
      const { rows, state, starts } = simulate(scene);
      expect(state.isOver).toBe(true);
      expect(rows.filter(({ end }) => end === null)).toEqual([]);
      expect(starts.filter(({ atMs }) => atMs >= scene.cancelAtMs)).toEqual([]);
      for (const instance of rows.filter(({ instance: step, end }) => step.item && end?.ending.status !== 'success')) {
        const whole = rows[instance.instance.index];
        expect(whole?.end?.ending.status).not.toBe('success');
      }
      const expected = expectedOf(scene.job.steps, scene.scriptOf);
      for (const row of rows.filter(isWhole).filter(({ end }) => end && end.atMs < scene.cancelAtMs)) {
        expect(toEnd(row)[1]).toEqual(expected.get(row.instance.stepId));
      }
    }),
    many,
  );
});

function isWhole({ instance }: Course['rows'][number]): boolean {
  return instance.item === null;
}

function toEnd({ instance, end }: Course['rows'][number]) {
  const status = end?.skipped ? 'skipped' : end?.ending.status;
  return [instance.stepId, { status, reason: end?.skipped ?? end?.ending.reason }] as const;
}

function hasBegun(end: { readonly reason: string | null } | undefined): boolean {
  return end?.reason === null || end?.reason === 'exit';
}
