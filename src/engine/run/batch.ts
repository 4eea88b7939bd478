// A batch is everything that follows from one event: changes as data, which the store applies in one transaction, and
// what starts once they are stored (ADR 0014).

import type { Run } from '../../domain/run.ts';
import type { NewArtifact } from '../../store/blobs/artifacts.ts';
import type { Transaction } from '../../store/database.ts';
import type { RunBatch, StepChange } from '../../store/run/run-batch.ts';
import type { About } from '../../store/run/step-moves.ts';
import type { ControllerContext } from './run-context.ts';
import type { Slot } from './slots.ts';

export type Batch = {
  readonly changes: StepChange[];
  readonly artifacts: NewArtifact[];
  /** Called in order once the changes are stored. */
  readonly after: (() => void)[];
  /** The slots of the processes that `after` starts. */
  readonly slots: Slot[];
  /** A free slot for the first process that needs one. */
  spare: Slot | undefined;
  result: Run['result'];
  /**
   * The time at which the script that caused this batch ended. Set only if the script ended before this process resumed
   * the run.
   */
  endedBeforeAtMs?: number | undefined;
  /** The deadline of the run, if it is decided only now. */
  deadlineAtMs?: number;
};

export function newBatch(spare?: Slot): Batch {
  return { changes: [], artifacts: [], after: [], slots: [], spare, result: null };
}

/** Writes a batch in a transaction. `run` says what happens to the run itself. @throws Superseded */
export async function applyBatch(
  tx: Transaction,
  { about, context }: { readonly about: About; readonly context: Pick<ControllerContext, 'store' | 'sealer'> },
  { changes, artifacts }: Batch,
  run: RunBatch['run'],
): Promise<void> {
  const { store, sealer } = context;
  await store.runs.apply(tx, about, { changes, artifacts, run }, (outputs, { stepId, attempt }) =>
    sealer.seal(outputs, sealContext(about.runId, stepId, attempt)),
  );
}

/** The context that sealed outputs are bound to. */
export function sealContext(runId: string, stepId: string, attempt: number): string {
  return `${runId} ${stepId} ${attempt}`;
}

/** Call it once the batch is stored. */
export function continueBatch({ after }: Batch): void {
  for (const act of after) act();
}

/** Call it when the batch was not stored or the run has ended. In both cases, nothing of the batch starts. */
export function giveUpBatch({ slots, spare }: Batch): void {
  for (const slot of slots) slot.release();
  spare?.release();
}
