// Parses the text of an expression into a program and the values that it refers to, or says what is wrong. Limits the
// form of an expression, so that it cannot build large values.

import type { ASTNode, ParseResult } from '@marcbachmann/cel-js';
import { nearest } from '../../lib/nearest.ts';
import { re2 } from '../../lib/re2.ts';
import { printable } from '../job/job-id.ts';
import { cel } from './cel.ts';
import { ExpressionError } from './expression-error.ts';
import {
  boundedName,
  comprehensions,
  environment,
  functions,
  methods,
  withPlainNames,
} from './expression-functions.ts';

const lengthLimitChars = 2_000;
const messageLimitChars = 300;
/** Each `+` may double a value, and in a comprehension it may double it again for each item. */
const comprehensionLimit = 4;
const innerAdditionLimit = 4;
const additionLimit = 16;

/** What the expressions of a job may name. */
export const roots = ['args', 'steps', 'run', 'item', 'matrix'] as const;
/** What the expressions of a webhook may name. */
export const deliveryRoots = ['body', 'headers', 'query', 'event'] as const;
/** What the body of a channel may name. */
export const notificationRoots = ['event', 'message', 'run'] as const;
/** What the expressions of a trigger may name: the run that has ended, as the API shows it. */
export const endedRunRoots = ['run'] as const;
/** What the expressions of a trigger that follows files may name. */
export const fileRoots = ['file'] as const;
/** What the expressions of a trigger that has a check may name. */
export const checkRoots = ['check'] as const;
const allRoots = [...roots, ...deliveryRoots, ...notificationRoots, ...fileRoots, ...checkRoots];
export type Root = (typeof allRoots)[number];

/** Whether the expression uses the root at all. */
export function refersTo(references: References, root: Root): boolean {
  const names = references[root];
  return names === 'all' || names.size > 0;
}

/** The members of each root that the expression names; `all` when it computes a member's name. */
export type References = Readonly<Record<Root, ReadonlySet<string> | 'all'>>;

export type Expression = {
  readonly run: (scope: Readonly<Record<string, unknown>>) => unknown;
  /** The type that CEL infers: `bool`, `string`, `dyn` and so on. */
  readonly type: string;
  readonly references: References;
  /** Whether the cost of the expression can grow with the values. */
  readonly isCostly: boolean;
};

/** @throws ExpressionError */
export function parseExpression(text: string, known: readonly Root[] = roots): Expression {
  if (text.length > lengthLimitChars) throw new ExpressionError('it is longer than 2,000 characters');
  const program = parse(text);
  const { references, isCostly } = survey(program.ast, known);
  const checked = program.check();
  if (!checked.valid) throw new ExpressionError(describe(checked.error));
  return { run: program, type: checked.type ?? 'dyn', references, isCostly };
}

function parse(text: string): ParseResult {
  try {
    return environment().parse(text);
  } catch (error) {
    throw new ExpressionError(describe(error));
  }
}

const tokens: Readonly<Record<string, string>> = {
  EOF: 'its end',
  LPAREN: '`(`',
  RPAREN: '`)`',
  LBRACKET: '`[`',
  RBRACKET: '`]`',
  LBRACE: '`{`',
  RBRACE: '`}`',
  DOT: '`.`',
  COMMA: '`,`',
  COLON: '`:`',
  QUESTION: '`?`',
  IDENTIFIER: 'a name',
  NUMBER: 'a number',
  STRING: 'a text',
};

/** The library's error as a message, with the position of the error if it is known. */
export function describe(error: unknown): string {
  if (error instanceof ExpressionError) return error.message;
  if (error instanceof RangeError) return 'it needs more memory or nesting than an expression may use';
  if (!(error instanceof Error)) return String(error);
  const summary = 'summary' in error && typeof error.summary === 'string' ? error.summary : error.message;
  const { ParseError, TypeError: TypeFault } = cel();
  const isOfText = error instanceof ParseError || error instanceof TypeFault;
  if (!isOfText) return inWords(summary);
  const words = summary.replace(/\b[A-Z]{3,}\b/g, (word) => tokens[word] ?? word);
  const place = error.range ? ` (character ${error.range.start + 1})` : '';
  const advice = /^unexpected character: =$/i.test(summary) ? ': write == to compare two values' : '';
  return `${inWords(words)}${place}${advice}`;
}

/** Cuts the summary, because it may repeat a value. */
function inWords(summary: string): string {
  const words = printable(withPlainNames(summary));
  const shown = words.length > messageLimitChars ? `${words.slice(0, messageLimitChars)}…` : words;
  return shown.charAt(0).toLowerCase() + shown.slice(1);
}

function survey(ast: ASTNode, known: readonly Root[]): { references: References; isCostly: boolean } {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each root is a key
  const found = Object.fromEntries(allRoots.map((root) => [root, new Set()])) as Record<Root, Set<string> | 'all'>;
  let additions = 0;
  let innerAdditions = 0;
  let loops = 0;
  let isCostly = false;
  visit(ast, []);
  return { references: found, isCostly };

  function visit(node: ASTNode, variables: readonly string[]): void {
    const member = memberOf(node, known);
    if (member && !variables.includes(member.root)) {
      const names = found[member.root];
      if (names !== 'all') names.add(member.name);
      return;
    }
    if (node.op === 'id') refer(node.args, variables);
    if (node.op === 'call') {
      const [name] = node.args;
      assertKnown('function', name, functions);
      node.args[0] = boundedName(name) ?? name;
    }
    if (node.op === 'rcall') {
      visitMethod(node.args, variables);
      return;
    }
    if (node.op === '+') countAddition(variables.length > 0);
    isCostly ||= ['call', 'in', '==', '!='].includes(node.op);
    if (node.op === 'value' && typeof node.args === 'object' && node.args !== null) {
      throw new ExpressionError('it uses a value that JSON does not have: `b"…"` or `1u`');
    }
    for (const child of childrenOf(node)) visit(child, variables);
  }

  function countAddition(isInner: boolean): void {
    additions += 1;
    if (isInner) innerAdditions += 1;
    if (additions > additionLimit) throw new ExpressionError(`it uses \`+\` more than ${additionLimit} times`);
    if (innerAdditions > innerAdditionLimit) {
      const names = [...comprehensions].join(', ');
      throw new ExpressionError(`it uses \`+\` more than ${innerAdditionLimit} times within ${names}`);
    }
  }

  function visitMethod(call: [string, ASTNode, ASTNode[]], variables: readonly string[]): void {
    const [name, receiver, args] = call;
    assertKnown('function', name, methods);
    isCostly = true;
    // RE2 is loaded here and not during an evaluation, because the time of an evaluation is limited.
    if (name === 'matches') re2();
    visit(receiver, variables);
    if (comprehensions.has(name)) loops += 1;
    if (loops > comprehensionLimit) {
      throw new ExpressionError(
        `it uses ${[...comprehensions].join(', ')} more than ${comprehensionLimit} times in total`,
      );
    }
    const [variable, ...bodies] = args;
    const isLoop = comprehensions.has(name) && variable?.op === 'id';
    for (const body of isLoop ? bodies : args) visit(body, isLoop ? [...variables, variable.args] : variables);
    // Before the type check, a call is only a name and arguments.
    call[0] = boundedName(name) ?? name;
  }

  function refer(name: string, variables: readonly string[]): void {
    if (variables.includes(name)) return;
    const root = known.find((one) => one === name);
    if (root) found[root] = 'all';
    else assertKnown('name', name, new Set([...known, ...variables]));
  }
}

function childrenOf(node: ASTNode): readonly ASTNode[] {
  switch (node.op) {
    case 'value':
    case 'id':
      return [];
    case 'call':
      return node.args[1];
    case 'rcall':
      return [node.args[1], ...node.args[2]];
    case '.':
    case '.?':
      return [node.args[0]];
    case 'map':
      return node.args.flat();
    case '!_':
    case '-_':
      return [node.args];
    default:
      return node.args;
  }
}

/** Returns the root and the member's name for a node such as `steps.build` or `steps["build-it"]`. */
function memberOf(node: ASTNode, known: readonly Root[]): { root: Root; name: string } | undefined {
  if (node.op !== '.' && node.op !== '[]') return undefined;
  const [object, member] = node.args;
  const root = object.op === 'id' ? known.find((one) => one === object.args) : undefined;
  const name = typeof member === 'string' ? member : member.op === 'value' ? member.args : undefined;
  return root && typeof name === 'string' ? { root, name } : undefined;
}

/** @throws ExpressionError */
function assertKnown(noun: string, name: string, known: ReadonlySet<string>): void {
  if (known.has(name)) return;
  const near = nearest(name, [...known]);
  const hint = near === undefined ? `there are ${[...known].join(', ')}` : `did you mean \`${near}\`?`;
  throw new ExpressionError(`there is no ${noun} \`${printable(name)}\`: ${hint}`);
}
