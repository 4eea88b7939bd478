// Checks and evaluates the expressions of job files, which are written in CEL (ADR 0009).

import type { JsonObject, JsonValue } from '../../domain/job.ts';
import { isTooDeep, mostNesting } from '../../lib/json-nesting.ts';
import { TimeLimitPassed, withinTime } from '../../lib/time-limit.ts';
import { isObject } from '../arguments/subschemas.ts';
import { ExpressionError } from './expression-error.ts';
import { describe, parseExpression, type References, type Root, refersTo } from './expression-syntax.ts';
import { createToCel, fromCel } from './expression-values.ts';

const timeLimitMs = 50;

export type ExpressionScope = {
  /** Secret arguments are left out. */
  readonly args: JsonObject;
  /** The steps that have ended, by id. */
  readonly steps: ReadonlyMap<string, { readonly status: string; readonly outputs: JsonObject }>;
  readonly run: JsonObject;
  /** The item of a step instance, for the arguments of its sub-run. */
  readonly item?: JsonValue;
  readonly matrix?: JsonObject;
};

/** Says what is wrong with the expression; undefined when it is valid. */
export function checkExpression(text: string): string | undefined {
  try {
    parseExpression(text);
    return undefined;
  } catch (error) {
    if (error instanceof ExpressionError) return error.message;
    throw error;
  }
}

/** Takes at most 50 ms. @throws ExpressionError */
export function evaluateExpression(text: string, scope: ExpressionScope): JsonValue {
  const expression = parseExpression(text);
  const visible = toVisible(scope, expression.references);
  const work = () => fromCel(expression.run(visible));
  try {
    return expression.isCostly ? withinTime(timeLimitMs, work) : work();
  } catch (error) {
    if (error instanceof TimeLimitPassed) throw new ExpressionError(`it ${error.message}`);
    throw new ExpressionError(describe(error));
  }
}

/** Only the values that the expression refers to: copying the outputs of 500 steps would be expensive. */
function toVisible(scope: ExpressionScope, references: References): Readonly<Record<string, unknown>> {
  const toCel = createToCel();
  const chosen = (root: Root, names: Iterable<string>, find: (name: string) => JsonValue | undefined) => {
    const map = new Map<string, unknown>();
    for (const name of references[root] === 'all' ? names : references[root]) {
      const value = find(name);
      if (value !== undefined) map.set(name, toCel(value));
    }
    return map;
  };
  const ofObject = (root: Root, object: JsonObject = {}) =>
    chosen(root, Object.keys(object), (name) => (Object.hasOwn(object, name) ? object[name] : undefined));
  return {
    args: ofObject('args', scope.args),
    steps: chosen('steps', scope.steps.keys(), (id) => scope.steps.get(id)),
    run: ofObject('run', scope.run),
    matrix: ofObject('matrix', scope.matrix),
    ...(scope.item !== undefined && refersTo(references, 'item') ? { item: toCel(scope.item) } : {}),
  };
}

/** The arguments of a sub-run. Literals stay as they are, `{from: …}` is evaluated. @throws ExpressionError */
export function evaluateArguments(args: JsonObject, scope: ExpressionScope): JsonObject {
  const evaluated = Object.entries(args).map(([name, value]): [string, JsonValue] => {
    const text = fromOf(value);
    if (text === undefined) return [name, value];
    try {
      return [name, evaluateExpression(text, scope)];
    } catch (error) {
      if (error instanceof ExpressionError) throw new ExpressionError(`\`${name}\`: ${error.message}`);
      throw error;
    }
  });
  return Object.fromEntries(evaluated);
}

/** The expression of an argument `{from: <CEL>}`; undefined for a literal. */
export function fromOf(value: JsonValue): string | undefined {
  if (!isObject(value) || Object.keys(value).length !== 1) return undefined;
  return typeof value.from === 'string' ? value.from : undefined;
}

/** Evaluates an `if`. @throws ExpressionError */
export function evaluateCondition(text: string, scope: ExpressionScope): boolean {
  const value = evaluateExpression(text, scope);
  if (typeof value === 'boolean') return value;
  throw new ExpressionError(`it gives ${nameOf(value)}, not true or false`);
}

/** Evaluates a `foreach`: the items of a list, or the non-empty lines of a text. @throws ExpressionError */
export function evaluateItems(text: string, scope: ExpressionScope): readonly JsonValue[] {
  const value = evaluateExpression(text, scope);
  if (Array.isArray(value)) return value;
  if (typeof value !== 'string') throw new ExpressionError(`it gives ${nameOf(value)}, not a list or a text`);
  return listIn(value) ?? value.split(/\r?\n/).filter((line) => line !== '');
}

/** An output is always text. Text that contains a list is JSON. @throws ExpressionError */
function listIn(text: string): JsonValue[] | undefined {
  if (!text.trimStart().startsWith('[')) return undefined;
  let value: JsonValue;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value)) return undefined;
  if (isTooDeep(text)) throw new ExpressionError(`it gives a list that is nested over ${mostNesting} levels deep`);
  return value;
}

function nameOf(value: JsonValue): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
