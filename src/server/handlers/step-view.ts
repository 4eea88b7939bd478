// The steps of a job as the API shows them: in the words of config.yaml.

import type { RetryPolicy, StepDefinition } from '../../domain/job.ts';
import { formatDuration, formatDurationOrNull } from '../../lib/units.ts';

export function toStepView(step: StepDefinition) {
  const { action } = step;
  return {
    step_id: step.id,
    name: step.name,
    kind: action.kind === 'command' ? ('script' as const) : action.kind,
    needs: step.needs,
    if: step.condition,
    matrix: step.matrix,
    foreach: step.foreach,
    command: action.kind === 'command' ? action.command : null,
    job: action.kind === 'job' ? action.jobId : null,
    args: action.kind === 'job' ? action.args : null,
    approval: action.kind === 'approval' ? { text: action.text, by: action.by } : null,
    retry: toRetryView(step.retry),
    timeout: formatDurationOrNull(step.timeoutMs),
    continue_on_error: step.continueOnError,
    always: step.always,
  };
}

export function toRetryView({ limit, backoff, delayMs, maxDelayMs, on }: RetryPolicy) {
  return { limit, backoff, delay: formatDuration(delayMs), max_delay: formatDuration(maxDelayMs), on };
}
