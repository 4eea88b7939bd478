// What ends a run, or one of its steps, before its time: a cancel, a deadline, a workspace that has grown too large.

import { noResources, workspaceOverMessage } from '../../domain/resources.ts';
import { watchWorkspace } from '../../exec/collect/workspace-size.ts';
import { attemptDirs } from '../../exec/run-folder.ts';
import type { Advance } from './advance.ts';
import { type Interruption, nothingDone } from './attempt/outcome.ts';
import { type Batch, newBatch } from './batch.ts';
import { type DrivenRun, runOverdue, stepOverdue } from './driven-run.ts';
import { hasEnded, type StepInstance } from './step-instances.ts';

export type Interruptions = {
  /** Ends the run. Calling it again changes nothing. */
  readonly abort: (why: Interruption, batch?: Batch) => void;
  /** Interrupts what has outlived its deadline. False when nothing has. */
  readonly enforceDeadlines: () => boolean;
  /** Ends the run once its workspace, and what its attempts hold, are larger than its limit. */
  readonly watchSize: () => void;
};

export function createInterruptions(driven: DrivenRun, advance: Advance): Interruptions {
  const { state, plan, runDir, workspaceDir, log } = driven;
  const { runner } = advance;

  function interrupt(instance: StepInstance, why: Interruption, batch: Batch): void {
    const isOfRun = why === driven.aborting;
    if (instance.status === 'waiting_approval') {
      driven.hasAborted ||= isOfRun;
      advance.end(instance, { ...nothingDone, ...why }, batch);
      return;
    }
    const what = runner.interrupt(instance, why);
    if (what === 'interrupted') driven.hasAborted ||= isOfRun;
    if (what === 'waiting') {
      advance.carryOut(state.drop(instance, 'run_ended', 'the run ended before its turn'), batch);
    }
  }

  function abort(why: Interruption, batch: Batch = newBatch()): void {
    if (driven.aborting || driven.phase !== 'driven' || driven.detaching.signal.aborted) return;
    driven.aborting = why;
    for (const instance of state.instances) if (!hasEnded(instance)) interrupt(instance, why, batch);
    advance.watch(advance.complete(batch));
  }

  return {
    abort,
    enforceDeadlines() {
      const why = runOverdue(driven);
      if (why) abort(why);
      const late = state.instances.flatMap((instance) => {
        const reason = hasEnded(instance) ? undefined : stepOverdue(driven, instance);
        return reason ? [{ instance, reason }] : [];
      });
      const batch = newBatch();
      if (!why && driven.phase !== 'waiting')
        for (const { instance, reason } of late) interrupt(instance, reason, batch);
      if (batch.changes.length > 0) advance.watch(advance.complete(batch));
      return why !== undefined || late.length > 0;
    },
    watchSize() {
      const { workspaceBytes: limitBytes } = plan.resources ?? noResources;
      if (limitBytes === null) return;
      driven.workspaceWatch = watchWorkspace({
        dir: workspaceDir,
        attemptDirs: () => attemptDirs(runDir),
        limitBytes,
        onOver(bytes) {
          abort({ status: 'failed', reason: 'quota_exceeded', message: workspaceOverMessage(limitBytes, bytes) });
        },
        onError: (error) => log.error({ err: error }, 'the size of a workspace is not watched any more'),
      });
    },
  };
}
