// Starts a run of the job of a trigger, in the transaction that notes what it is started for as dealt with.

import type { CatalogEntry } from '../../catalog/catalog.ts';
import type { JsonValue } from '../../domain/job.ts';
import { Problem } from '../../domain/problem.ts';
import type { TriggerCause } from '../../domain/run.ts';
import { createId } from '../../lib/ids.ts';
import type { Transaction } from '../../store/database.ts';
import type { TriggerResultRow } from '../../store/schema.ts';
import type { Caller } from '../create.ts';
import { mapArguments } from '../mapped-arguments.ts';
import type { Trigger, TriggerParts } from './trigger-parts.ts';

/** What a trigger starts a run for. */
export type Occasion = {
  /** Unique among the results of the trigger. */
  readonly key: string;
  readonly tenant: string;
  readonly type: 'job_ended' | 'file' | 'check';
  /** For the log. */
  readonly told: Readonly<Record<string, string>>;
  /** Before an expression sees anything. @throws Problem why the trigger may not start the job */
  readonly admit: (entry: CatalogEntry) => void;
  /** @throws ExpressionError */
  readonly evaluate: (text: string) => JsonValue;
  /** @throws Problem */
  readonly cause: () => Promise<Omit<TriggerCause, 'trigger_id'>>;
  /** Notes it as dealt with. @throws Problem idempotency-conflict when it is already */
  readonly note: (tx: Transaction) => Promise<void>;
};

/** No run can be started at present. What it would be for stays to be dealt with. */
export class TryLater extends Error {
  readonly told: Readonly<Record<string, string>>;
  constructor(problem: Problem, told: Readonly<Record<string, string>>) {
    super(problem.message);
    this.told = told;
  }
}

/** Problems that may pass: a full queue, sources that are still being read. */
const passing: ReadonlySet<string> = new Set(['queue-full', 'not-ready']);

/**
 * `left out`: `if` says that no run starts, and nothing was noted. `known`: it was dealt with already.
 * @throws TryLater
 */
export async function startRun(
  trigger: Trigger,
  occasion: Occasion,
  o: TriggerParts,
): Promise<'started' | 'refused' | 'left out' | 'known'> {
  const told = { trigger_id: trigger.id, job_id: trigger.jobId, ...occasion.told };
  try {
    const runId = await start(trigger, occasion, o);
    if (runId === undefined) return 'left out';
    o.log.info({ ...told, run_id: runId }, 'a trigger fired');
    return 'started';
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.slug === 'idempotency-conflict') return 'known';
    if (passing.has(error.slug)) throw new TryLater(error, told);
    o.log.warn({ ...told, problem: error.slug }, `a trigger could not start its run: ${error.message}`);
    const refused = { result: 'refused', run_id: null, problem: error.slug, detail: error.message } as const;
    await o.store.db.transact(async (tx) => {
      await o.store.triggers.add(tx, rowOf(trigger, occasion, refused, o));
      await occasion.note(tx);
    });
    return 'refused';
  }
}

async function start(trigger: Trigger, occasion: Occasion, o: TriggerParts): Promise<string | undefined> {
  const { store } = o;
  const { tenant } = occasion;
  const entry = o.catalog.find(trigger.jobId);
  occasion.admit(entry);
  const args = mapArguments(trigger, entry.definition.secretArgs, occasion.evaluate);
  if (args === undefined) return undefined;
  const caller: Caller = {
    principal: { kind: 'trigger', name: `trigger:${trigger.id}`, scopes: ['runs:write'], tenant },
    trigger: occasion.type,
    cause: { trigger_id: trigger.id, ...(await occasion.cause()) },
    requestId: createId('req', o.clock.now()),
  };
  const request = { job_id: trigger.jobId, args, tenant };
  const { runId } = await o.createRun(request, caller, undefined, async (tx, newId) => {
    const started = { result: 'started', run_id: newId, problem: null, detail: null } as const;
    if (!(await store.triggers.add(tx, rowOf(trigger, occasion, started, o))))
      throw new Problem('idempotency-conflict', 'The trigger has dealt with this already.');
    await occasion.note(tx);
  });
  return runId;
}

function rowOf(
  { id }: Trigger,
  { key, tenant }: Occasion,
  result: Pick<TriggerResultRow, 'result' | 'run_id' | 'problem' | 'detail'>,
  { clock }: TriggerParts,
): TriggerResultRow {
  return { ...result, trigger_id: id, key, tenant, at: clock.now() };
}
