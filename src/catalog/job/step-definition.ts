// Turns a step of config.yaml into its definition, with every default filled in. A job without steps gets one step.

import type { CommandAction } from '../../domain/command-action.ts';
import {
  type Concurrency,
  type RetryPolicy,
  type StepAction,
  type StepDefinition,
  stepIdOfSingle,
} from '../../domain/job.ts';
import { parseDuration } from '../../lib/units.ts';
import type { JobPlace } from '../source/job-files.ts';
import { profileOfStep, readCommand } from './command.ts';
import { hasSteps } from './config-rules.ts';
import type { RawConcurrency, RawConfig, RawRetry, RawStep } from './config-schema.ts';

const defaultDelayMs = 1_000;
const defaultMaxDelayMs = 60_000;

/** `config` must have been checked. `action` is what a job without steps does. */
export function toSteps(config: RawConfig, action: CommandAction, place: JobPlace): readonly StepDefinition[] {
  if (hasSteps(config)) return (config.steps ?? []).map((step) => toStep(step, config, place));
  return [toDefinition({ id: stepIdOfSingle }, action, config)];
}

function toStep(step: RawStep, config: RawConfig, place: JobPlace): StepDefinition {
  return toDefinition(step, toAction(step, config, place), config);
}

function toDefinition(step: RawStep, action: StepAction, config: RawConfig): StepDefinition {
  const timeout = step.timeout ?? (action.kind === 'command' ? config.timeouts?.step : undefined);
  return {
    id: step.id,
    name: step.name ?? null,
    action,
    needs: step.needs ?? [],
    condition: step.if ?? null,
    matrix: step.matrix ?? null,
    foreach: step.foreach ?? null,
    retry: toRetry(action.kind === 'approval' ? undefined : (step.retry ?? config.retry)),
    timeoutMs: toMs(timeout),
    continueOnError: step.continue_on_error ?? false,
    always: step.always ?? false,
  };
}

function toAction(step: RawStep, config: RawConfig, place: JobPlace): StepAction {
  if (step.job !== undefined) return { kind: 'job', jobId: step.job, args: step.args ?? {} };
  if (step.approval) {
    const { text, by = null, not_by_starter: notByStarter = false } = step.approval;
    return { kind: 'approval', text, by, notByStarter };
  }
  const raw = step.script ?? step.command ?? [];
  const { command, ulcProfile } = readCommand(raw, profileOfStep(raw, config.ulc_profile), place);
  return { kind: 'command', command, ulcProfile };
}

function toRetry(retry: RawRetry = {}): RetryPolicy {
  return {
    limit: retry.limit ?? 0,
    backoff: retry.backoff ?? 'exponential',
    delayMs: toMs(retry.delay) ?? defaultDelayMs,
    maxDelayMs: toMs(retry.max_delay) ?? defaultMaxDelayMs,
    on: retry.on ?? null,
  };
}

export function toConcurrency(concurrency: RawConcurrency | undefined): Concurrency | null {
  if (!concurrency) return null;
  const { limit, key = null, on_conflict: onConflict = 'queue' } = concurrency;
  return { limit, key, onConflict };
}

export function toMs(duration: string | undefined): number | null {
  return duration === undefined ? null : (parseDuration(duration) ?? null);
}
