// Starts a job because a run of another job has ended.

import { evaluateForEndedRun } from '../../catalog/expression/expression.ts';
import type { JsonObject } from '../../domain/job.ts';
import { triggerRefusal } from '../../domain/policy.ts';
import { Problem } from '../../domain/problem.ts';
import type { Run } from '../../domain/run.ts';
import { longestChain } from '../../domain/trigger/job-trigger.ts';
import type { EndedJobRun } from '../../store/trigger/triggers.ts';
import { isAgentApproval } from '../plan/agent-approval.ts';
import { noteRefusal, startRun, type TriggerEvent } from './start-run.ts';
import type { EndTriggerOfJob, Trigger, TriggerParts } from './trigger-parts.ts';

/** @throws TryLater */
export async function handleEnd(trigger: EndTriggerOfJob, end: EndedJobRun, o: TriggerParts): Promise<void> {
  if (!trigger.on.some((one) => one === end.status)) return;
  const run = await o.store.runs.get(end.runId);
  // The run was removed in the meantime, or nobody allowed it.
  if (!run || (await wasNotAllowed(run, o))) return;
  const shown: JsonObject = JSON.parse(JSON.stringify(run));
  const event: TriggerEvent = {
    key: run.run_id,
    tenant: run.tenant,
    type: 'job_ended',
    logFields: { after_run: run.run_id },
    admit({ source }) {
      const refusal = triggerRefusal(trigger.jobId, source, { id: run.job_id, source: run.source.name });
      if (refusal) throw refusal;
    },
    evaluate: (text) => evaluateForEndedRun(text, shown),
    async cause() {
      const chain = (await chainOf(run, o)) + 1;
      if (chain > longestChain) throw await tooLong(trigger, run, o);
      return { run_id: run.run_id, chain };
    },
    note: (tx) => o.store.triggers.moveCursor(tx, end.eventId),
  };
  const started = await startRun(trigger, event, o);
  if (started.kind === 'refused') await noteRefusal(trigger, event, started.problem, o);
}

/** Whether nothing of the run has started because nobody allowed it (ADR 0067). */
async function wasNotAllowed({ run_id: id, status, steps }: Run, { store }: TriggerParts): Promise<boolean> {
  const waits = steps.filter((step) => step.kind === 'approval' && step.status !== 'success');
  if (status === 'success' || waits.length === 0) return false;
  const gate = (await store.runs.execution(id))?.plan.job.steps.find(isAgentApproval);
  return gate !== undefined && waits.some(({ step_id: stepId }) => stepId === gate.id);
}

/** How many triggers led to the run. For a sub-run, these are the triggers that led to its parent. */
async function chainOf(run: Run, o: TriggerParts): Promise<number> {
  if (run.trigger.chain !== undefined) return run.trigger.chain;
  const parent = run.parent && (await o.store.runs.get(run.parent.run_id));
  return parent ? chainOf(parent, o) : 0;
}

/** Returns a problem that names the jobs of the chain, oldest first. */
async function tooLong({ jobId }: Trigger, run: Run, { store }: TriggerParts): Promise<Problem> {
  const jobs = [jobId];
  for (let at: Run | undefined = run; at && jobs.length <= 2 * longestChain; ) {
    jobs.unshift(at.job_id);
    const before: string | undefined = at.trigger.run_id ?? at.parent?.run_id;
    at = before === undefined ? undefined : await store.runs.get(before);
  }
  return new Problem(
    'trigger-chain-too-long',
    `A chain may have at most ${longestChain} triggers, because triggers that form a circle would never end: ${jobs.join(' → ')}.`,
  );
}
