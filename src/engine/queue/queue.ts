// The queue for slots of this process: runs that have not started, and further steps of runs that have. Runs may wait
// in memory or in a database that several servers share, so decisions about them are asynchronous. Steps always wait in
// the process that drives their run (ADR 0038).

import type { Concurrency } from '../../domain/job.ts';
import type { Problem } from '../../domain/problem.ts';
import type { PendingRun } from '../../store/run/runs.ts';
import type { Slot } from '../run/slots.ts';
import type { RunFacts } from '../run/step-values.ts';
import type { ConcurrencyGroup, GroupRun } from './concurrency-groups.ts';

export type QueueLimits = {
  /** How many processes may run at once. */
  readonly globalConcurrency: number;
  readonly jobConcurrency: number | null;
  readonly maxDepth: number | null;
  readonly weightOf: (tenant: string) => number;
};

/** A run that is about to be created. */
export type CandidateRun = Omit<PendingRun, 'waiting'> & { readonly onConflict: Concurrency['onConflict'] };

/** Counts a run in its concurrency group until `release` is called. */
export type Hold = { readonly release: () => void };

/** What a run needs to start. */
export type Permit = {
  /** The slot for the first step. */
  readonly slot: Slot;
  /** Released when the run has ended. */
  readonly hold: Hold;
  /** Call it when the run does not start. */
  readonly giveUp: () => void;
};

/** What happens to a run: it starts now, or is stored as pending and added to the queue. */
export type Admission = (
  | ({ readonly kind: 'start' } & Permit)
  | { readonly kind: 'wait'; readonly waiting: string; readonly giveUp: () => void }
) & {
  /** Runs to cancel once this run is stored, because its job says `on_conflict: cancel_running`. */
  readonly replaced: readonly string[];
};

export type Outlook = {
  /** Why a run created now would wait; null when it would start. */
  readonly waiting: string | null;
  readonly refused: Problem | null;
};

export type Claim = Permit & { readonly run: PendingRun };

export type Queue = {
  /** How many runs wait, as far as this process knows. */
  readonly depth: number;
  /** True if as many runs wait as `max_depth` allows. */
  readonly isFull: boolean;
  /** Whether the run waits here, or has been claimed here and has not ended. */
  readonly has: (runId: string) => boolean;
  /**
   * Decides about a run before it is stored. A run never overtakes runs that already wait.
   * @throws Problem concurrency-conflict, queue-full
   */
  readonly admit: (run: CandidateRun) => Promise<Admission>;
  /** What `admit` would decide, without changing anything. */
  readonly outlook: (group: ConcurrencyGroup, onConflict: Concurrency['onConflict']) => Promise<Outlook>;
  /** Adds a pending run that is in the database. Does nothing if it already waits. */
  readonly add: (run: PendingRun) => Promise<void>;
  /** Removes a pending run that has ended. */
  readonly remove: (runId: string) => Promise<void>;
  /** Gives the free slots to waiting steps, which start at once, and to waiting runs, which it returns as claims. */
  readonly claim: () => Promise<readonly Claim[]>;
  /** The id of a run or step that could start but has not; undefined if nothing could start. */
  readonly startable: () => Promise<string | undefined>;
  /** Counts a run that an earlier process started. */
  readonly hold: (group: ConcurrencyGroup, run: GroupRun) => Hold;
  /**
   * Returns a slot for a further step of a run if a slot is free. Otherwise `grant` is called when it is the step's
   * turn.
   */
  readonly requestSlot: (run: RunFacts, n: number, grant: (slot: Slot) => void) => Slot | undefined;
  readonly withdrawSlot: (runId: string, n: number) => void;
  /** Nothing starts before this call: how many slots are free is known only when all runs are resumed. */
  readonly open: () => void;
  /** From now on, only steps of running runs start. */
  readonly startNoRuns: () => void;
  /** From now on, nothing starts. */
  readonly close: () => void;
};
