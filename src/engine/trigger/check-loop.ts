// Runs the check of a trigger again and again, and starts a run when it finds something (ADR 0075).

import { setTimeout as delay } from 'node:timers/promises';
import { evaluateForTrigger } from '../../catalog/expression/expression.ts';
import { scheduleRefusal } from '../../domain/policy.ts';
import { type Check, runCheck } from './check-process.ts';
import type { LoopParts } from './looks.ts';
import { startRun, TryLater } from './start-run.ts';
import type { CheckTriggerOfJob } from './trigger-parts.ts';

/** Resolves when the signal is aborted. */
export async function followCheck(trigger: CheckTriggerOfJob, o: LoopParts, signal: AbortSignal): Promise<void> {
  const { monotonicMs } = o.clock;
  while (!signal.aborted) {
    const beganMs = monotonicMs();
    if (!(await isWorking(trigger, o)))
      await o.limit(async () => {
        if (!signal.aborted) await look(trigger, o, signal);
      });
    const restMs = Math.max(0, beganMs + trigger.everyMs - monotonicMs());
    await delay(restMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

/** Whether a run that the trigger has started is about to take away what the check would find again. */
async function isWorking({ id }: CheckTriggerOfJob, { store }: LoopParts): Promise<boolean> {
  const started = (await store.triggers.results(id, '*')).find((one) => one.run_id !== null);
  const run = started?.run_id == null ? undefined : await store.runs.get(started.run_id);
  return run !== undefined && run.finished_at === null;
}

async function look(trigger: CheckTriggerOfJob, o: LoopParts, signal: AbortSignal): Promise<void> {
  const check = await runCheck(trigger, o, signal);
  if (check.kind === 'stopped') return;
  if (check.kind === 'failed') {
    await o.looks.add(trigger, `the check failed: ${check.why}`);
    return;
  }
  try {
    if (check.kind === 'found') await deal(trigger, check, o);
    await o.looks.add(trigger, null);
  } catch (error) {
    if (!(error instanceof TryLater)) throw error;
    await o.looks.add(trigger, `${error.message} This is tried again.`);
  }
}

/** @throws TryLater */
async function deal(trigger: CheckTriggerOfJob, found: Extract<Check, { kind: 'found' }>, o: LoopParts): Promise<void> {
  await startRun(
    trigger,
    {
      key: `check ${o.clock.now()}`,
      tenant: o.defaultTenant,
      type: 'check',
      told: {},
      admit({ source }) {
        const refusal = scheduleRefusal(trigger.jobId, source, 'a trigger with a check');
        if (refusal) throw refusal;
      },
      evaluate: (text) => evaluateForTrigger(text, 'check', { result: found.result }),
      cause: async () => ({}),
      note: async () => undefined,
    },
    o,
  );
}
