// A batch is what one event brings about: changes as data, which the store applies in one transaction, and what starts
// once they are durable (ADR 0014).

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
  /** Called in order once the changes are durable. */
  readonly after: (() => void)[];
  /** For the processes that `after` starts. */
  readonly slots: Slot[];
  /** For the first process that needs one. */
  spare: Slot | undefined;
  result: Run['result'];
};

export function newBatch(spare?: Slot): Batch {
  return { changes: [], artifacts: [], after: [], slots: [], spare, result: null };
}

/** `run`: what becomes of the run itself. @throws Superseded */
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

/** What sealed outputs are bound to. */
export function sealContext(runId: string, stepId: string, attempt: number): string {
  return `${runId} ${stepId} ${attempt}`;
}

/** The batch is durable. */
export function carryOn({ after }: Batch): void {
  for (const act of after) act();
}

/** The batch was not written, or the run has ended meanwhile: nothing of the batch starts. */
export function giveUpBatch({ slots, spare }: Batch): void {
  for (const slot of slots) slot.release();
  spare?.release();
}
