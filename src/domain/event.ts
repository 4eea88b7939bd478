// What happens to a run, as written to the journal in the transaction that made it happen, and as streamed.

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
  readonly type: Exclude<EventType, 'run.output' | 'step.output'>;
  readonly runId: string;
  readonly jobId: string;
  readonly tenant: string;
  readonly data: EventData;
};

/** Lines of output about to be announced: one row reserves an id for each of them (ADR 0004). */
export type NewOutput = {
  readonly type: 'run.output';
  readonly runId: string;
  readonly jobId: string;
  readonly tenant: string;
  /** First line's seq; the lines are `firstSeq … firstSeq + count - 1`. */
  readonly firstSeq: number;
  readonly count: number;
};

/** A row of the journal. `id` is the event's; an output row owns `id … id + count - 1`. */
export type JournalEntry = ((NewEvent & { readonly count: 1 }) | NewOutput) & {
  readonly id: number;
  readonly atMs: number;
};
