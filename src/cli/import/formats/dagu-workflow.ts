// A Dagu workflow as its steps see it: the outputs and files that they can use, and the order in which they run.

import { daguMembers } from './dagu-keys.ts';
import type { DaguValues } from './dagu-values.ts';
import { type Data, isMembers, listOf, type Members, textOf } from './import-file.ts';
import type { NamedArgument } from './other-arguments.ts';

/** Another workflow that a step may run. */
export type SubWorkflow = {
  readonly name: string;
  readonly arguments: readonly NamedArgument[];
  /** The parameter that gets a value without a name. undefined: there is no parameter, or their order is not known. */
  readonly first: NamedArgument | undefined;
};

export type Around = {
  readonly workflow: Members;
  readonly values: DaguValues;
  readonly findWorkflow: (name: string) => SubWorkflow | undefined;
  readonly notes: string[];
  readonly obstacles: string[];
};

export type Raw = {
  readonly step: Members;
  readonly written: string;
  readonly id: string;
  readonly needs: readonly string[];
};

type Named = Omit<Raw, 'needs'> & {
  /** undefined: the step does not say what it depends on. */
  readonly depends: readonly string[] | undefined;
  /** Steps with the same number are written as one list, and start together. */
  readonly group: number;
  readonly isGrouped: boolean;
};

/** Gives each step its id, and the ids of the steps that it follows. */
export function orderOf({ workflow, notes, obstacles }: Pick<Around, 'workflow' | 'notes' | 'obstacles'>): Raw[] {
  const type = textOf(workflow.type);
  if (type !== undefined && type !== 'graph' && type !== 'chain') obstacles.push(`its type is ${type}`);
  const steps = stepsIn(workflow.steps);
  const chain = withNeeds(steps, true);
  const graph = withNeeds(steps, false);
  if (type !== undefined) return type === 'graph' ? graph : chain;
  // Without a type, the order of the steps depends on the version of Dagu.
  const isClear = chain.every(({ needs }, at) => needs.join() === graph[at]?.needs.join());
  const order = isCircular(chain) ? graph : chain;
  if (!isClear)
    notes.push(
      order === chain
        ? 'its file has no `type`: as in `type: chain`, a step without `depends` follows the step before it; remove its `needs` to start it at once'
        : 'its file has no `type`: as in `type: graph`, a step without `depends` starts at once',
    );
  return order;
}

function stepsIn(data: Data | undefined): Named[] {
  const given = isMembers(data)
    ? Object.entries(data).map(([name, step]): Data => ({ name, ...(isMembers(step) ? step : { command: step }) }))
    : listOf(data);
  const ids = new Map<string, string>();
  const steps: Named[] = [];
  for (const [group, entry] of given.entries()) {
    for (const one of Array.isArray(entry) ? listOf(entry) : [entry]) {
      const step = isMembers(one) ? daguMembers(one) : { command: one };
      const written = textOf(step.name) ?? textOf(step.id) ?? `step ${steps.length + 1}`;
      const id = idFor(written, new Set(ids.values()));
      for (const name of [textOf(step.id), written, id]) if (name !== undefined) ids.set(name, id);
      const depends =
        step.depends === undefined ? undefined : [step.depends].flat().flatMap((name) => textOf(name) ?? []);
      steps.push({ step, written, id, depends, group, isGrouped: Array.isArray(entry) });
    }
  }
  return steps.map((one) => ({ ...one, depends: one.depends?.map((name) => ids.get(name) ?? name) }));
}

function withNeeds(steps: readonly Named[], isChain: boolean): Raw[] {
  return steps.map(({ step, written, id, depends, group, isGrouped }) => {
    const before = steps.filter((other) => other.group === group - 1).map((other) => other.id);
    return { step, written, id, needs: depends ?? (isChain || isGrouped ? before : []) };
  });
}

function isCircular(steps: readonly Raw[]): boolean {
  const left = new Set(steps.map(({ id }) => id));
  const isFree = ({ id, needs }: Raw): boolean => left.has(id) && !needs.some((need) => left.has(need));
  for (let free = steps.filter(isFree); free.length > 0; free = steps.filter(isFree))
    for (const { id } of free) left.delete(id);
  return left.size > 0;
}

function idFor(written: string, taken: ReadonlySet<string>): string {
  const wanted =
    written
      .replaceAll(/[^A-Za-z0-9_-]+/g, '-')
      .replaceAll(/^[^A-Za-z0-9]+|-+$/g, '')
      .slice(0, 50) || 'step';
  let id = wanted;
  for (let n = 2; taken.has(id); n++) id = `${wanted}-${n}`;
  return id;
}
