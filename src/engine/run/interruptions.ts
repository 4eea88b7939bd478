// Ends a run, or one of its steps, early: after a cancel, after a deadline, or if the workspace has grown too large.

import { noResources, workspaceOverMessage } from '../../domain/resources.ts';
import { watchWorkspace } from '../../exec/collect/workspace-size.ts';
import { attemptDirs } from '../../exec/run-folder.ts';
import { isAgentApproval } from '../plan/agent-approval.ts';
import type { Advance } from './advance.ts';
import { type Interruption, nothingDone } from './attempt/outcome.ts';
import { type Batch, newBatch } from './batch.ts';
import { type DrivenRun, runOverdue, stepOverdue } from './driven-run.ts';
import { hasEnded, type StepInstance } from './step-instances.ts';

/** Ends the run. Calling it again changes nothing. */
export function abortRun(driven: DrivenRun, advance: Advance, why: Interruption, batch: Batch = newBatch()): void {
  if (driven.aborting || driven.phase !== 'driven' || driven.detaching.signal.aborted) return;
  driven.aborting = why;
  for (const instance of driven.state.instances) {
    if (!hasEnded(instance)) interrupt(driven, advance, instance, why, batch);
  }
  advance.watch(advance.complete(batch));
}

function interrupt(driven: DrivenRun, advance: Advance, instance: StepInstance, why: Interruption, batch: Batch): void {
  const endsRun = why === driven.aborting;
  if (instance.status === 'waiting_approval') {
    driven.hasAborted ||= endsRun;
    advance.end(instance, { ...nothingDone, ...why }, batch);
    return;
  }
  const what = advance.runner.interrupt(instance, why);
  if (what === 'interrupted') driven.hasAborted ||= endsRun;
  if (what === 'waiting') {
    advance.carryOut(driven.state.drop(instance, 'run_ended', 'the run ended while this step was waiting'), batch);
  }
}

/** Ends the grace periods of all steps that are being ended. */
export function endGracePeriods({ run, attempts, state, services }: DrivenRun): void {
  for (const attempt of attempts.values()) attempt.endGracePeriod();
  for (const instance of state.instances) {
    if (instance.childRunId !== null && !hasEnded(instance))
      services.children.cancel(instance.childRunId, run.run_id, true);
  }
}

/** Interrupts the run or the steps whose deadline has passed. Returns false when no deadline has passed. */
export function enforceDeadlines(driven: DrivenRun, advance: Advance): boolean {
  const late = driven.state.instances.flatMap((instance) => {
    const reason = hasEnded(instance) ? undefined : stepOverdue(driven, instance);
    return reason ? [{ instance, reason }] : [];
  });
  // If nobody answers the first step of an agent's run, no other step of the run starts.
  const unanswered = late.find(({ instance }) => isAgentApproval(driven.state.stepOf(instance)));
  const why = runOverdue(driven) ?? unanswered?.reason;
  if (why) abortRun(driven, advance, why);
  const batch = newBatch();
  if (!why && driven.phase !== 'waiting')
    for (const { instance, reason } of late) interrupt(driven, advance, instance, reason, batch);
  if (batch.changes.length > 0) advance.watch(advance.complete(batch));
  return why !== undefined || late.length > 0;
}

/** Ends the run when its workspace and the files of its attempts grow beyond the run's limit. */
export function watchSize(driven: DrivenRun, advance: Advance): void {
  const { plan, runDir, workspaceDir, log } = driven;
  const { workspaceBytes: limitBytes } = plan.resources ?? noResources;
  if (limitBytes === null) return;
  driven.workspaceWatch = watchWorkspace({
    dir: workspaceDir,
    attemptDirs: () => attemptDirs(runDir),
    limitBytes,
    onOver(bytes) {
      const message = workspaceOverMessage(limitBytes, bytes);
      const hint = 'if it needs more, raise `permissions: {resources: {workspace: …}}` in config.yaml';
      abortRun(driven, advance, { status: 'failed', reason: 'quota_exceeded', message, hint });
    },
    onError: (error) => log.error({ err: error }, 'the size of a workspace is no longer watched'),
  });
}
