// A step of a Dagu workflow that runs another workflow.

import { attempt, Unreadable } from '../obstacles.ts';
import { daguMembers } from './dagu-keys.ts';
import { variablesOf } from './dagu-values.ts';
import type { Around, SubWorkflow } from './dagu-workflow.ts';
import { type Data, isMembers, listOf, type Members, textOf } from './import-file.ts';
import { wordsIn } from './other-arguments.ts';

type SubRun = {
  readonly step: { readonly job: string; readonly args: Record<string, unknown> };
  readonly settings: Readonly<Record<string, unknown>>;
};

export function subRunOf(step: Members, written: string, around: Around): SubRun | undefined {
  const isAction = step.action === 'dag.run';
  const inputs = isAction ? daguMembers(step.with) : step;
  const target = textOf(
    isAction
      ? inputs.dag
      : (step.call ?? (step.command === undefined && step.script === undefined ? step.run : undefined)),
  );
  const isSure = isAction || step.call !== undefined;
  const found = target === undefined ? undefined : around.findWorkflow(target.replace(/\.ya?ml$/, ''));
  if (!found && isSure)
    throw new Unreadable(`its step ${written} runs the workflow ${target}, which is not in the folder`);
  if (!found) return undefined;
  const { obstacles } = around;
  const hasItem = step.parallel !== undefined;
  const items = hasItem
    ? attempt(obstacles, () => itemsOf(step.parallel ?? null, { written, found, around }))
    : undefined;
  const args: Record<string, unknown> = {};
  const name =
    items && inputs.params === undefined
      ? attempt(obstacles, () => argumentForItem(items, { written, found }))
      : undefined;
  if (name !== undefined) args[name] = { from: 'item' };
  const pairs: [string, string][] =
    typeof inputs.params === 'string'
      ? wordsIn(inputs.params).map((word) => [word.split('=')[0] ?? '', word.slice(word.indexOf('=') + 1)])
      : variablesOf(inputs.params);
  for (const [given, value] of pairs) {
    const argument = found.arguments.find((one) => one.written === given)?.argument;
    if (argument) args[argument.name] = attempt(obstacles, () => subArgument(value, { around, written, hasItem }));
    else
      obstacles.push(
        `its step ${written} gives ${found.name} the parameter ${given}, which that workflow does not have`,
      );
  }
  return {
    step: { job: found.name, args },
    settings: items === undefined ? {} : { foreach: JSON.stringify(items) },
  };
}

type Target = { readonly written: string; readonly found: SubWorkflow };

function itemsOf(parallel: Data, { written, found, around }: Target & { readonly around: Around }): string[] {
  const { items, maxConcurrent } = isMembers(parallel) ? daguMembers(parallel) : { items: parallel };
  const texts = listOf(items).flatMap((item) => textOf(item) ?? []);
  if (texts.length === 0 || texts.length < listOf(items).length)
    throw new Unreadable(`its step ${written} runs the workflow ${found.name} for items that are not plain texts`);
  const limit = textOf(maxConcurrent);
  if (limit !== undefined)
    around.notes.push(
      `its step ${written} ran ${found.name} for at most ${limit} ${limit === '1' ? 'item' : 'items'} at a time: flwd runs it for all items at the same time, unless that job limits its \`concurrency\``,
    );
  return texts;
}

/**
 * Without `params`, Dagu passes each item as the whole command line of the workflow. A plain word becomes its first
 * parameter.
 */
function argumentForItem(items: readonly string[], { written, found }: Target): string {
  if (found.first === undefined || items.some((item) => /[\s="`[\]{}]/.test(item) || item === ''))
    throw new Unreadable(
      `its step ${written} passes its items to the workflow ${found.name} without naming a parameter: add \`params: NAME=\${ITEM}\` to the step`,
    );
  return found.first.argument.name;
}

function subArgument(
  value: string,
  o: { readonly around: Around; readonly written: string; readonly hasItem: boolean },
): unknown {
  if (!/[$`]/.test(value)) return value;
  const [, name = ''] = /^\$\{?(?:params\.)?(\w+)\}?$/.exec(value) ?? [];
  if (name === 'ITEM' && o.hasItem) return { from: 'item' };
  const own = o.around.values.arguments.find(({ variable }) => variable === name)?.argument;
  if (own && own.schema.default !== undefined) return { from: `args.${own.name}` };
  throw new Unreadable(`its step ${o.written} computes a parameter for another workflow: \`${value}\``);
}
