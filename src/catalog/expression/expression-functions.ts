// The functions and operators of expressions. CEL functions whose cost grows faster than their input have bounded
// versions under another name. The parser puts that name into the expression before it is checked.

import type { Environment } from '@marcbachmann/cel-js';
import { LRUCache } from 'lru-cache';
import { compilePattern, type LinearPattern } from '../arguments/linear-pattern.ts';
import { cel } from './cel.ts';
import { ExpressionError } from './expression-error.ts';

/**
 * The most comparisons of a search. This many take 20 ms, because V8 makes up to 10^10 comparisons a second. Nothing
 * can stop a search.
 */
const searchLimit = 200_000_000;
/** The most parts of a `split`. V8 ends the process when a list grows too long. */
const partLimit = 20_000;
const joinLimitChars = 1024 * 1024;

const macros = ['all', 'exists', 'exists_one', 'map', 'filter'] as const;
const bounded = ['contains', 'indexOf', 'lastIndexOf', 'split', 'join', 'matches'] as const;
const plain = ['startsWith', 'endsWith', 'lowerAscii', 'upperAscii', 'trim', 'substring', 'size'] as const;

export const comprehensions: ReadonlySet<string> = new Set(macros);
export const methods: ReadonlySet<string> = new Set([...macros, ...bounded, ...plain]);
export const functions: ReadonlySet<string> = new Set(['has', 'size', 'string', 'int', 'double', 'bool', 'dyn']);

const prefix = 'bounded_';
/** The library's `int` turns an empty text into 0, and reads `0b1` and `0o7`. For CEL, these are errors. */
const strict = ['int'] as const;
const boundedNames: ReadonlySet<string> = new Set([...bounded, ...strict]);

/** The name of a function's bounded or strict version; undefined if it has no such version. */
export function boundedName(method: string): string | undefined {
  return boundedNames.has(method) ? prefix + method : undefined;
}

/** Replaces the names of bounded versions in a message of the library with the names that the author wrote. */
export function withPlainNames(message: string): string {
  return message.replaceAll(prefix, '');
}

const patterns = new LRUCache<string, LinearPattern>({ maxSize: 64 * 1024 });

let made: Environment | undefined;

/**
 * Returns CEL's environment. The first expression creates it, because that takes milliseconds and many instances have
 * no expression.
 */
export function environment(): Environment {
  made ??= addOperators(createEnvironment());
  return made;
}

/** All roots that expressions can refer to. expression-syntax.ts says which of them each kind of expression may use. */
const variables = 'args steps run item matrix body headers query message file check'.split(' ');

function createEnvironment(): Environment {
  const bare = new (cel().Environment)({
    homogeneousAggregateLiterals: false,
    limits: { maxAstNodes: 500, maxDepth: 50, maxListElements: 500, maxMapEntries: 500, maxCallArguments: 8 },
  });
  for (const name of variables) bare.registerVariable(name, 'dyn');
  return bare
    .registerVariable('event', 'string')
    .registerFunction(`${prefix}int(int): int`, (value: bigint) => value)
    .registerFunction(`${prefix}int(double): int`, (value: number) => {
      if (!Number.isFinite(value)) throw new ExpressionError('`int` needs a finite number');
      return BigInt(Math.trunc(value));
    })
    .registerFunction(`${prefix}int(string): int`, toInteger)
    .registerFunction(`string.${prefix}contains(string): bool`, (text: string, part: string) => {
      assertSearchable(text, part);
      return text.includes(part);
    })
    .registerFunction(`string.${prefix}indexOf(string): int`, (text: string, part: string) => {
      assertSearchable(text, part);
      return BigInt(text.indexOf(part));
    })
    .registerFunction(`string.${prefix}indexOf(string, int): int`, (text: string, part: string, from: bigint) => {
      assertSearchable(text, part);
      return BigInt(text.indexOf(part, Number(from)));
    })
    .registerFunction(`string.${prefix}lastIndexOf(string): int`, (text: string, part: string) => {
      assertSearchable(text, part);
      return BigInt(text.lastIndexOf(part));
    })
    .registerFunction(`string.${prefix}split(string): list<string>`, (text: string, separator: string) => {
      assertSearchable(text, separator);
      const parts = text.split(separator, partLimit + 1);
      if (parts.length > partLimit) throw new ExpressionError('it splits a text into more than 20,000 parts');
      return parts;
    })
    .registerFunction(`list.${prefix}join(): string`, (list: readonly unknown[]) => join(list, ''))
    .registerFunction(`list.${prefix}join(string): string`, join)
    .registerFunction(`string.${prefix}matches(string): bool`, (text: string, pattern: string) =>
      patternOf(pattern).test(text),
    );
}

/**
 * JSON does not tell 2 from 2.0, so a `number` argument is sometimes an integer and sometimes a double. Both count as
 * numbers.
 */
function addOperators(environment: Environment): Environment {
  for (const [sign, calculate] of [
    ['+', (a: number, b: number) => a + b],
    ['-', (a: number, b: number) => a - b],
    ['*', (a: number, b: number) => a * b],
    ['/', (a: number, b: number) => a / b],
  ] as const) {
    environment.registerOperator(`int ${sign} double: double`, (a: bigint, b: number) => calculate(Number(a), b));
    environment.registerOperator(`double ${sign} int: double`, (a: number, b: bigint) => calculate(a, Number(b)));
  }
  return environment;
}

function toInteger(text: string): bigint {
  if (!/^[+-]?\d{1,19}$/.test(text) || BigInt.asIntN(64, BigInt(text)) !== BigInt(text))
    throw new ExpressionError('`int` needs a text that is a whole number');
  return BigInt(text);
}

function assertSearchable(text: string, part: string): void {
  if (text.length * part.length > searchLimit)
    throw new ExpressionError('it searches for a long text in another long text');
}

function join(list: readonly unknown[], separator: string): string {
  let chars = separator.length * list.length;
  for (const item of list) {
    if (typeof item !== 'string') throw new ExpressionError('it joins a list that contains something other than text');
    chars += item.length;
  }
  if (chars > joinLimitChars) throw new ExpressionError('it joins a list to more than 1 MiB');
  return list.join(separator);
}

function patternOf(source: string): LinearPattern {
  let pattern = patterns.get(source);
  if (!pattern) {
    try {
      pattern = compilePattern(source);
    } catch (error) {
      throw new ExpressionError(`RE2 does not accept the pattern: ${error instanceof Error ? error.message : ''}`);
    }
    patterns.set(source, pattern, { size: source.length + 1 });
  }
  return pattern;
}
