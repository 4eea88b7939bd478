// Runs the check of a trigger again and again, and starts a run when it finds something (ADR 0075).

import { setTimeout as delay } from 'node:timers/promises';
import { evaluateForTrigger } from '../../catalog/expression/expression.ts';
import type { JsonValue } from '../../domain/job.ts';
import { scheduleRefusal } from '../../domain/policy.ts';
import { runCheck } from './check-process.ts';
import { inTurn } from './in-turn.ts';
import type { LoopParts } from './looks.ts';
import { startRun, TryLater } from './start-run.ts';
import type { CheckTriggerOfJob } from './trigger-parts.ts';

/** Resolves when the signal is aborted. */
export async function followCheck(trigger: CheckTriggerOfJob, o: LoopParts, signal: AbortSignal): Promise<void> {
  const { monotonicMs } = o.clock;
  while (!signal.aborted) {
    const beganMs = monotonicMs();
    if (!(await isWorking(trigger, o))) await inTurn(o.limitChecks, signal, () => look(trigger, o, signal));
    const restMs = Math.max(0, beganMs + trigger.everyMs - monotonicMs());
    await delay(restMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

/**
 * Whether a check has started a run of the job that has not ended yet. Until that run ends, the check would find the
 * same thing again.
 */
async function isWorking({ jobId }: CheckTriggerOfJob, { store }: LoopParts): Promise<boolean> {
  const { runs } = await store.runs.list({ jobId, trigger: 'check', limit: 1 });
  return runs.some((run) => run.finished_at === null);
}

async function look(trigger: CheckTriggerOfJob, o: LoopParts, signal: AbortSignal): Promise<void> {
  const check = await runCheck(trigger, o, signal);
  if (check.kind === 'stopped') return;
  if (check.kind === 'failed') await o.looks.add(trigger, `the check failed: ${check.why}`);
  else if (check.kind === 'nothing') await o.looks.add(trigger, null);
  else await o.looks.add(trigger, await startFor(trigger, check.result, o));
}

/**
 * @returns why no run starts; null if nothing is wrong. Nothing has to be kept for a later try, because the next check
 * finds the same thing again.
 */
async function startFor(trigger: CheckTriggerOfJob, result: JsonValue, o: LoopParts): Promise<string | null> {
  try {
    const started = await startRun(
      trigger,
      {
        key: `check ${o.clock.now()}`,
        tenant: o.defaultTenant,
        type: 'check',
        logFields: {},
        admit({ source }) {
          const refusal = scheduleRefusal(trigger.jobId, source, 'a trigger with a check');
          if (refusal) throw refusal;
        },
        evaluate: (text) => evaluateForTrigger(text, 'check', { result }),
        cause: async () => ({}),
        note: async () => undefined,
      },
      o,
    );
    return started.kind === 'refused'
      ? `the check found something, but no run starts: ${started.problem.message}`
      : null;
  } catch (error) {
    if (!(error instanceof TryLater)) throw error;
    return `${error.message} flwd tries again.`;
  }
}
