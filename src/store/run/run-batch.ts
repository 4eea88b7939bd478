// A batch contains, as data, all changes that follow from one event of a run. The run controller decides on them, and
// may do so in another process. This module applies a batch in one transaction. Each change of an attempt names the
// epoch in which it was decided (ADR 0014).

import type { Run } from '../../domain/run.ts';
import { addArtifacts, type NewArtifact } from '../blobs/artifacts.ts';
import type { Transaction } from '../database.ts';
import { Superseded } from '../superseded.ts';
import { claimRun, endRun, type RunChange, type RunClaim, type RunEnd, touchRun } from './run-moves.ts';
import {
  type About,
  addRetry,
  addSteps,
  endStep,
  type NewStep,
  type RetriedStep,
  type StepEnding,
  type StepSkip,
  type StepStart,
  skipRest,
  skipStep,
  startStep,
} from './step-moves.ts';

type Attempt = { readonly stepId: string; readonly attempt: number };

export type StepChange =
  | { readonly kind: 'start'; readonly at: Attempt; readonly start: StepStart }
  | {
      readonly kind: 'end';
      readonly at: Attempt & { readonly epoch: number };
      readonly ending: Omit<StepEnding, 'sealed'>;
      /**
       * The outputs with their secrets, if they contain any. They are stored encrypted, and `ending` has the redacted
       * outputs.
       */
      readonly openOutputs: Readonly<Record<string, string>> | null;
    }
  | { readonly kind: 'retry'; readonly step: RetriedStep; readonly message: string }
  | { readonly kind: 'skip'; readonly stepId: string; readonly skip: StepSkip }
  | { readonly kind: 'add'; readonly steps: readonly NewStep[] };

export type RunBatch = {
  readonly changes: readonly StepChange[];
  readonly artifacts: readonly NewArtifact[];
  /** The change of the run itself. null means that the same transaction has added the run, and claimed it. */
  readonly run:
    | null
    | { readonly kind: 'claim'; readonly claim: RunClaim }
    | {
        readonly kind: 'touch';
        readonly attempt: number;
        readonly result: Run['result'];
        readonly deadlineAtMs?: number | undefined;
        /** The epoch of the run in which the batch was decided. */
        readonly epoch: number;
      }
    | { readonly kind: 'end'; readonly move: RunEnd; readonly change: RunChange & { readonly epoch: number } };
};

/** Encrypts outputs with the current key. While the batch waited for the disk, the key may have changed. */
export type SealOutputs = (outputs: string, at: Attempt) => string;

/** @throws Superseded if the run has ended, or another process has taken over the run or one of its attempts */
export async function applyBatch(
  tx: Transaction,
  about: About,
  { changes, artifacts, run }: RunBatch,
  seal: SealOutputs,
): Promise<void> {
  const { runId } = about;
  if (run?.kind === 'claim') mustApply(await claimRun(tx, runId, run.claim));
  for (const change of changes) mustApply(await applyChange(tx, about, change, seal));
  await addArtifacts(tx, artifacts);
  // Some of the changes above do not check the epoch, but this one does. If the epoch is over, all changes are rolled
  // back.
  if (run?.kind === 'touch') mustApply(await touchRun(tx, runId, run));
  if (run?.kind === 'end') mustApply(await endWithSteps(tx, runId, run.move, run.change));
}

function mustApply(isApplied: boolean): void {
  if (!isApplied) throw new Superseded('another process has taken the run over');
}

async function applyChange(tx: Transaction, about: About, change: StepChange, seal: SealOutputs): Promise<boolean> {
  switch (change.kind) {
    case 'start':
      return startStep(tx, about, change.at, change.start);
    case 'end': {
      const { at, ending, openOutputs } = change;
      const sealed = openOutputs && seal(JSON.stringify(openOutputs), at);
      return endStep(tx, about, at, { ...ending, sealed });
    }
    case 'skip':
      return skipStep(tx, about, change.stepId, change.skip);
    case 'retry':
      await addRetry(tx, about, change.step, change.message);
      return true;
    case 'add':
      await addSteps(tx, about.runId, change.steps);
      return true;
    default:
      return change satisfies never;
  }
}

/** Ends the run and skips its pending steps. Returns false if the run has already ended. */
export async function endWithSteps(tx: Transaction, runId: string, move: RunEnd, change: RunChange): Promise<boolean> {
  if (!(await endRun(tx, runId, move, change))) return false;
  await skipRest(tx, runId, change.atMs);
  return true;
}
