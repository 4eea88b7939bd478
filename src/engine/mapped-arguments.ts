// Uses the expressions of a webhook or trigger to turn a delivery, or the end of a run, into the arguments of a run.

import { toPointer } from '../catalog/arguments/schema-errors.ts';
import { isObject } from '../catalog/arguments/subschemas.ts';
import { ExpressionError } from '../catalog/expression/expression-error.ts';
import { createErrorList } from '../domain/error-list.ts';
import type { JsonObject, JsonValue } from '../domain/job.ts';
import { validationError } from '../domain/problem.ts';

type Mapping = { readonly condition: string | null; readonly args: Readonly<Record<string, string>> };

/**
 * The arguments of the run; undefined when `if` says that no run starts.
 * @throws Problem validation-error
 */
export function mapArguments(
  { condition, args }: Mapping,
  secretArgs: readonly string[],
  evaluate: (text: string) => JsonValue,
): JsonObject | undefined {
  const errors = createErrorList();
  const computed = (text: string, pointer: string): JsonValue | undefined => {
    try {
      return evaluate(text);
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      errors.add({
        pointer,
        keyword: 'expression',
        message: `has no value: ${error.message}${hintOf(text, error.message)}`,
      });
      return undefined;
    }
  };
  const holds = condition === null ? true : computed(condition, '/if');
  if (holds === false) return undefined;
  if (holds !== true && errors.size === 0) {
    errors.add({ pointer: '/if', keyword: 'expression', message: 'must give true or false' });
  }
  if (errors.size > 0) throw validationError(errors.errors(), errors.size);
  const found = Object.entries(args).map(([name, text]) => {
    const pointer = toPointer(['args', name]);
    const value = computed(text, pointer) ?? null;
    if (secretArgs.includes(name) && isObject(value)) {
      errors.add({ pointer, keyword: 'secret', message: 'must be a text: an expression cannot name a stored secret' });
    }
    return [name, value] as const;
  });
  if (errors.size > 0) throw validationError(errors.errors(), errors.size);
  return Object.fromEntries(found);
}

/** For an error about a missing member: explains how an expression can test whether the member is there. */
function hintOf(text: string, message: string): string {
  const name = /^no such key: (\w+)$/.exec(message)?.[1];
  const member = name === undefined ? null : new RegExp(`[A-Za-z_][\\w.]*\\.${name}\\b`).exec(text);
  return member ? `; \`has(${member[0]})\` says whether it is there` : '';
}
