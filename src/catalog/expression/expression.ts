// Checks and evaluates the expressions of job files, which are written in CEL (ADR 0009).

import type { JsonObject, JsonValue } from '../../domain/job.ts';
import { isTooDeep, mostNesting } from '../../lib/json-nesting.ts';
import { TimeLimitPassed, withinTime } from '../../lib/time-limit.ts';
import { isObject } from '../arguments/subschemas.ts';
import { ExpressionError } from './expression-error.ts';
import {
  deliveryRoots,
  describe,
  type Expression,
  endedRunRoots,
  notificationRoots,
  parseExpression,
  type References,
  type Root,
  refersTo,
  roots,
} from './expression-syntax.ts';
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

/** The variables that the expressions of a webhook can use. */
export type DeliveryScope = {
  readonly body: JsonValue;
  readonly headers: JsonObject;
  readonly query: JsonObject;
  /** Empty when the scheme names no event. */
  readonly event: string;
};

/** Says what is wrong with the expression; undefined when it is valid. */
export function checkExpression(text: string, known: readonly Root[] = roots): string | undefined {
  try {
    parseExpression(text, known);
    return undefined;
  } catch (error) {
    if (error instanceof ExpressionError) return error.message;
    throw error;
  }
}

/** Takes at most 50 ms. @throws ExpressionError */
export function evaluateExpression(text: string, scope: ExpressionScope): JsonValue {
  const expression = parseExpression(text);
  return compute(expression, toVisible(scope, expression.references));
}

/** Takes at most 50 ms. @throws ExpressionError */
export function evaluateForDelivery(text: string, { body, headers, query, event }: DeliveryScope): JsonValue {
  const expression = parseExpression(text, deliveryRoots);
  const choose = chooseFrom(expression.references);
  return compute(expression, {
    // A body that is a list or a text has no members to choose from.
    body: isObject(body) ? choose('body', body) : createToCel()(body),
    headers: choose('headers', headers),
    query: choose('query', query),
    event,
  });
}

/** The variables that the `body` expression of a channel can use. */
export type NotificationScope = { readonly event: string; readonly message: JsonObject; readonly run: JsonObject };

/** Takes at most 50 ms. @throws ExpressionError */
export function evaluateForNotification(text: string, { event, message, run }: NotificationScope): JsonValue {
  const expression = parseExpression(text, notificationRoots);
  const choose = chooseFrom(expression.references);
  return compute(expression, { event, message: choose('message', message), run: choose('run', run) });
}

/** Takes at most 50 ms. @throws ExpressionError */
export function evaluateForEndedRun(text: string, run: JsonObject): JsonValue {
  const expression = parseExpression(text, endedRunRoots);
  return compute(expression, { run: chooseFrom(expression.references)('run', run) });
}

/**
 * Evaluates an expression of a trigger that follows files or has a check. Takes at most 50 ms.
 * @throws ExpressionError
 */
export function evaluateForTrigger(text: string, root: 'file' | 'check', value: JsonObject): JsonValue {
  const expression = parseExpression(text, [root]);
  return compute(expression, { [root]: chooseFrom(expression.references)(root, value) });
}

function compute(expression: Expression, visible: Readonly<Record<string, unknown>>): JsonValue {
  const work = () => fromCel(expression.run(visible));
  try {
    return expression.isCostly ? withinTime(timeLimitMs, work) : work();
  } catch (error) {
    if (error instanceof TimeLimitPassed) throw new ExpressionError(`it ${error.message}`);
    throw new ExpressionError(describe(error));
  }
}

/**
 * Converts only the values that the expression refers to, because copying the outputs of 500 steps would be expensive.
 */
function toVisible(scope: ExpressionScope, references: References): Readonly<Record<string, unknown>> {
  const toCel = createToCel();
  const choose = chooseFrom(references, toCel);
  return {
    args: choose('args', scope.args),
    steps: chosen(references.steps, scope.steps.keys(), (id) => scope.steps.get(id), toCel),
    run: choose('run', scope.run),
    matrix: choose('matrix', scope.matrix),
    ...(scope.item !== undefined && refersTo(references, 'item') ? { item: toCel(scope.item) } : {}),
  };
}

/** @returns a function that picks those members of an object that the expression refers to */
function chooseFrom(references: References, toCel = createToCel()) {
  return (root: Root, object: JsonObject = {}): Map<string, unknown> =>
    chosen(
      references[root],
      Object.keys(object),
      (name) => (Object.hasOwn(object, name) ? object[name] : undefined),
      toCel,
    );
}

function chosen(
  referred: References[Root],
  names: Iterable<string>,
  find: (name: string) => JsonValue | undefined,
  toCel: ReturnType<typeof createToCel>,
): Map<string, unknown> {
  const map = new Map<string, unknown>();
  for (const name of referred === 'all' ? names : referred) {
    const value = find(name);
    if (value !== undefined) map.set(name, toCel(value));
  }
  return map;
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

/** Returns the list in an output, which is always text: a list is written as JSON. @throws ExpressionError */
function listIn(text: string): JsonValue[] | undefined {
  if (!text.trimStart().startsWith('[')) return undefined;
  let value: JsonValue;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value)) return undefined;
  if (isTooDeep(text)) throw new ExpressionError(`it gives a list that is nested deeper than ${mostNesting} levels`);
  return value;
}

function nameOf(value: JsonValue): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
