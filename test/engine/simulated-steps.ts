// Simulates a run over its state, with a simulated clock, a few slots, processes that end as the test says, a cancel,
// and restarts that keep only the rows and the processes.

import type { JobDefinition, StepDefinition } from '../../src/domain/job.ts';
import { createRunState, type Decision, type RunState } from '../../src/engine/run/run-state.ts';
import type { Ending } from '../../src/engine/run/step-endings.ts';
import { createStepInstances, type StepInstance } from '../../src/engine/run/step-instances.ts';
import type { RunFacts } from '../../src/engine/run/step-values.ts';

/** What the processes of a step or an instance do. */
export type Script = {
  readonly failures: number;
  readonly retries: number;
  readonly delayMs: number;
  readonly durationMs: number;
};

export type Scene = {
  readonly job: JobDefinition;
  readonly run: RunFacts;
  readonly scriptOf: (stepId: string) => Script;
  readonly slots: number;
  readonly cancelAtMs: number;
  readonly restartsAtMs: readonly number[];
};

/** What the database holds of an instance. */
type Row = {
  readonly instance: StepInstance;
  readonly end: { readonly ending: Ending; readonly skipped: Ending['reason']; readonly atMs: number } | null;
};

export type Course = {
  readonly rows: readonly Row[];
  readonly state: RunState;
  readonly starts: readonly { readonly stepId: string; readonly attempt: number; readonly atMs: number }[];
  readonly mostRunning: number;
};

/** How long a process lives after a cancel, at most. */
const graceMs = 10;
const nothing = { reason: null, message: null, exitCode: null, outputs: {}, openOutputs: {} } as const;

/** @throws Error when something starts too early, or starts or ends twice */
export function simulate({ job, run, scriptOf, slots, cancelAtMs, restartsAtMs }: Scene): Course {
  let state = createRunState({ job, run, instances: createStepInstances(job.steps, ''), ended: [] });
  const rows: Row[] = state.instances.map((instance) => ({ instance: { ...instance }, end: null }));
  const running = new Map<number, number>();
  const starts: { stepId: string; attempt: number; atMs: number }[] = [];
  const restarts = restartsAtMs.toSorted((a, b) => b - a);
  let queue: StepInstance[] = [];
  let mostRunning = 0;
  let isAborting = false;
  let atMs = 0;

  function store(instance: StepInstance, end: Row['end'] = null): void {
    if (rows[instance.n - 1]?.end) throw new Error(`${instance.stepId} has ended already`);
    rows[instance.n - 1] = { instance: { ...instance }, end };
  }

  function carryOut(decisions: readonly Decision[]): void {
    for (const decision of decisions) {
      const { instance } = decision;
      if (decision.kind === 'begin') queue.push(instance);
      else if (decision.kind === 'end') store(instance, { ending: decision.ending, skipped: null, atMs });
      else if (decision.kind === 'skip') {
        store(instance, { ending: { ...nothing, status: 'failed' }, skipped: decision.reason, atMs });
      } else {
        instance.status = 'running';
        store(instance);
        for (const instance of decision.added) store(instance);
      }
    }
  }

  function start(instance: StepInstance): void {
    const { stepId, attempt, n } = instance;
    const open = state
      .stepOf(instance)
      .needs.filter((need) => !rows.some((row) => row.instance.stepId === need && row.end));
    if (open.length > 0) throw new Error(`${stepId} has begun before ${open.join()}`);
    if (starts.some((one) => one.stepId === stepId && one.attempt === attempt))
      throw new Error(`${stepId} began twice`);
    starts.push({ stepId, attempt, atMs });
    instance.status = 'running';
    store(instance);
    running.set(n, atMs + scriptOf(stepId).durationMs);
    mostRunning = Math.max(mostRunning, running.size);
  }

  function finish(instance: StepInstance, status: Ending['status']): void {
    const ending: Ending = { ...nothing, status, ...(status === 'failed' && { reason: 'exit', message: 'exit 1' }) };
    running.delete(instance.n);
    store({ ...instance, status }, { ending, skipped: null, atMs });
    carryOut(state.end(instance, ending));
  }

  function exit(instance: StepInstance): void {
    const { failures, retries, delayMs } = scriptOf(instance.stepId);
    if (isAborting) finish(instance, 'cancelled');
    else if (instance.attempt > failures) finish(instance, 'success');
    else if (instance.attempt > retries) finish(instance, 'failed');
    else {
      running.delete(instance.n);
      Object.assign(instance, { attempt: instance.attempt + 1, status: 'pending', notBeforeMs: atMs + delayMs });
      store(instance);
      queue.push(instance);
    }
  }

  function restart(): void {
    const instances = rows.map(
      ({ instance, end }) => ({ ...instance, status: end?.skipped ? 'skipped' : instance.status }) as const,
    );
    const ended = rows.flatMap(({ end }, at) => {
      const instance = instances[at];
      return end && instance ? [{ ...end, instance }] : [];
    });
    const inOrder = ended.toSorted(
      (a, b) => a.atMs - b.atMs || Number(a.instance.item === null) - Number(b.instance.item === null),
    );
    state = createRunState({ job, run, instances, ended: inOrder });
    queue = state.instances.filter(({ status, item }) => status === 'pending' && item !== null);
  }

  function dropQueue(): void {
    for (const instance of queue.splice(0)) {
      carryOut(state.drop(instance, 'run_ended', 'the run ended while this step was waiting'));
    }
  }

  for (;;) {
    for (const instance of state.instances)
      if ((running.get(instance.n) ?? Number.POSITIVE_INFINITY) <= atMs) exit(instance);
    for (; (restarts.at(-1) ?? Number.POSITIVE_INFINITY) <= atMs; restarts.pop()) restart();
    if (atMs >= cancelAtMs && !isAborting) {
      isAborting = true;
      for (const [n, endsAtMs] of running) running.set(n, Math.min(endsAtMs, atMs + graceMs));
    }
    if (isAborting) dropQueue();
    carryOut(state.next(isAborting));
    const due = queue.filter(({ notBeforeMs }) => (notBeforeMs ?? 0) <= atMs).slice(0, slots - running.size);
    queue = queue.filter((instance) => !due.includes(instance));
    for (const instance of due) start(instance);
    const later = [...queue.map(({ notBeforeMs }) => notBeforeMs ?? 0), ...restarts, cancelAtMs];
    const next = Math.min(...running.values(), ...later.filter((instant) => instant > atMs));
    if (next === Number.POSITIVE_INFINITY || state.isOver) return { rows, state, starts, mostRunning };
    atMs = next;
  }
}

export type Expected = { readonly status: 'success' | 'failed' | 'skipped'; readonly reason: Ending['reason'] };

/**
 * Computes how each step must end from the rules alone: from each step back to its needs, without an order or a clock.
 */
export function expectedOf(steps: readonly StepDefinition[], scriptOf: Scene['scriptOf']): Map<string, Expected> {
  const known = new Map<string, Expected>();
  const find = (id: string): StepDefinition => {
    const step = steps.find((one) => one.id === id);
    if (!step) throw new Error(`there is no step ${id}`);
    return step;
  };
  const isStopped = (need: string): boolean => {
    const { status, reason } = endOf(need);
    return reason === 'upstream_failed' || (status === 'failed' && !find(need).continueOnError);
  };
  const byRules = (step: StepDefinition): Expected => {
    if (!step.always && step.needs.some(isStopped)) return { status: 'skipped', reason: 'upstream_failed' };
    if (step.condition?.includes('nonsense')) return { status: 'failed', reason: 'start_failed' };
    if (step.condition !== null && !holds(step.condition)) return { status: 'skipped', reason: 'condition' };
    const hasFailed = instanceIdsOf(step).some((id) => scriptOf(id).failures > scriptOf(id).retries);
    return hasFailed ? { status: 'failed', reason: 'exit' } : { status: 'success', reason: null };
  };
  const holds = (condition: string): boolean => {
    const [, need, status] = /^steps\.(\w+)\.status == "(\w+)"$/.exec(condition) ?? [];
    return need === undefined ? condition === 'true' : endOf(need).status === status;
  };
  const endOf = (id: string): Expected => {
    const end = known.get(id) ?? byRules(find(id));
    known.set(id, end);
    return end;
  };
  for (const { id } of steps) endOf(id);
  return known;
}

/** The id of the step itself, or of its instances. */
export function instanceIdsOf({ id, matrix, foreach }: StepDefinition): string[] {
  if (matrix) return (matrix.node ?? []).map((node) => `${id}[node=${node}]`);
  return foreach === null ? [id] : (JSON.parse(foreach) as number[]).map((_, at) => `${id}[${at}]`);
}
