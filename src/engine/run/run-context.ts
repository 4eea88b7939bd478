// The types of what a run controller needs: the run, the parts that it works with, and what it asks of the rest of the
// engine.

import type { ExpressionScope } from '../../catalog/expression/expression.ts';
import type { StepAction } from '../../domain/job.ts';
import type { Run, RunPlan, Termination } from '../../domain/run.ts';
import type { SteadyClock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Store } from '../../store/open.ts';
import type { DiskWatch } from '../disk-watch.ts';
import type { Kv } from '../kv/kv.ts';
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

/** How runs are executed, as the server is configured. */
export type Execution = AttemptContext & { readonly artifactLimits: ArtifactLimits };

export type ControllerContext = Execution & {
  readonly store: Store;
  readonly clock: SteadyClock;
  readonly log: Logger;
  readonly sealer: Sealer;
  readonly folders: RunFolders;
  readonly kv: Kv;
  readonly disk: Pick<DiskWatch, 'whyNoRunStarts' | 'wasExhaustedSince'>;
  /** The lease under which runs are driven. */
  readonly owner: Pick<Owner, 'id' | 'transact'>;
  /** The name of this process in the runs that it executes. */
  readonly worker: string;
};

/** The attempt of a step that starts the sub-run. */
type ParentStep = {
  readonly runId: string;
  readonly stepId: string;
  readonly attempt: number;
  readonly epoch: number;
};

export type Children = {
  /**
   * Returns undefined when too many sub-runs are running and this sub-run must wait.
   * @throws Problem that says why it cannot start; Superseded
   */
  readonly start: (o: {
    readonly run: RunFacts;
    readonly plan: RunPlan;
    readonly at: ParentStep;
    readonly action: Extract<StepAction, { kind: 'job' }>;
    /** The scope of expressions, without secrets. */
    readonly scope: ExpressionScope;
    /** The same scope with secrets. It is only for the secret arguments of the sub-run. */
    readonly openScope: () => ExpressionScope;
    readonly secrets: RunSecrets;
  }) => Promise<string | undefined>;
  readonly cancel: (runId: string, parentId: string, isForced?: boolean) => void;
  /** Waits for the sub-run and returns how its step ends. Rejects when `signal` is aborted. */
  readonly end: (runId: string, signal: AbortSignal) => Promise<Outcome>;
};

/** What a run controller asks of the rest of the engine. */
export type RunServices = {
  /** Returns a slot if one is free; otherwise `grant` is called when it is the step's turn. */
  readonly requestSlot: (run: RunFacts, n: number, grant: (slot: Slot) => void) => Slot | undefined;
  readonly withdrawSlot: (runId: string, n: number) => void;
  /** Called when a deadline has been written to the database. */
  readonly deadlineStored: (atMs: number) => void;
  readonly children: Children;
};

export type ControllerSource = RunSecrets & {
  readonly run: RunFacts & Pick<Run, 'security'>;
  readonly plan: RunPlan;
  readonly state: RunState;
  /** For each attempt that was terminated earlier, how it ended. */
  readonly terminations: readonly Termination[];
  /** Whether a cancel was requested before this process drove the run. */
  readonly isCancelRequested: boolean;
  /** The epoch of the run when it was read. The process that drives the run begins the next epoch. */
  readonly epoch: number;
  /** null before the run has started. */
  readonly deadlineAtMs: number | null;
  /** The latest time in the rows of the run. */
  readonly latestAtMs: number;
};
