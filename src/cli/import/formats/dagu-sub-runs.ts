// A step of a Dagu workflow that runs another workflow.

import { daguMembers } from './dagu-keys.ts';
import { variablesOf } from './dagu-values.ts';
import type { Around } from './dagu-workflow.ts';
import { isMembers, listOf, type Members, textOf } from './import-file.ts';
import { wordsIn } from './other-arguments.ts';
import { Unreadable } from './unreadable.ts';

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
  const items = isMembers(step.parallel) ? step.parallel.items : step.parallel;
  const texts = listOf(items).map((item) => textOf(item));
  if (step.parallel !== undefined && (texts.length === 0 || texts.includes(undefined)))
    throw new Unreadable(`its step ${written} runs the workflow ${found.name} for items that are not plain texts`);
  const args: Record<string, unknown> = {};
  const pairs: [string, string][] =
    typeof inputs.params === 'string'
      ? wordsIn(inputs.params).map((word) => [word.split('=')[0] ?? '', word.slice(word.indexOf('=') + 1)])
      : variablesOf(inputs.params);
  for (const [name, value] of pairs) {
    const argument = found.arguments.find((one) => one.written === name)?.argument;
    if (!argument)
      throw new Unreadable(
        `its step ${written} gives ${found.name} the parameter ${name}, which that workflow does not have`,
      );
    args[argument.name] = subArgument(value, { around, written, hasItem: step.parallel !== undefined });
  }
  return {
    step: { job: found.name, args },
    settings: step.parallel === undefined ? {} : { foreach: JSON.stringify(texts) },
  };
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
