// Checks expressions that turn a delivery, or the end of a run, into the arguments of a run.

import type { JobDefinition } from '../../domain/job.ts';
import { nearest } from '../../lib/nearest.ts';
import { isObject, namesAllArguments } from '../arguments/subschemas.ts';
import { ExpressionError } from '../expression/expression-error.ts';
import { type Expression, parseExpression, type Root } from '../expression/expression-syntax.ts';
import { type MemberError, ruleError } from './config-error.ts';

/** Returns the expression, or the error in it. A condition must have a result that can be true or false. */
export function readExpression(
  path: readonly string[],
  text: string,
  roots: readonly Root[],
  isCondition: boolean,
): { readonly expression: Expression } | { readonly error: MemberError } {
  try {
    const expression = parseExpression(text, roots);
    if (!isCondition || /^(?:bool|dyn)$/.test(expression.type)) return { expression };
    return { error: ruleError(path, `\`if\` must give true or false, but gives ${expression.type}`) };
  } catch (error) {
    if (error instanceof ExpressionError) return { error: ruleError(path, `\`${path.at(-1)}\`: ${error.message}`) };
    throw error;
  }
}

/** Finds arguments that the job does not have, and required ones that no expression gives. */
export function checkNames(
  args: Readonly<Record<string, string>>,
  { argspec }: Pick<JobDefinition, 'argspec'>,
): MemberError[] {
  const properties = isObject(argspec.properties) ? argspec.properties : {};
  const unknown = Object.keys(args).filter((name) => !Object.hasOwn(properties, name));
  const errors = (namesAllArguments(argspec) ? unknown : []).map((name) => {
    const near = nearest(name, Object.keys(properties));
    const hint = near === undefined ? '' : `: did you mean \`${near}\`?`;
    return ruleError(['args', name], `there is no argument \`${name}\`${hint}`, 'key');
  });
  const required = Array.isArray(argspec.required) ? argspec.required : [];
  const hasDefault = (name: string) => isObject(properties[name]) && Object.hasOwn(properties[name], 'default');
  const missing = required
    .filter((name) => typeof name === 'string')
    .filter((name) => !Object.hasOwn(args, name) && !hasDefault(name));
  return [
    ...errors,
    ...missing.map((name) => ruleError(['args', name], `the required argument \`${name}\` is missing`, 'missing')),
  ];
}
