// Says what is wrong with a YAML text in words for people who do not know YAML's grammar.

import type { Document, LineCounter, YAMLError } from 'yaml';
import { yaml } from './yaml.ts';

type Words = readonly [says: RegExp, words: string | ((found: string) => string)];

const quoteIt = 'put it in quotes';

/** Recognizes errors by the library's own text, because one code stands for several errors. */
const known: readonly Words[] = [
  [/^Missing closing (.)quote/, (quote) => `the text that begins with ${quote} has no closing ${quote}`],
  [
    /^Flow sequence in|^Flow sequence must end/,
    'the list that begins with `[` has no closing `]`, or its next line is not indented',
  ],
  [
    /^Flow map in|^Flow map must end/,
    'the mapping that begins with `{` has no closing `}`, or its next line is not indented',
  ],
  [/^Implicit map keys need/, 'here is a key without `: ` and a value'],
  [/^Implicit keys/, 'this line is not a key with `: `, or its indentation differs from the lines above'],
  [/^Sequence item without/, 'a `- ` is missing before this item of the list'],
  [/^Missing , /, 'a comma is missing between two items'],
  [/^Missing space after :/, 'a space is missing after `:`'],
  [/^Comments must be separated/, 'a space is missing before `#`'],
  [/^Tabs are not allowed/, 'a tab cannot indent a line: use spaces'],
  [/^Nested mappings/, `a text that contains \`: \` needs quotes; or the line below is indented too far`],
  [/^Plain value cannot start with .*?(\S)(?: at line|$)/, (sign) => `a text cannot begin with ${sign}: ${quoteIt}`],
  [/^Invalid escape sequence (\S+)/, (written) => `${written} means nothing in double quotes: use single quotes`],
  [/^Map keys must be unique/, 'this key occurs twice'],
  [/multiple documents/, 'there is more than one document'],
  [/^(?:Alias|Anchor) /, `a text cannot begin with \`*\` or \`&\`: ${quoteIt}`],
  [/^Unresolved tag: (\S+)/, (tag) => `there is no tag ${tag}: ${quoteIt} if it is a text`],
  [/^Unexpected flow-map-start at node end/, `a text that contains \`{\` needs quotes`],
  [/^Unexpected flow-seq-start at node end/, `a text that contains \`[\` needs quotes`],
  [/^Unexpected scalar at node end/, `a value ends before this text: put the whole value in quotes`],
  [/^All \w+ items must start/, 'the indentation differs from the lines above'],
  [/^Unexpected (?:flow-\w+-end.*?)?(,|\]|\})/, (sign) => `there is one ${sign} too many`],
];

const unclear = 'this is not valid YAML here';

/** Like yamlWords, and names a key that occurs twice. @param lines of the text of the document */
export function documentWords(error: YAMLError, document: Document.Parsed, lines: LineCounter): string {
  return (error.code === 'DUPLICATE_KEY' && wordsOfRepeated(error.pos[0], document, lines)) || yamlWords(error);
}

/** Says that a key occurs twice in a mapping. @param firstLine where it occurs first */
export function repeatedKey(name: string, firstLine: number): string {
  return `\`${name}\` occurs twice, first on line ${firstLine}: merge the two`;
}

function wordsOfRepeated(offset: number, document: Document.Parsed, lines: LineCounter): string | undefined {
  const { isScalar, visit } = yaml();
  let words: string | undefined;
  visit(document, {
    Map(_, { items }) {
      const keys = items.flatMap(({ key }) => (isScalar(key) ? [key] : []));
      const repeated = keys.find(({ range }) => range?.[0] === offset);
      const first = keys.find(({ value }) => value === repeated?.value);
      if (!repeated || !first?.range) return undefined;
      words = repeatedKey(String(repeated.value), lines.linePos(first.range[0]).line);
      return visit.BREAK;
    },
  });
  return words;
}

export function yamlWords({ code, message }: Pick<YAMLError, 'code' | 'message'>): string {
  for (const [says, words] of known) {
    const match = says.exec(message);
    if (match) return typeof words === 'string' ? words : words(match[1] ?? '');
  }
  return code === 'BAD_INDENT' ? 'the indentation is wrong here' : unclear;
}

/**
 * Leaves out errors that only follow from others. At each place, only the first error stays. An error without words of
 * its own, or about a text after the end of a value, stays only if it comes first in the text.
 */
export function ownErrors<E extends Pick<YAMLError, 'code' | 'message' | 'pos'>>(errors: readonly E[]): E[] {
  const first = errors.filter(({ pos: [at] }, index) => errors.findIndex(({ pos }) => pos[0] === at) === index);
  const start = Math.min(...first.map(({ pos: [at] }) => at));
  return first.filter(
    (error) => error.pos[0] === start || !(yamlWords(error) === unclear || error.message.endsWith(' at node end')),
  );
}
