// What happens to a run, as written to the journal in the transaction that made it happen, and as streamed.

import type { JobDefinition } from './job.ts';
import type { LogLevel } from './log-line.ts';
import type { StepReason, StepStatus, Trigger } from './run.ts';

export const eventTypes = [
  'run.created',
  'run.started',
  'run.output',
  'run.finished',
  'step.started',
  'step.output',
  'step.finished',
  'run.waiting',
  'run.progress',
  'run.cancelling',
  'step.waiting_approval',
  'step.skipped',
  'step.retrying',
] as const;
export type EventType = (typeof eventTypes)[number];

/** The types of rows that announce output; `step.output` for jobs with steps (ADR 0004). */
export const outputTypes = ['run.output', 'step.output'] as const;
export type OutputType = (typeof outputTypes)[number];

/** The events of each line that a row announces, in the order of their ids. */
export const eventsOfLine: Readonly<Record<OutputType, readonly OutputType[]>> = {
  'run.output': ['run.output'],
  'step.output': ['run.output', 'step.output'],
};

export function outputTypeOf({ composition }: Pick<JobDefinition, 'composition'>): OutputType {
  return composition === 'steps' ? 'step.output' : 'run.output';
}

export function isOutput<E extends { readonly type: EventType }>(event: E): event is Extract<E, { type: OutputType }> {
  return event.type in eventsOfLine;
}

/** What an event is about, beside run, job, tenant and time. Flat, as it is sent. */
type EventData = {
  readonly status?: StepStatus;
  readonly reason?: StepReason | null;
  readonly step_id?: string;
  readonly level?: LogLevel;
  readonly message?: string;
  readonly exit_code?: number | null;
  readonly percent?: number;
  readonly signal?: string;
  readonly attempt?: number;
  /** Of `run.created`. */
  readonly trigger?: Trigger['type'];
  /** Of `run.started`: from its creation. */
  readonly waited_ms?: number;
  /** Of `run.finished`: from its start; null when it never started. */
  readonly duration_ms?: number | null;
};

/** An event about to be written: the journal gives it its id. */
export type NewEvent = {
  readonly type: Exclude<EventType, OutputType>;
  readonly runId: string;
  readonly jobId: string;
  readonly tenant: string;
  readonly data: EventData;
};

/** Lines of output about to be announced: one row reserves the ids of their events (ADR 0004). */
export type NewOutput = {
  readonly type: OutputType;
  readonly runId: string;
  readonly jobId: string;
  readonly tenant: string;
  /** First line's seq; the lines are `firstSeq … firstSeq + lineCount - 1`. */
  readonly firstSeq: number;
  readonly lineCount: number;
};

/** A row of the journal. `id` is its first event's; it owns the ids `id … id + count - 1`. */
export type JournalEntry = (NewEvent | NewOutput) & {
  readonly id: number;
  readonly count: number;
  readonly atMs: number;
};
