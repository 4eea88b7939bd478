// How deep YAML may be nested. The library recurses when it composes a document, and V8 ends the process when a RegExp is
// compiled with the stack nearly full: 5,000 brackets are enough. So depth is looked at before.

import { Lexer, Parser } from 'yaml';

export const nestingLimit = 64;
export const tooDeep = `is nested over ${nestingLimit} deep`;

/** Of what the parser was given so far. */
export function isTooDeep(parser: Parser): boolean {
  // The document and the innermost scalar are on the stack, too.
  return parser.stack.length > nestingLimit + 2;
}

/** The offset at which the text becomes too deep; undefined when it does not. */
export function findTooDeep(text: string): number | undefined {
  // Each level takes one of these signs at the least; to look at each lexeme takes as long as to read the text.
  if ((text.match(/[[{:?-]/g)?.length ?? 0) <= nestingLimit) return undefined;
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    Array.from(parser.next(lexeme));
    if (isTooDeep(parser)) return parser.offset;
  }
  return undefined;
}
