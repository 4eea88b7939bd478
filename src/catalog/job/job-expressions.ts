// Checks every expression of a config.yaml: its form, and that it refers only to values that exist when it is
// evaluated.

import type { JsonObject } from '../../domain/job.ts';
import { nearest } from '../../lib/nearest.ts';
import { isObject, namesAllArguments } from '../arguments/subschemas.ts';
import { fromOf } from '../expression/expression.ts';
import { ExpressionError } from '../expression/expression-error.ts';
import { type Expression, parseExpression, type References, refersTo, roots } from '../expression/expression-syntax.ts';
import { type MemberError, ruleError } from './config-error.ts';
import type { RawConfig, RawStep } from './config-schema.ts';
import { createPrecedence, unknownStep } from './step-graph.ts';

type Named = { readonly path: readonly string[]; readonly text: string; readonly gives: Kind };
type Kind = 'condition' | 'items' | 'scalar' | 'any';
type CheckReferences = (references: References, gives: Kind) => string | undefined;

/** The CEL types that each kind of expression may have. `dyn` is known only at evaluation. */
const types: Readonly<Record<Exclude<Kind, 'any'>, { readonly names: RegExp; readonly says: string }>> = {
  condition: { names: /^(?:bool|dyn)$/, says: 'true or false' },
  items: { names: /^(?:list.*|string|dyn)$/, says: 'a list, or text with one item per line' },
  scalar: { names: /^(?:string|int|double|bool|dyn.*)$/, says: 'text, a number, or true or false' },
};

export function checkExpressions(config: RawConfig, argspec: JsonObject, secretArgs: readonly string[]): MemberError[] {
  const checkArgs = createArgumentCheck(argspec, secretArgs);
  const { steps = [] } = config;
  const checkSteps = createStepCheck(steps);
  const key = config.concurrency?.key;
  const ofKey: readonly Named[] =
    key === undefined ? [] : [{ path: ['concurrency', 'key'], text: key, gives: 'scalar' }];
  return [
    ...ofKey.flatMap((named) => check(named, [checkArgs, checkArgsAlone])),
    ...steps.flatMap((step, at) =>
      expressionsOf(step, ['steps', String(at)]).flatMap((named) => check(named, [checkArgs, checkSteps(step)])),
    ),
  ];
}

function expressionsOf(step: RawStep, path: readonly string[]): Named[] {
  const found: Named[] = [];
  if (step.if !== undefined) found.push({ path: [...path, 'if'], text: step.if, gives: 'condition' });
  if (step.foreach !== undefined) found.push({ path: [...path, 'foreach'], text: step.foreach, gives: 'items' });
  for (const [name, value] of Object.entries(step.args ?? {})) {
    const text = fromOf(value);
    if (text !== undefined) found.push({ path: [...path, 'args', name, 'from'], text, gives: 'any' });
  }
  return found;
}

function check({ path, text, gives }: Named, rules: readonly CheckReferences[]): MemberError[] {
  const name = path.at(-1);
  let expression: Expression;
  try {
    expression = parseExpression(text);
  } catch (error) {
    if (error instanceof ExpressionError) return [ruleError(path, `\`${name}\`: ${error.message}`)];
    throw error;
  }
  if (gives !== 'any' && !types[gives].names.test(expression.type)) {
    return [ruleError(path, `\`${name}\` must give ${types[gives].says}, but gives ${nameOf(expression.type)}`)];
  }
  const wrong = rules.map((rule) => rule(expression.references, gives)).find((found) => found !== undefined);
  return wrong === undefined ? [] : [ruleError(path, `\`${name}\`: ${wrong}`)];
}

function nameOf(type: string): string {
  if (type === 'null') return 'null';
  const plain = type.replace(/<.*/, '');
  return /^[aeiou]/.test(plain) ? `an ${plain}` : `a ${plain}`;
}

function createArgumentCheck(argspec: JsonObject, secretArgs: readonly string[]): CheckReferences {
  const properties = isObject(argspec.properties) ? argspec.properties : {};
  const isClosed = namesAllArguments(argspec);
  return ({ args }, gives) => {
    if (args === 'all') return undefined;
    for (const name of args) {
      if (secretArgs.includes(name)) {
        // Which arguments of a sub-run are secret is known only when the sub-run is planned
        // (engine/plan/sub-run-check.ts).
        if (gives === 'any') continue;
        return `\`${name}\` is a secret, and expressions cannot read secrets`;
      }
      if (!isClosed || Object.hasOwn(properties, name)) continue;
      const near = nearest(name, Object.keys(properties));
      return `there is no argument \`${name}\`${near === undefined ? '' : `: did you mean \`${near}\`?`}`;
    }
    return undefined;
  };
}

const checkArgsAlone: CheckReferences = (references) => {
  const others = roots.filter((root) => root !== 'args' && refersTo(references, root));
  return others.length === 0 ? undefined : 'it is evaluated before the run starts, so it can use only `args`';
};

/** `item` and `matrix` exist for each instance of a step; a script finds them in its environment. */
function checkInstance(step: RawStep, references: References, gives: Kind): string | undefined {
  for (const [root, key, isThere] of [
    ['item', 'foreach', step.foreach !== undefined],
    ['matrix', 'matrix', step.matrix !== undefined],
  ] as const) {
    if (!refersTo(references, root)) continue;
    if (gives !== 'any') return `\`${root}\` can be used only in the \`args\` of a sub-run`;
    if (!isThere) return `\`${root}\` exists only in a step with \`${key}\``;
  }
  if (references.matrix === 'all') return undefined;
  const names = Object.keys(step.matrix ?? {});
  const unknown = [...references.matrix].find((name) => !names.includes(name));
  return unknown === undefined ? undefined : `the matrix has no \`${unknown}\`: there are ${names.join(', ')}`;
}

function createStepCheck(steps: readonly RawStep[]): (step: RawStep) => CheckReferences {
  const ids = new Set(steps.map(({ id }) => id));
  const precedes = createPrecedence(steps);
  return (step) => (references, gives) => {
    const ofInstance = checkInstance(step, references, gives);
    if (ofInstance !== undefined || references.steps === 'all') return ofInstance;
    for (const id of references.steps) {
      if (!ids.has(id))
        return unknownStep(
          id,
          [...ids].filter((other) => other !== step.id),
        );
      if (id === step.id) return `\`${id}\` cannot use its own outputs: it has not ended yet`;
      if (!precedes(id, step.id)) {
        return `\`${step.id}\` does not need \`${id}\`, so \`${id}\` may still be running: add it to \`needs\``;
      }
    }
    return undefined;
  };
}
