// Starts a job because a run of another job has ended, in the transaction that notes this end as dealt with.

import { evaluateForEndedRun } from '../../catalog/expression/expression.ts';
import type { JsonObject } from '../../domain/job.ts';
import { triggerRefusal } from '../../domain/policy.ts';
import { Problem } from '../../domain/problem.ts';
import type { Run } from '../../domain/run.ts';
import { longestChain } from '../../domain/trigger/job-trigger.ts';
import { createId } from '../../lib/ids.ts';
import type { Transaction } from '../../store/database.ts';
import type { TriggerResultRow } from '../../store/schema.ts';
import type { EndedJobRun } from '../../store/triggers.ts';
import type { Caller } from '../create.ts';
import { mapArguments } from '../mapped-arguments.ts';
import { isAgentApproval } from '../plan/agent-approval.ts';
import type { Trigger, TriggerParts } from './trigger-parts.ts';

/** No run can be started at present. The journal is not read further before it can. */
export class TryLater extends Error {
  readonly told: Readonly<Record<string, string>>;
  constructor(problem: Problem, told: Readonly<Record<string, string>>) {
    super(problem.message);
    this.told = told;
  }
}

/** Problems that may pass: a full queue, sources that are still being read. */
const passing: ReadonlySet<string> = new Set(['queue-full', 'not-ready']);

/** @throws TryLater */
export async function dealWithEnd(trigger: Trigger, end: EndedJobRun, o: TriggerParts): Promise<void> {
  if (!trigger.on.some((one) => one === end.status)) return;
  const run = await o.store.runs.get(end.runId);
  // It was removed meanwhile.
  if (!run || (await wasNotAllowed(run, o))) return;
  const told = { trigger_id: trigger.id, job_id: trigger.jobId, after_run: run.run_id };
  try {
    await start(trigger, run, end, o);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.slug === 'idempotency-conflict') return;
    if (passing.has(error.slug)) throw new TryLater(error, told);
    o.log.warn({ ...told, problem: error.slug }, `a trigger could not start its run: ${error.message}`);
    const refused = { result: 'refused', run_id: null, problem: error.slug, detail: error.message } as const;
    await o.store.db.transact(async (tx) => {
      await o.store.triggers.add(tx, rowOf(trigger, run, refused, o));
      await o.store.triggers.moveCursor(tx, end.eventId);
    });
  }
}

/** Nothing of the run has started: nobody allowed it (ADR 0067). */
async function wasNotAllowed({ run_id: id, status, steps }: Run, { store }: TriggerParts): Promise<boolean> {
  const waits = steps.filter((step) => step.kind === 'approval' && step.status !== 'success');
  if (status === 'success' || waits.length === 0) return false;
  const gate = (await store.runs.execution(id))?.plan.job.steps.find(isAgentApproval);
  return gate !== undefined && waits.some(({ step_id: stepId }) => stepId === gate.id);
}

async function start(trigger: Trigger, run: Run, end: EndedJobRun, o: TriggerParts): Promise<void> {
  const { store, log, clock } = o;
  const { definition, source } = o.catalog.find(trigger.jobId);
  const refusal = triggerRefusal(trigger.jobId, source, { id: run.job_id, source: run.source.name });
  if (refusal) throw refusal;
  const args = argumentsOf(trigger, run, definition.secretArgs);
  if (args === undefined) return;
  const chain = (await chainOf(run, o)) + 1;
  if (chain > longestChain) throw await tooLong(trigger, run, o);
  const caller: Caller = {
    principal: { kind: 'trigger', name: `trigger:${trigger.id}`, scopes: ['runs:write'], tenant: run.tenant },
    trigger: 'job_ended',
    cause: { run_id: run.run_id, trigger_id: trigger.id, chain },
    requestId: createId('req', clock.now()),
  };
  const request = { job_id: trigger.jobId, args, tenant: run.tenant };
  const { runId } = await o.createRun(request, caller, undefined, async (tx: Transaction, newId: string) => {
    const started = { result: 'started', run_id: newId, problem: null, detail: null } as const;
    if (!(await store.triggers.add(tx, rowOf(trigger, run, started, o))))
      throw new Problem('idempotency-conflict', 'The trigger has dealt with this run already.');
    await store.triggers.moveCursor(tx, end.eventId);
  });
  log.info({ trigger_id: trigger.id, job_id: trigger.jobId, run_id: runId, after_run: run.run_id }, 'a trigger fired');
}

/** undefined: `if` says that no run starts. @throws Problem validation-error */
function argumentsOf(trigger: Trigger, run: Run, secretArgs: readonly string[]): JsonObject | undefined {
  const shown: JsonObject = JSON.parse(JSON.stringify(run));
  return mapArguments(trigger, secretArgs, (text) => evaluateForEndedRun(text, shown));
}

/** How many triggers led to the run, also through runs of which it is a sub-run. */
async function chainOf(run: Run, o: TriggerParts): Promise<number> {
  if (run.trigger.chain !== undefined) return run.trigger.chain;
  const parent = run.parent && (await o.store.runs.get(run.parent.run_id));
  return parent ? chainOf(parent, o) : 0;
}

/** Names the jobs of the chain, oldest first. */
async function tooLong({ jobId }: Trigger, run: Run, { store }: TriggerParts): Promise<Problem> {
  const jobs = [jobId];
  for (let at: Run | undefined = run; at && jobs.length <= 2 * longestChain; ) {
    jobs.unshift(at.job_id);
    const before: string | undefined = at.trigger.run_id ?? at.parent?.run_id;
    at = before === undefined ? undefined : await store.runs.get(before);
  }
  return new Problem(
    'trigger-chain-too-long',
    `A run may follow from others through at most ${longestChain} triggers, which ends circles: ${jobs.join(' → ')}.`,
  );
}

function rowOf(
  { id }: Trigger,
  run: Run,
  result: Pick<TriggerResultRow, 'result' | 'run_id' | 'problem' | 'detail'>,
  { clock }: TriggerParts,
): TriggerResultRow {
  return { ...result, trigger_id: id, key: run.run_id, tenant: run.tenant, at: clock.now() };
}
