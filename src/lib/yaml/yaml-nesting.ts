// Limits how deep YAML may be nested. The library recurses when it composes a document. If V8 compiles a RegExp when
// the stack is nearly full, it ends the process, and 5,000 brackets are enough for that. So the depth is checked
// before.

import type { Parser } from 'yaml';
import { yaml } from './yaml.ts';

export const nestingLimit = 64;
export const tooDeep = `is nested deeper than ${nestingLimit} levels`;

/** Whether the text that the parser has seen so far is too deep. */
export function isTooDeep(parser: Parser): boolean {
  // Besides the levels, the stack contains the document and the innermost scalar.
  return parser.stack.length > nestingLimit + 2;
}

/** The offset at which the text becomes too deep; undefined when it does not. */
export function findTooDeep(text: string): number | undefined {
  // Each level needs one of these characters. If there are too few of them, the text is not lexed, because lexing it
  // would take as long as reading it.
  if ((text.match(/[[{:?-]/g)?.length ?? 0) <= nestingLimit) return undefined;
  const { Lexer, Parser } = yaml();
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    Array.from(parser.next(lexeme));
    if (isTooDeep(parser)) return parser.offset;
  }
  return undefined;
}
