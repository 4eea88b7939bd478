// What waits for a slot of this process, as everything else sees it: runs that have not started, and further steps of
// runs that have. Runs may wait in memory or in a database that several servers share, so what decides about them is
// asynchronous; steps always wait in the process that drives their run. ADR 0038.

import type { Concurrency } from '../../domain/job.ts';
import type { Problem } from '../../domain/problem.ts';
import type { PendingRun } from '../../store/run/runs.ts';
import type { Slot } from '../run/slots.ts';
import type { RunFacts } from '../run/step-values.ts';
import type { ConcurrencyGroup, GroupRun } from './concurrency-groups.ts';

export type QueueLimits = {
  /** Processes at a time. */
  readonly globalConcurrency: number;
  readonly jobConcurrency: number | null;
  readonly maxDepth: number | null;
  readonly weightOf: (tenant: string) => number;
};

/** A run about to be created. */
export type NewcomerRun = Omit<PendingRun, 'waiting'> & { readonly onConflict: Concurrency['onConflict'] };

/** Counts a run in its concurrency group until it is released. */
export type Hold = { readonly release: () => void };

/** What a run needs to start. */
export type Permit = {
  /** For its first step. */
  readonly slot: Slot;
  /** Released when the run has ended. */
  readonly hold: Hold;
  /** The run does not start. */
  readonly giveUp: () => void;
};

/** What is to become of a run: it starts now, or is stored as pending and added to the queue. */
export type Admission = (
  | ({ readonly kind: 'start' } & Permit)
  | { readonly kind: 'wait'; readonly waiting: string; readonly giveUp: () => void }
) & {
  /** Runs to cancel once it is stored: its job says `on_conflict: cancel_running`. */
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
  /** As many wait as `max_depth` allows. */
  readonly isFull: boolean;
  /** Whether the run waits here, or was given out here and has not ended. */
  readonly has: (runId: string) => boolean;
  /**
   * Decides about a run before it is stored. A run never overtakes those that wait already.
   * @throws Problem concurrency-conflict, queue-full
   */
  readonly admit: (run: NewcomerRun) => Promise<Admission>;
  /** What `admit` would say, without a promise. */
  readonly outlook: (group: ConcurrencyGroup, onConflict: Concurrency['onConflict']) => Promise<Outlook>;
  /** A pending run is in the database. One that waits already stays as it is. */
  readonly add: (run: PendingRun) => Promise<void>;
  /** A pending run has ended. */
  readonly remove: (runId: string) => Promise<void>;
  /** Gives out the free slots: to steps at once, to runs by the claims it answers. */
  readonly claim: () => Promise<readonly Claim[]>;
  /** What could start and has not, if anything. */
  readonly startable: () => Promise<string | undefined>;
  /** Counts a run that a former process has started. */
  readonly hold: (group: ConcurrencyGroup, run: GroupRun) => Hold;
  /** A slot for a further step of a run: at once, or in its turn by `grant`. */
  readonly requestSlot: (run: RunFacts, n: number, grant: (slot: Slot) => void) => Slot | undefined;
  readonly withdrawSlot: (runId: string, n: number) => void;
  /** Until then nothing is given out: nobody knows how many slots are free before all runs are resumed. */
  readonly open: () => void;
  /** From now on only steps start. */
  readonly startNoRuns: () => void;
  /** From now on nothing starts. */
  readonly close: () => void;
};
