// Starts the run of a trigger for an event, such as a new file. The same transaction marks the event as dealt with.

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

/** The reason for a run of a trigger: a run that has ended, a file, or what a check has found. */
export type TriggerEvent = {
  /** Unique among the results of the trigger. */
  readonly key: string;
  readonly tenant: string;
  readonly type: 'job_ended' | 'file' | 'check';
  readonly logFields: Readonly<Record<string, string>>;
  /** Called before any expression is evaluated. @throws Problem that says why the trigger may not start the job */
  readonly admit: (entry: CatalogEntry) => void;
  /** @throws ExpressionError */
  readonly evaluate: (text: string) => JsonValue;
  /** @throws Problem */
  readonly cause: () => Promise<Omit<TriggerCause, 'trigger_id'>>;
  /**
   * Records that the event has been handled. `refusal` says why no run starts; it is undefined if a run starts.
   * @throws Problem idempotency-conflict if that was done already
   */
  readonly note: (tx: Transaction, refusal?: Problem) => Promise<void>;
};

/** No run can be started at present. The event is tried again later. */
export class TryLater extends Error {
  readonly logFields: Readonly<Record<string, string>>;
  constructor(problem: Problem, logFields: Readonly<Record<string, string>>) {
    super(problem.message);
    this.logFields = logFields;
  }
}

/** Temporary problems: a full queue, a disk that cannot be written, sources that are still being read. */
const passing: ReadonlySet<string> = new Set(['queue-full', 'not-ready', 'execution-error']);

type Started =
  | { readonly kind: 'started' }
  /** `if` says that no run starts. */
  | { readonly kind: 'left out' }
  /** The event was dealt with already. */
  | { readonly kind: 'known' }
  | { readonly kind: 'refused'; readonly problem: Problem };

/** Records the event only if a run starts. @throws TryLater */
export async function startRun(trigger: Trigger, event: TriggerEvent, o: TriggerParts): Promise<Started> {
  const fields = { trigger_id: trigger.id, job_id: trigger.jobId, ...event.logFields };
  try {
    const runId = await start(trigger, event, o);
    if (runId === undefined) return { kind: 'left out' };
    o.log.info({ ...fields, run_id: runId }, 'a trigger fired');
    return { kind: 'started' };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.slug === 'idempotency-conflict') return { kind: 'known' };
    if (passing.has(error.slug)) throw new TryLater(error, fields);
    return { kind: 'refused', problem: error };
  }
}

/** Notes that no run will ever be started for the event. `level` is that of the line in the server's log. */
export async function noteRefusal(
  trigger: Trigger,
  event: TriggerEvent,
  problem: Problem,
  { store, log, clock }: TriggerParts,
  level: 'warn' | 'debug' = 'warn',
): Promise<void> {
  const fields = { trigger_id: trigger.id, job_id: trigger.jobId, ...event.logFields };
  log[level]({ ...fields, problem: problem.slug }, `a trigger could not start its run: ${problem.message}`);
  const refused = { result: 'refused', run_id: null, problem: problem.slug, detail: problem.message } as const;
  await store.db.transact(async (tx) => {
    await store.triggers.add(tx, rowOf(trigger, event, refused, clock.now()));
    await event.note(tx, problem);
  });
}

async function start(trigger: Trigger, event: TriggerEvent, o: TriggerParts): Promise<string | undefined> {
  const { store } = o;
  const { tenant } = event;
  const entry = o.catalog.find(trigger.jobId);
  event.admit(entry);
  const args = mapArguments(trigger, entry.definition.secretArgs, event.evaluate);
  if (args === undefined) return undefined;
  const caller: Caller = {
    principal: { kind: 'trigger', name: `trigger:${trigger.id}`, scopes: ['runs:write'], tenant },
    trigger: event.type,
    cause: { trigger_id: trigger.id, ...(await event.cause()) },
    requestId: createId('req', o.clock.now()),
  };
  const request = { job_id: trigger.jobId, args, tenant };
  const { runId } = await o.createRun(request, caller, undefined, async (tx, newId) => {
    const started = { result: 'started', run_id: newId, problem: null, detail: null } as const;
    if (!(await store.triggers.add(tx, rowOf(trigger, event, started, o.clock.now()))))
      throw new Problem('idempotency-conflict', 'The trigger has dealt with this already.');
    await event.note(tx);
  });
  return runId;
}

function rowOf(
  { id }: Trigger,
  { key, tenant }: TriggerEvent,
  result: Pick<TriggerResultRow, 'result' | 'run_id' | 'problem' | 'detail'>,
  at: number,
): TriggerResultRow {
  return { ...result, trigger_id: id, key, tenant, at };
}
