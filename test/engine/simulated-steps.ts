// A run over its state with a simulated clock, a few slots, processes that end as they are told to, restarts that forget
// everything but the rows and the processes, and a cancel.

import type { JobDefinition, StepDefinition } from '../../src/domain/job.ts';
import { createPlaces, type Place } from '../../src/engine/run/places.ts';
import { createRunState, type Decision, type Ending, type RunState } from '../../src/engine/run/run-state.ts';
import type { RunFacts } from '../../src/engine/run/step-values.ts';

/** What the processes of a step or of an instance do. */
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

/** What the database has of a place. */
type Row = {
  readonly place: Place;
  readonly end: { readonly ending: Ending; readonly skipped: Ending['reason']; readonly atMs: number } | null;
};

export type Course = {
  readonly rows: readonly Row[];
  readonly state: RunState;
  readonly starts: readonly { readonly stepId: string; readonly attempt: number; readonly atMs: number }[];
  readonly mostRunning: number;
};

/** What lives on after a cancel, at most. */
const graceMs = 10;
const nothing = { reason: null, message: null, exitCode: null, outputs: {}, openOutputs: {} } as const;

/** @throws Error where something begins too early, or begins or ends twice */
export function simulate({ job, run, scriptOf, slots, cancelAtMs, restartsAtMs }: Scene): Course {
  let state = createRunState({ job, run, places: createPlaces(job.steps, ''), ended: [] });
  const rows: Row[] = state.places.map((place) => ({ place: { ...place }, end: null }));
  const running = new Map<number, number>();
  const starts: { stepId: string; attempt: number; atMs: number }[] = [];
  const restarts = restartsAtMs.toSorted((a, b) => b - a);
  let queue: Place[] = [];
  let mostRunning = 0;
  let isAborting = false;
  let atMs = 0;

  function store(place: Place, end: Row['end'] = null): void {
    if (rows[place.n - 1]?.end) throw new Error(`${place.stepId} has ended already`);
    rows[place.n - 1] = { place: { ...place }, end };
  }

  function carryOut(decisions: readonly Decision[]): void {
    for (const decision of decisions) {
      const { place } = decision;
      if (decision.kind === 'begin') queue.push(place);
      else if (decision.kind === 'end') store(place, { ending: decision.ending, skipped: null, atMs });
      else if (decision.kind === 'skip') {
        store(place, { ending: { ...nothing, status: 'failed' }, skipped: decision.reason, atMs });
      } else {
        place.status = 'running';
        store(place);
        for (const instance of decision.added) store(instance);
      }
    }
  }

  function start(place: Place): void {
    const { stepId, attempt, n } = place;
    const open = state.stepOf(place).needs.filter((need) => !rows.some((row) => row.place.stepId === need && row.end));
    if (open.length > 0) throw new Error(`${stepId} has begun before ${open.join()}`);
    if (starts.some((one) => one.stepId === stepId && one.attempt === attempt))
      throw new Error(`${stepId} began twice`);
    starts.push({ stepId, attempt, atMs });
    place.status = 'running';
    store(place);
    running.set(n, atMs + scriptOf(stepId).durationMs);
    mostRunning = Math.max(mostRunning, running.size);
  }

  function finish(place: Place, status: Ending['status']): void {
    const ending: Ending = { ...nothing, status, ...(status === 'failed' && { reason: 'exit', message: 'exit 1' }) };
    running.delete(place.n);
    store({ ...place, status }, { ending, skipped: null, atMs });
    carryOut(state.end(place, ending));
  }

  function exit(place: Place): void {
    const { failures, retries, delayMs } = scriptOf(place.stepId);
    if (isAborting) finish(place, 'cancelled');
    else if (place.attempt > failures) finish(place, 'success');
    else if (place.attempt > retries) finish(place, 'failed');
    else {
      running.delete(place.n);
      Object.assign(place, { attempt: place.attempt + 1, status: 'pending', notBeforeMs: atMs + delayMs });
      store(place);
      queue.push(place);
    }
  }

  function restart(): void {
    const places = rows.map(
      ({ place, end }) => ({ ...place, status: end?.skipped ? 'skipped' : place.status }) as const,
    );
    const ended = rows.flatMap(({ end }, at) => {
      const place = places[at];
      return end && place ? [{ ...end, place }] : [];
    });
    const inOrder = ended.toSorted(
      (a, b) => a.atMs - b.atMs || Number(a.place.item === null) - Number(b.place.item === null),
    );
    state = createRunState({ job, run, places, ended: inOrder });
    queue = state.places.filter(({ status, item }) => status === 'pending' && item !== null);
  }

  function dropQueue(): void {
    for (const place of queue.splice(0)) {
      carryOut(state.drop(place, 'run_ended', 'the run ended before its turn'));
    }
  }

  for (;;) {
    for (const place of state.places) if ((running.get(place.n) ?? Number.POSITIVE_INFINITY) <= atMs) exit(place);
    for (; (restarts.at(-1) ?? Number.POSITIVE_INFINITY) <= atMs; restarts.pop()) restart();
    if (atMs >= cancelAtMs && !isAborting) {
      isAborting = true;
      for (const [n, endsAtMs] of running) running.set(n, Math.min(endsAtMs, atMs + graceMs));
    }
    if (isAborting) dropQueue();
    carryOut(state.next(isAborting));
    const due = queue.filter(({ notBeforeMs }) => (notBeforeMs ?? 0) <= atMs).slice(0, slots - running.size);
    queue = queue.filter((place) => !due.includes(place));
    for (const place of due) start(place);
    const later = [...queue.map(({ notBeforeMs }) => notBeforeMs ?? 0), ...restarts, cancelAtMs];
    const next = Math.min(...running.values(), ...later.filter((instant) => instant > atMs));
    if (next === Number.POSITIVE_INFINITY || state.isOver) return { rows, state, starts, mostRunning };
    atMs = next;
  }
}

export type Expected = { readonly status: 'success' | 'failed' | 'skipped'; readonly reason: Ending['reason'] };

/** By the rules alone, from each step back to what it needs, without an order or a clock. */
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

/** The step's own id, or those of its instances. */
export function instanceIdsOf({ id, matrix, foreach }: StepDefinition): string[] {
  if (matrix) return (matrix.node ?? []).map((node) => `${id}[node=${node}]`);
  return foreach === null ? [id] : (JSON.parse(foreach) as number[]).map((_, at) => `${id}[${at}]`);
}
