// An event of a run. The transaction that makes it happen also writes it to the journal. Streams send it in the same
// form.

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

/** Journal entries that announce output; `step.output` is for jobs with steps (ADR 0004). */
export const outputTypes = ['run.output', 'step.output'] as const;
export type OutputType = (typeof outputTypes)[number];

/** The events that an entry announces for each line, in the order of their ids. */
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

/** An event's data, besides run, job, tenant and time. Flat, as it is sent. */
type EventData = {
  readonly status?: StepStatus;
  readonly reason?: StepReason | null;
  readonly step_id?: string;
  readonly level?: LogLevel;
  readonly message?: string;
  readonly hint?: string;
  readonly exit_code?: number | null;
  readonly percent?: number;
  readonly signal?: string;
  readonly attempt?: number;
  /** For `run.created`. */
  readonly trigger?: Trigger['type'];
  /** For `run.started`: the time since the run was created. */
  readonly waited_ms?: number;
  /** For `run.finished`: the time since the run started; null when it never started. */
  readonly duration_ms?: number | null;
};

/** An event to be written. The journal assigns its id. */
export type NewEvent = {
  readonly type: Exclude<EventType, OutputType>;
  readonly runId: string;
  readonly jobId: string;
  readonly tenant: string;
  readonly data: EventData;
};

/** Lines of output to be announced. One entry reserves the ids of all their events (ADR 0004). */
export type NewOutput = {
  readonly type: OutputType;
  readonly runId: string;
  readonly jobId: string;
  readonly tenant: string;
  /** Seq of the first line. The lines are `firstSeq … firstSeq + lineCount - 1`. */
  readonly firstSeq: number;
  readonly lineCount: number;
};

/** A journal entry. `id` is the id of its first event; it owns the ids `id … id + count - 1`. */
export type JournalEntry = (NewEvent | NewOutput) & {
  readonly id: number;
  readonly count: number;
  readonly atMs: number;
};
