// What driving a run takes: the run itself, what it works with, and what it asks of the engine around it.

import type { ExpressionScope } from '../../catalog/expression/expression.ts';
import type { StepAction } from '../../domain/job.ts';
import type { RunPlan, Termination } from '../../domain/run.ts';
import type { SteadyClock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Store } from '../../store/open.ts';
import type { Owner } from '../owner.ts';
import type { Sealer } from '../secrets/seal.ts';
import type { AttemptContext } from './attempt/attempt-start.ts';
import type { Outcome } from './attempt/outcome.ts';
import type { ArtifactLimits } from './collect.ts';
import type { RunFolders } from './run-folders.ts';
import type { RunSecrets } from './run-secrets.ts';
import type { RunState } from './run-state.ts';
import type { Slot } from './slots.ts';
import type { RunFacts } from './step-values.ts';

export type ControllerContext = AttemptContext & {
  readonly store: Store;
  readonly clock: SteadyClock;
  readonly log: Logger;
  readonly sealer: Sealer;
  readonly artifactLimits: ArtifactLimits;
  readonly folders: RunFolders;
  /** Under whose lease runs are driven. */
  readonly owner: Pick<Owner, 'id' | 'transact'>;
  readonly worker: string;
};

/** The step, at the attempt and epoch that ask for the sub-run. */
type ParentStep = {
  readonly runId: string;
  readonly stepId: string;
  readonly attempt: number;
  readonly epoch: number;
};

export type Children = {
  /** undefined when so many have started that this one must wait. @throws Problem what stands in its way; Superseded */
  readonly start: (o: {
    readonly run: RunFacts;
    readonly plan: RunPlan;
    readonly at: ParentStep;
    readonly action: Extract<StepAction, { kind: 'job' }>;
    /** Sees no secrets. */
    readonly scope: ExpressionScope;
    /** Sees them: for the secret arguments of the sub-run alone. */
    readonly openScope: () => ExpressionScope;
    readonly secrets: RunSecrets;
  }) => Promise<string | undefined>;
  readonly cancel: (runId: string, isForced?: boolean) => void;
  /** How the sub-run ended, as its step's end. Rejects when `signal` does. */
  readonly end: (runId: string, signal: AbortSignal) => Promise<Outcome>;
};

/** What a run controller asks of the engine around it. */
export type Surroundings = {
  /** A slot at once, or in its turn by `grant`. */
  readonly requestSlot: (run: RunFacts, n: number, grant: (slot: Slot) => void) => Slot | undefined;
  readonly withdrawSlot: (runId: string, n: number) => void;
  /** A deadline is in the database from now on. */
  readonly noticeDeadline: (atMs: number) => void;
  readonly children: Children;
};

export type ControllerSource = RunSecrets & {
  readonly run: RunFacts;
  readonly plan: RunPlan;
  readonly state: RunState;
  /** Proofs of attempts that were ended before. */
  readonly terminations: readonly Termination[];
  /** Before this process took it up. */
  readonly isCancelRequested: boolean;
  /** In which it was read: whoever drives it is in the next one. */
  readonly epoch: number;
  /** null before the start. */
  readonly deadlineAtMs: number | null;
  /** The newest instant in its rows. */
  readonly latestAtMs: number;
};
