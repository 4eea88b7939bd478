// Imports the preconditions of a Dagu workflow and of its steps. An additional step checks them and says whether they
// are met. If they are not, Dagu skips the conditional step and all steps that depend on it.

import { shellWord } from '../../../lib/shell-word.ts';
import type { FoundStep } from '../found-job.ts';
import { attempt, Unreadable } from '../obstacles.ts';
import { daguMembers } from './dagu-keys.ts';
import { expanding } from './dagu-values.ts';
import { type Data, isMembers, isYes, listOf, textOf } from './import-file.ts';

/** The id of the step that checks the preconditions of the whole workflow. */
export const checkOfAll = 'preconditions';

export type Condition = {
  /** The step that has the conditions; undefined if the whole workflow has them. */
  readonly id: string | undefined;
  readonly data: Data;
  readonly setup: readonly string[];
};

/**
 * Adds the steps that check conditions, and makes each conditional step depend on its check. The steps that depend on a
 * conditional step are skipped together with it.
 * `optional`: the ids of steps whose dependants run even if the step is skipped.
 */
export function withPreconditions(
  steps: readonly FoundStep[],
  conditions: readonly Condition[],
  { optional, obstacles }: { readonly optional: ReadonlySet<string>; readonly obstacles: string[] },
): FoundStep[] {
  const ofAll = conditions.find(({ id }) => id === undefined);
  const checks = new Map(conditions.map((condition) => [condition.id ?? '', checkStep(condition, obstacles)]));
  for (const { id } of checks.values()) {
    if (steps.some((step) => step.id === id))
      obstacles.push(`its step ${id} has a name that flwd needs for a step of its own`);
  }
  const gated = steps.flatMap((step): FoundStep[] => {
    const needs = needsOf(step);
    const start = ofAll && needs.length === 0 ? gatedBy(step, checkOfAll) : step;
    const check = checks.get(step.id);
    if (!check) return [start];
    return [
      { ...check, settings: start.settings.if === undefined ? pick(start) : { ...pick(start), if: start.settings.if } },
      gatedBy(start, check.id),
    ];
  });
  const all = ofAll ? [checkStep(ofAll, obstacles), ...gated] : gated;
  return skippedTogether(all, optional);
}

function pick({ settings }: FoundStep): Readonly<Record<string, unknown>> {
  return settings.needs === undefined ? {} : { needs: settings.needs };
}

function needsOf({ settings }: FoundStep): readonly string[] {
  return Array.isArray(settings.needs) ? settings.needs.map(String) : [];
}

function gatedBy(step: FoundStep, check: string): FoundStep {
  return withIf({ ...step, settings: { ...step.settings, needs: [...needsOf(step), check] } }, [
    `steps["${check}"].outputs.met == "yes"`,
  ]);
}

function withIf(step: FoundStep, conditions: readonly string[]): FoundStep {
  const { if: before, ...others } = step.settings;
  // The new conditions come first. If they skip the step, flwd does not evaluate the earlier condition, which may read
  // the output of a skipped step.
  const all = [...conditions, ...(typeof before === 'string' ? [before] : [])];
  return all.length === 0 ? step : { ...step, settings: { ...others, if: [...new Set(all)].join(' && ') } };
}

/** Adds conditions that skip a step if a step that it needs was skipped. Without them, flwd would start the step. */
function skippedTogether(steps: readonly FoundStep[], optional: ReadonlySet<string>): FoundStep[] {
  const maySkip = new Set(steps.filter(({ settings }) => settings.if !== undefined).map(({ id }) => id));
  const lost = (step: FoundStep): string[] => needsOf(step).filter((need) => maySkip.has(need) && !optional.has(need));
  for (let before = -1; before !== maySkip.size; ) {
    before = maySkip.size;
    for (const step of steps) if (lost(step).length > 0) maySkip.add(step.id);
  }
  return steps.map((step) =>
    withIf(
      step,
      lost(step).map((need) => `steps["${need}"].status != "skipped"`),
    ),
  );
}

function checkStep({ id, data, setup }: Condition, obstacles: string[]): FoundStep {
  const entries = Array.isArray(data) ? listOf(data) : [data];
  const name = id === undefined ? checkOfAll : `${id}-check`;
  const text = [
    'met=yes',
    ...entries.flatMap((entry) => attempt(obstacles, () => checkOf(entry)) ?? []),
    'echo "met=$met" >> "$FLWD_OUTPUT_FILE"',
    'echo "preconditions met: $met"',
  ];
  return {
    id: name,
    command: { file: `${name}.sh`, text: `${text.join('\n')}\n`, interpreter: ['/bin/sh'], isShell: true, setup },
    settings: {},
  };
}

function checkOf(entry: Data): string {
  const {
    condition,
    command,
    expected,
    negate,
    eval: evaluated,
  } = isMembers(entry) ? daguMembers(entry) : { condition: entry };
  const text = textOf(condition) ?? textOf(command) ?? textOf(evaluated);
  const value = textOf(expected);
  if (text === undefined) throw new Unreadable('one of its preconditions has no condition');
  const not = isYes(negate) ? '&&' : '||';
  if (value === undefined) return `(\n${text}\n) > /dev/null 2>&1 ${not} met=no`;
  const how = value.startsWith('re:') ? `-P -e ${shellWord(value.slice(3))}` : `-xF -e ${shellWord(value)}`;
  return `printf '%s\\n' ${expanding(text)} | grep -q ${how} ${not} met=no`;
}
