// The timeline of the steps: when each waited and when it ran.

import { isKept } from '../../client/shown-steps.ts';
import { durationWords } from '../../client/took.ts';
import type { StepStatus } from '../../domain/run.ts';
import { type Run, type Step, statusLooks } from '../words.ts';

type RunTimes = Pick<Run, 'rerun_of' | 'created_at' | 'started_at' | 'finished_at'> & {
  readonly steps: readonly Step[];
};

export type StepBar = {
  readonly look: 'waiting' | StepStatus;
  readonly fromMs: number;
  readonly toMs: number;
  readonly words: string;
};

/** The time span of the timeline. At most half of it is waiting before the start. */
export function drawnTime(run: RunTimes, nowMs: number): { readonly fromMs: number; readonly toMs: number } {
  const createdMs = Date.parse(run.created_at);
  const toMs = Math.max(createdMs + 1, run.finished_at === null ? nowMs : Date.parse(run.finished_at));
  if (run.started_at === null) return { fromMs: createdMs, toMs };
  const startedMs = Date.parse(run.started_at);
  return { fromMs: Math.max(createdMs, startedMs - (toMs - startedMs)), toMs: Math.max(startedMs + 1, toMs) };
}

export type StepRow = { readonly step: Step; readonly bars: readonly StepBar[] };

/** A step waits from the end of the steps that it needs, or of its last attempt, until it starts. */
export function rowsOf(run: RunTimes, attempts: readonly Step[], nowMs: number): StepRow[] {
  const attemptsOf = Map.groupBy(attempts, ({ step_id: id }) => id);
  const ends = new Map(run.steps.map(({ step_id: id, finished_at: at }) => [id, at]));
  return run.steps.map((step) => {
    const ofStep = (attemptsOf.get(step.step_id) ?? []).toSorted((one, other) => one.attempt - other.attempt);
    // Steps kept from an earlier run have times of that run.
    return { step, bars: isKept(run, step) ? [] : barsOf(run, ofStep, { readyMs: readyAt(run, step, ends), nowMs }) };
  });
}

function barsOf(
  run: RunTimes,
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
      bars.push(barOf(isAsked ? 'waiting' : one.status, words, { fromMs: startMs, toMs: Math.max(startMs, endMs) }));
    }
    freeMs = endMs;
    return bars;
  });
}

type Place = { readonly row: number; readonly ms: number };

/** The dependencies between steps that have both started: from the end of one to the start of the other. */
export function needsOver(
  rows: readonly StepRow[],
): { readonly key: string; readonly from: Place; readonly to: Place; readonly ids: readonly [string, string] }[] {
  const rowOf = new Map(rows.map(({ step }, row) => [step.step_id, row]));
  return rows.flatMap(({ step, bars: [first] }, row) => {
    if (!first || step.instance_of !== null) return [];
    return step.needs.flatMap((need) => {
      const fromRow = rowOf.get(need) ?? -1;
      const last = rows[fromRow]?.bars.at(-1);
      if (!last) return [];
      const key = `${need} ${step.step_id}`;
      return [
        {
          key,
          from: { row: fromRow, ms: last.toMs },
          to: { row, ms: first.fromMs },
          ids: [need, step.step_id] as const,
        },
      ];
    });
  });
}

/** When the step could start; null: a step that it needs has not ended. */
function readyAt(run: RunTimes, { needs }: Step, ends: ReadonlyMap<string, string | null>): number | null {
  const times = needs.flatMap((need) => {
    const end = ends.get(need) ?? null;
    return end === null ? [] : [Date.parse(end)];
  });
  return times.length < needs.length ? null : Math.max(Date.parse(run.created_at), ...times);
}

function barOf(look: StepBar['look'], verb: string, time: Pick<StepBar, 'fromMs' | 'toMs'>): StepBar {
  return { look, ...time, words: `${verb} ${durationWords(time.toMs - time.fromMs)}` };
}
