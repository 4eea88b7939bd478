// What one event of a run brings about, as data: the run controller decides it, wherever that runs, and this applies it in
// one transaction. A change of an attempt names the epoch it was decided under (ADR 0014).

import type { Run } from '../../domain/run.ts';
import { addArtifacts, type NewArtifact } from '../blobs/artifacts.ts';
import type { Transaction } from '../database.ts';
import { Superseded } from '../superseded.ts';
import { claimRun, endRun, type RunChange, type RunClaim, type RunEnd } from './run-moves.ts';
import {
  type About,
  type NewStep,
  type RetriedStep,
  type StepEnding,
  type StepSkip,
  type StepStart,
  skipRest,
  stepStore,
} from './step-moves.ts';

type Attempt = { readonly stepId: string; readonly attempt: number };

export type StepChange =
  | { readonly kind: 'start'; readonly at: Attempt; readonly start: StepStart }
  | {
      readonly kind: 'end';
      readonly at: Attempt & { readonly epoch: number };
      readonly ending: Omit<StepEnding, 'sealed'>;
      /** Outputs as they are where some hold secrets: stored sealed, beside the redacted ones of `ending`. */
      readonly openOutputs: Readonly<Record<string, string>> | null;
    }
  | { readonly kind: 'retry'; readonly step: RetriedStep; readonly message: string }
  | { readonly kind: 'skip'; readonly stepId: string; readonly skip: StepSkip }
  | { readonly kind: 'add'; readonly steps: readonly NewStep[] };

export type RunBatch = {
  readonly changes: readonly StepChange[];
  readonly artifacts: readonly NewArtifact[];
  /** What becomes of the run itself. */
  readonly run:
    | { readonly kind: 'claim'; readonly claim: RunClaim }
    | {
        readonly kind: 'touch';
        readonly attempt: number;
        readonly result: Run['result'];
        /** Of the run: the batch is refused once another process drives it. */
        readonly epoch: number;
      }
    | { readonly kind: 'end'; readonly move: RunEnd; readonly change: RunChange & { readonly epoch: number } };
};

/** Seals outputs by the key of now, also where the batch has waited for a disk. */
export type SealOutputs = (outputs: string, at: Attempt) => string;

/** @throws Superseded when the run has moved on, or another process has taken over the run or one of its attempts */
export async function applyBatch(
  tx: Transaction,
  about: About,
  { changes, artifacts, run }: RunBatch,
  seal: SealOutputs,
): Promise<void> {
  const { runId } = about;
  if (run.kind === 'claim') mustApply(await claimRun(tx, runId, run.claim));
  for (const change of changes) mustApply(await applyChange(tx, about, change, seal));
  await addArtifacts(tx, artifacts);
  // Not all changes above check the epoch themselves. This one does, and rolls back all of them.
  if (run.kind === 'touch') mustApply(await stepStore.touch(tx, runId, run));
  if (run.kind === 'end') mustApply(await endWithSteps(tx, runId, run.move, run.change));
}

function mustApply(isApplied: boolean): void {
  if (!isApplied) throw new Superseded('another process has taken the run over');
}

async function applyChange(tx: Transaction, about: About, change: StepChange, seal: SealOutputs): Promise<boolean> {
  switch (change.kind) {
    case 'start':
      return stepStore.start(tx, about, change.at, change.start);
    case 'end': {
      const { at, ending, openOutputs } = change;
      const sealed = openOutputs && seal(JSON.stringify(openOutputs), at);
      return stepStore.end(tx, about, at, { ...ending, sealed });
    }
    case 'skip':
      return stepStore.skip(tx, about, change.stepId, change.skip);
    case 'retry':
      await stepStore.retry(tx, about, change.step, change.message);
      return true;
    case 'add':
      await stepStore.add(tx, about.runId, change.steps);
      return true;
    default:
      return change satisfies never;
  }
}

/** With it, steps that never had their turn are skipped. False when the run had moved on. */
export async function endWithSteps(tx: Transaction, runId: string, move: RunEnd, change: RunChange): Promise<boolean> {
  if (!(await endRun(tx, runId, move, change))) return false;
  await skipRest(tx, runId, change.atMs);
  return true;
}
