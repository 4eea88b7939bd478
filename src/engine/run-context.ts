// What conducting a run takes: the run itself, what it works with, and what it asks of the engine around it.

import type { RunPlan, Termination } from '../domain/run.ts';
import type { Sealer } from '../exec/seal.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { Store } from '../store/open.ts';
import type { AttemptContext } from './attempt.ts';
import type { Children } from './children.ts';
import type { ArtifactLimits } from './collect.ts';
import type { RunState } from './run-state.ts';
import type { Slot } from './slots.ts';
import type { RunFacts } from './step-values.ts';

export type ConductContext = AttemptContext & {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly sealer: Sealer;
  readonly runsDir: string;
  readonly artifactLimits: ArtifactLimits;
  readonly worker: string;
};

/** What a conductor asks of the engine around it. */
export type Surroundings = {
  /** A slot at once, or in its turn by `grant`. */
  readonly requestSlot: (run: RunFacts, n: number, grant: (slot: Slot) => void) => Slot | undefined;
  readonly withdrawSlot: (runId: string, n: number) => void;
  /** A deadline is in the database from now on. */
  readonly noticeDeadline: (atMs: number) => void;
  readonly children: Children;
};

export type ConductSource = {
  readonly run: RunFacts;
  readonly plan: RunPlan;
  readonly secrets: ReadonlyMap<string, string>;
  readonly state: RunState;
  /** Proofs of attempts that were ended before. */
  readonly terminations: readonly Termination[];
  /** null before the start. */
  readonly deadlineAtMs: number | null;
};
