// Starts a job because a run of another job has ended.

import { evaluateForEndedRun } from '../../catalog/expression/expression.ts';
import type { JsonObject } from '../../domain/job.ts';
import { triggerRefusal } from '../../domain/policy.ts';
import { Problem } from '../../domain/problem.ts';
import type { Run } from '../../domain/run.ts';
import { longestChain, mostRunsOfChain } from '../../domain/trigger/job-trigger.ts';
import type { EndedJobRun } from '../../store/trigger/triggers.ts';
import { isAgentApproval } from '../plan/agent-approval.ts';
import { noteRefusal, startRun, type TriggerEvent } from './start-run.ts';
import type { EndTriggerOfJob, Trigger, TriggerParts } from './trigger-parts.ts';

const tooLong = 'trigger-chain-too-long';

/** @throws TryLater */
export async function handleEnd(trigger: EndTriggerOfJob, end: EndedJobRun, o: TriggerParts): Promise<void> {
  if (!trigger.on.some((one) => one === end.status)) return;
  const run = await o.store.runs.get(end.runId);
  // The run was removed in the meantime, or nobody allowed it.
  if (!run || (await wasNotAllowed(run, o))) return;
  const shown: JsonObject = JSON.parse(JSON.stringify(run));
  const { chain, firstRunId } = await chainOf(run, o);
  const event: TriggerEvent = {
    key: run.run_id,
    tenant: run.tenant,
    type: 'job_ended',
    logFields: { after_run: run.run_id, first_run: firstRunId },
    admit({ source }) {
      const refusal = triggerRefusal(trigger.jobId, source, { id: run.job_id, source: run.source.name });
      if (refusal) throw refusal;
    },
    evaluate: (text) => evaluateForEndedRun(text, shown),
    async cause() {
      if (chain >= longestChain) throw await tooManyTriggers(trigger, run, o);
      if ((await o.store.triggers.chain(firstRunId)).runs >= mostRunsOfChain) throw await tooManyRuns(firstRunId, o);
      return { run_id: run.run_id, chain: chain + 1, first_run_id: firstRunId };
    },
    async note(tx, refusal) {
      await o.store.triggers.moveCursor(tx, end.eventId);
      if (!refusal) await o.store.triggers.addRunToChain(tx, firstRunId);
      else if (refusal.slug === tooLong) await o.store.triggers.addRefusalToChain(tx, firstRunId);
    },
  };
  const started = await startRun(trigger, event, o);
  if (started.kind !== 'refused') return;
  const { problem } = started;
  // A chain may have thousands of refusals. The first one is enough for the log.
  const isRepeated = problem.slug === tooLong && (await o.store.triggers.chain(firstRunId)).refusals > 0;
  await noteRefusal(trigger, event, problem, o, isRepeated ? 'debug' : 'warn');
}

/** Whether nothing of the run has started because nobody allowed it (ADR 0067). */
async function wasNotAllowed({ run_id: id, status, steps }: Run, { store }: TriggerParts): Promise<boolean> {
  const waits = steps.filter((step) => step.kind === 'approval' && step.status !== 'success');
  if (status === 'success' || waits.length === 0) return false;
  const gate = (await store.runs.execution(id))?.plan.job.steps.find(isAgentApproval);
  return gate !== undefined && waits.some(({ step_id: stepId }) => stepId === gate.id);
}

type Chain = {
  /** How many triggers led to the run. */
  readonly chain: number;
  /** The run that began the chain. */
  readonly firstRunId: string;
};

/** For a sub-run, returns the chain that led to its parent. */
async function chainOf(run: Run, o: TriggerParts): Promise<Chain> {
  const { chain, first_run_id: firstRunId } = run.trigger;
  // Earlier versions of flwd did not store the first run.
  if (chain !== undefined) return { chain, firstRunId: firstRunId ?? run.run_id };
  const parent = run.parent && (await o.store.runs.get(run.parent.run_id));
  return parent ? chainOf(parent, o) : { chain: 0, firstRunId: run.run_id };
}

/** Returns a problem that names the jobs of the chain, oldest first. */
async function tooManyTriggers({ jobId }: Trigger, run: Run, { store }: TriggerParts): Promise<Problem> {
  const jobs = [jobId];
  for (let at: Run | undefined = run; at && jobs.length <= 2 * longestChain; ) {
    jobs.unshift(at.job_id);
    const before: string | undefined = at.trigger.run_id ?? at.parent?.run_id;
    at = before === undefined ? undefined : await store.runs.get(before);
  }
  return new Problem(
    tooLong,
    `A chain may have at most ${longestChain} triggers, because triggers that form a circle would never end: ${jobs.join(' → ')}.`,
  );
}

async function tooManyRuns(firstRunId: string, { store }: TriggerParts): Promise<Problem> {
  const first = await store.runs.get(firstRunId);
  const most = mostRunsOfChain.toLocaleString('en');
  return new Problem(
    tooLong,
    `${most} runs have followed from ${firstRunId}${first ? ` of ${first.job_id}` : ''} through triggers, and no more may follow: give one of these triggers an \`if\`, or remove it.`,
  );
}
