// An event of a run. The transaction that changes the run also writes the event to the journal. Streams send the event
// in the same form.

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

/** The types of journal entries that announce output. `step.output` is used for jobs with steps (ADR 0004). */
export const outputTypes = ['run.output', 'step.output'] as const;
export type OutputType = (typeof outputTypes)[number];

/** The events that a journal entry announces for each line of output, in the order of their ids. */
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

/** The data of an event, besides run, job, tenant and time. It is flat, and clients receive it in this form. */
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
  /** For `run.cancelling`: who requested the cancel. */
  readonly by?: string;
  /** For `run.finished`: the time since the run started; null if it never started. */
  readonly duration_ms?: number | null;
};

/** An event that is not yet written. The journal assigns its id. */
export type NewEvent = {
  readonly type: Exclude<EventType, OutputType>;
  readonly runId: string;
  readonly jobId: string;
  readonly tenant: string;
  readonly data: EventData;
};

/** Lines of output that are not yet announced. One journal entry reserves the ids of all their events (ADR 0004). */
export type NewOutput = {
  readonly type: OutputType;
  readonly runId: string;
  readonly jobId: string;
  readonly tenant: string;
  /** The number of the first line. The lines are `firstSeq … firstSeq + lineCount - 1`. */
  readonly firstSeq: number;
  readonly lineCount: number;
};

/** A journal entry. `id` is the id of its first event. The ids `id … id + count - 1` belong to the entry. */
export type JournalEntry = (NewEvent | NewOutput) & {
  readonly id: number;
  readonly count: number;
  readonly atMs: number;
};
