// When a run worked and when it waited: the bars of its steps, their time axis, and the sums.

import { workMs } from '../../client/took.ts';
import type { Run, Step } from '../words.ts';
import { barsOf, isWork, type StepBars } from './steps/step-bars.ts';
import { type Axis, axisOf } from './steps/time-axis.ts';

export type RunTimes = {
  readonly bars: StepBars;
  readonly axis: Axis;
  /** How long the run worked, measured in the same way as its usual duration. */
  readonly workMs: number;
  /** How long the run did not work, because it waited to start or for approvals. */
  readonly waitedMs: number;
};

export function timesOf(run: Run, attempts: readonly Step[], nowMs: number): RunTimes {
  const bars = barsOf(run, attempts, nowMs);
  const work = [...bars.values()].flat().filter(isWork);
  const createdMs = Date.parse(run.created_at);
  const fromMs = Date.parse(run.started_at ?? run.created_at);
  const toMs = Math.max(fromMs + 1, run.finished_at === null ? nowMs : Date.parse(run.finished_at));
  const axis = axisOf(work, { fromMs, toMs });
  const ms = workMs(run, nowMs) ?? 0;
  return { bars, axis, workMs: ms, waitedMs: Math.max(0, toMs - createdMs - ms) };
}
