// Expressions of job files, in CEL: what is wrong with one, and the value of one (ADR 0009).

import type { JsonObject, JsonValue } from '../domain/job.ts';
import { TimeLimitPassed, withinTime } from '../lib/time-limit.ts';
import { ExpressionError } from './expression-error.ts';
import { describe, parseExpression, type Root } from './expression-syntax.ts';
import { createToCel, fromCel } from './expression-values.ts';

const timeLimitMs = 50;

export type ExpressionScope = {
  /** Without the secret ones. */
  readonly args: JsonObject;
  /** Those that have ended, by id. */
  readonly steps: ReadonlyMap<string, { readonly status: string; readonly outputs: JsonObject }>;
  readonly run: JsonObject;
};

/** What is wrong, in words; undefined when nothing is. */
export function checkExpression(text: string): string | undefined {
  try {
    parseExpression(text);
    return undefined;
  } catch (error) {
    if (error instanceof ExpressionError) return error.message;
    throw error;
  }
}

/** Takes 50 ms at the most. @throws ExpressionError */
export function evaluateExpression(text: string, scope: ExpressionScope): JsonValue {
  const { run, references, isCostly } = parseExpression(text);
  const toCel = createToCel();
  const members = (root: Root, names: Iterable<string>, find: (name: string) => JsonValue | undefined) => {
    const chosen = references[root] === 'all' ? names : references[root];
    const map = new Map<string, unknown>();
    for (const name of chosen) {
      const value = find(name);
      if (value !== undefined) map.set(name, toCel(value));
    }
    return map;
  };
  const ofObject = (object: JsonObject) => (name: string) => (Object.hasOwn(object, name) ? object[name] : undefined);
  const visible = {
    args: members('args', Object.keys(scope.args), ofObject(scope.args)),
    steps: members('steps', scope.steps.keys(), (id) => scope.steps.get(id)),
    run: members('run', Object.keys(scope.run), ofObject(scope.run)),
  };
  const work = () => fromCel(run(visible));
  try {
    return isCostly ? withinTime(timeLimitMs, work) : work();
  } catch (error) {
    if (error instanceof TimeLimitPassed) throw new ExpressionError(`it ${error.message}`);
    throw new ExpressionError(describe(error));
  }
}

/** Of an `if`. @throws ExpressionError */
export function evaluateCondition(text: string, scope: ExpressionScope): boolean {
  const value = evaluateExpression(text, scope);
  if (typeof value === 'boolean') return value;
  throw new ExpressionError(`it gives ${nameOf(value)}, not true or false`);
}

/** Of a `foreach`: the items of a list, or the lines of a text without empty ones. @throws ExpressionError */
export function evaluateItems(text: string, scope: ExpressionScope): readonly JsonValue[] {
  const value = evaluateExpression(text, scope);
  if (Array.isArray(value)) return value;
  if (typeof value !== 'string') throw new ExpressionError(`it gives ${nameOf(value)}, not a list or a text`);
  return listIn(value) ?? value.split(/\r?\n/).filter((line) => line !== '');
}

/** An output is a text: a list in it is JSON. */
function listIn(text: string): JsonValue[] | undefined {
  if (!text.trimStart().startsWith('[')) return undefined;
  try {
    const value: JsonValue = JSON.parse(text);
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function nameOf(value: JsonValue): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
