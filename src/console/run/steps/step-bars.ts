// When each step of a run waited, and when it ran: a bar for each attempt.

import { isKept } from '../../../client/shown-steps.ts';
import { spanWords } from '../../../client/took.ts';
import type { StepStatus } from '../../../domain/run.ts';
import { type Run, type Step, statusLooks } from '../../words.ts';
import type { Span } from './time-axis.ts';

type TimedRun = Pick<Run, 'rerun_of' | 'created_at' | 'started_at' | 'finished_at'> & {
  readonly steps: readonly Step[];
};

export type StepBar = Span & {
  /** `waiting`: the step waits for other steps, for a slot or for a retry. */
  readonly look: 'waiting' | StepStatus;
  readonly words: string;
};

export type StepBars = ReadonlyMap<string, readonly StepBar[]>;

/**
 * Returns the bars by step. A step waits from the end of the steps that it needs until it starts. If it is retried, it
 * waits from the end of its last attempt.
 */
export function barsOf(run: TimedRun, attempts: readonly Step[], nowMs: number): StepBars {
  const attemptsOf = Map.groupBy(attempts, ({ step_id: id }) => id);
  const ends = new Map(run.steps.map(({ step_id: id, finished_at: at }) => [id, at]));
  return new Map(
    run.steps.map((step) => {
      const ofStep = (attemptsOf.get(step.step_id) ?? []).toSorted((one, other) => one.attempt - other.attempt);
      // A step that was kept from an earlier run has the times of that run, so it gets no bars.
      const bars = isKept(run, step) ? [] : barsOfStep(run, ofStep, { readyMs: readyAt(run, step, ends), nowMs });
      return [step.step_id, bars];
    }),
  );
}

/** Whether the step worked during this time, and did not only wait. */
export function isWork({ look }: StepBar): boolean {
  return look !== 'waiting' && look !== 'waiting_approval';
}

/** The span from the start of the first attempt to the end of the last attempt. */
export function wholeSpan(bars: readonly StepBar[]): Span | null {
  const ran = bars.filter(({ look }) => look !== 'waiting');
  if (ran.length === 0) return null;
  return { fromMs: Math.min(...ran.map(({ fromMs }) => fromMs)), toMs: Math.max(...ran.map(({ toMs }) => toMs)) };
}

function barsOfStep(
  run: TimedRun,
  attempts: readonly Step[],
  { readyMs, nowMs }: { readonly readyMs: number | null; readonly nowMs: number },
): StepBar[] {
  let freeMs = readyMs;
  return attempts.flatMap((one) => {
    const hasWaited = one.started_at !== null || one.status === 'pending' || one.status === 'cancelled';
    const endMs = Date.parse(one.finished_at ?? run.finished_at ?? '') || nowMs;
    const startMs = one.started_at === null ? endMs : Date.parse(one.started_at);
    const bars: StepBar[] = [];
    if (hasWaited && freeMs !== null && startMs > freeMs) {
      const verb = one.status === 'pending' ? 'has waited' : 'waited';
      bars.push(barOf('waiting', verb, { fromMs: freeMs, toMs: startMs }));
    }
    if (one.started_at !== null) {
      const isAsked = one.kind === 'approval';
      const words = isAsked ? 'waited for approval' : statusLooks[one.status].word;
      const time = { fromMs: startMs, toMs: Math.max(startMs, endMs) };
      bars.push(barOf(isAsked ? 'waiting_approval' : one.status, words, time));
    }
    freeMs = endMs;
    return bars;
  });
}

/** When the step could start; null: a step that it needs has not ended. */
function readyAt(run: TimedRun, { needs }: Step, ends: ReadonlyMap<string, string | null>): number | null {
  const times = needs.flatMap((need) => {
    const end = ends.get(need) ?? null;
    return end === null ? [] : [Date.parse(end)];
  });
  return times.length < needs.length ? null : Math.max(Date.parse(run.created_at), ...times);
}

function barOf(look: StepBar['look'], verb: string, time: Span): StepBar {
  return { look, ...time, words: `${verb} ${spanWords(time.toMs - time.fromMs)}` };
}
