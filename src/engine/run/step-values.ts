// Gives a step the values of earlier steps: as the scope of its expressions, and as variables of its environment.

import { toVariableName } from '../../catalog/arguments/variable-names.ts';
import type { ExpressionScope } from '../../catalog/expression/expression.ts';
import type { JsonObject, StepDefinition } from '../../domain/job.ts';
import type { Run, StepStatus } from '../../domain/run.ts';
import { toShellText } from '../../exec/shell-text.ts';
import type { Item } from './step-instances.ts';

/** How a step ended, as later steps see it. */
export type StepValue = {
  readonly status: StepStatus;
  /** The outputs as they are shown, redacted. */
  readonly outputs: Readonly<Record<string, string>>;
  /** The outputs with their secrets. */
  readonly open: Readonly<Record<string, string>>;
  /** The outputs of a group are lists, as JSON. */
  readonly isGroup: boolean;
};

export type RunFacts = Pick<
  Run,
  'run_id' | 'job_id' | 'tenant' | 'args' | 'trigger' | 'created_by' | 'created_at' | 'labels' | 'priority' | 'trace'
>;

export type ScopeStep = { readonly status: StepStatus; readonly outputs: JsonObject };

/** Expressions see no secrets, because the results of expressions are shown. The caller may add to `steps` later. */
export function scopeOf(
  run: RunFacts,
  secretArgs: readonly string[],
  steps: ReadonlyMap<string, ScopeStep>,
): ExpressionScope {
  return {
    args: Object.fromEntries(Object.entries(run.args).filter(([name]) => !secretArgs.includes(name))),
    steps,
    run: {
      id: run.run_id,
      job_id: run.job_id,
      tenant: run.tenant,
      trigger: run.trigger.type,
      created_by: run.created_by,
      created_at: run.created_at,
      labels: { ...run.labels },
      priority: run.priority,
    },
  };
}

/** The scope with secrets, for values that are passed on sealed. */
export function openScopeOf(
  closed: ExpressionScope,
  secrets: ReadonlyMap<string, string>,
  values: ReadonlyMap<string, StepValue>,
): ExpressionScope {
  const steps = [...values].map(([id, value]) => [id, toScopeStep({ ...value, outputs: value.open })] as const);
  return { ...closed, args: { ...closed.args, ...Object.fromEntries(secrets) }, steps: new Map(steps) };
}

export function toScopeStep(value: StepValue): ScopeStep {
  return { status: value.status, outputs: outputsInScope(value) };
}

function outputsInScope({ outputs, isGroup }: StepValue): JsonObject {
  if (!isGroup) return { ...outputs };
  return Object.fromEntries(Object.entries(outputs).map(([key, list]) => [key, JSON.parse(list)]));
}

/** The kernel's limit for a variable (execve(2)). Variables that exceed it are left out. */
const longestBytes = 128 * 1024;

/**
 * FLWD_MATRIX_<NAME> or FLWD_ITEM, and FLWD_STEP_<ID>_<KEY> for the outputs of all steps that this step needs, directly
 * or indirectly.
 */
export function stepVariables(
  item: Item | null,
  ancestors: Iterable<string>,
  steps: ReadonlyMap<string, StepValue>,
): Record<string, string> {
  const variables: Record<string, string> = {};
  const set = (name: string, text: string): void => {
    if (!text.includes('\0') && Buffer.byteLength(`${name}=${text}`) < longestBytes) variables[name] = text;
  };
  if (item && 'item' in item) set('FLWD_ITEM', toShellText(item.item));
  if (item && 'matrix' in item) {
    for (const [name, value] of Object.entries(item.matrix)) set(`FLWD_MATRIX_${toVariableName(name)}`, String(value));
  }
  for (const id of ancestors) {
    for (const [key, value] of Object.entries(steps.get(id)?.open ?? {})) {
      set(`FLWD_STEP_${toVariableName(id)}_${toVariableName(key)}`, value);
    }
  }
  return variables;
}

/** The outputs of a step's instances as lists, in the order of the instances. A missing output counts as empty. */
export function joinOutputs(instances: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  const keys = new Set(instances.flatMap((outputs) => Object.keys(outputs)));
  return Object.fromEntries([...keys].map((key) => [key, JSON.stringify(instances.map((one) => one[key] ?? ''))]));
}

/** The result of a sub-run, as outputs of the step that started it. */
export function outputsOfResult(result: Run['result']): Record<string, string> {
  const value = result?.value;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {};
  const members: JsonObject = value;
  return Object.fromEntries(Object.entries(members).map(([key, member]) => [key, toShellText(member)]));
}

/** The ids of the steps that a step needs, directly or indirectly. */
export function ancestorsOf(steps: readonly StepDefinition[], id: string): ReadonlySet<string> {
  const byId = new Map(steps.map((step) => [step.id, step.needs]));
  const found = new Set<string>();
  const open = [...(byId.get(id) ?? [])];
  for (let need = open.pop(); need !== undefined; need = open.pop()) {
    if (found.has(need)) continue;
    found.add(need);
    open.push(...(byId.get(need) ?? []));
  }
  return found;
}
