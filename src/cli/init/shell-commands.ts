// Splits the text of a shell script into its commands, without running it. Text that it does not understand becomes a
// command without a known meaning.

type Redirect = {
  readonly isWrite: boolean;
  readonly word: string;
  /** The number before the redirection, such as `9` in `9> lock`; empty if there is no number. */
  readonly descriptor: string;
};

export type ShellCommand = {
  /** The words as in the script, with their quotes. */
  readonly words: readonly string[];
  readonly redirects: readonly Redirect[];
  readonly line: number;
  /** The command is inside of `$(…)`, so its effects on the shell, such as `cd`, end there. */
  readonly isNested: boolean;
};

type Token = {
  readonly kind: 'word' | 'end' | 'write' | 'read' | 'ignore';
  readonly text: string;
  readonly line: number;
};

/**
 * Returns the commands of a substitution before the command that contains it.
 * @param text without comments and here-documents
 */
export function commandsOf(text: string, firstLine = 1, depth = 0): ShellCommand[] {
  if (depth > 8) return [];
  const commands: ShellCommand[] = [];
  let words: string[] = [];
  let redirects: Redirect[] = [];
  let line = firstLine;
  let redirect: Token | undefined;
  for (const token of [
    ...withoutPatterns(tokensOf(text, firstLine)),
    { kind: 'end' as const, text: '', line: firstLine },
  ]) {
    if (token.kind === 'end') {
      if (words.length + redirects.length > 0) commands.push({ words, redirects, line, isNested: depth > 0 });
      [words, redirects, redirect] = [[], [], undefined];
    } else if (token.kind === 'word') {
      for (const inner of substitutionsOf(token.text)) commands.push(...commandsOf(inner, token.line, depth + 1));
      if (words.length + redirects.length === 0) line = token.line;
      if (redirect === undefined) words.push(token.text);
      else if (redirect.kind !== 'ignore' && !/^(?:\d+-?|-)$/.test(token.text)) {
        const descriptor = /^\d*/.exec(redirect.text)?.[0] ?? '';
        redirects.push({ isWrite: redirect.kind === 'write', word: token.text, descriptor });
      }
      redirect = undefined;
    } else redirect = token;
  }
  return commands;
}

/**
 * Removes the patterns of `case`. They end with a bracket that nothing opened. For example, `curl | wget)` calls no
 * program.
 */
function withoutPatterns(tokens: readonly Token[]): Token[] {
  const kept: Token[] = [];
  let opened = 0;
  for (const token of tokens) {
    if (token.kind === 'end' && /[(<>]/.test(token.text)) opened += 1;
    if (token.kind === 'end' && token.text === ')') {
      if (opened > 0) opened -= 1;
      else kept.length = kept.findLastIndex(({ kind, text }) => (kind === 'end' ? /[\n;]/ : /^in$/).test(text)) + 1;
    }
    kept.push(token);
  }
  return kept;
}

const redirection = /(?:\d+|&)?(<<<|<<-?|<&|<>|<(?!\()|>>|>\||>&|>(?!\())/y;

function tokensOf(text: string, firstLine: number): Token[] {
  const tokens: Token[] = [];
  let line = firstLine;
  let at = 0;
  while (at < text.length) {
    const character = text[at] ?? '';
    redirection.lastIndex = at;
    const [whole, operator = ''] = redirection.exec(text) ?? [];
    if (text.startsWith('\\\n', at)) {
      line += 1;
      at += 2;
    } else if (whole !== undefined) {
      tokens.push({ kind: kindOf(operator), text: whole, line });
      at += whole.length;
    } else if (/[\n;&|()<>]/.test(character)) {
      tokens.push({ kind: 'end', text: character, line });
      // The items of `paths=(/srv/a /srv/b)` are the operands of a command that does nothing.
      if (character === '(' && text[at - 1] === '=') tokens.push({ kind: 'word', text: ':', line });
      if (character === '\n') line += 1;
      at += 1;
    } else if (/\s/.test(character)) at += 1;
    else if (character === '#') at = endOfLine(text, at);
    else {
      const end = endOfWord(text, at);
      const word = text.slice(at, end);
      tokens.push({ kind: 'word', text: word, line });
      line += word.split('\n').length - 1;
      at = end;
    }
  }
  return tokens;
}

function kindOf(operator: string): Token['kind'] {
  if (operator.startsWith('<<') || operator === '<&') return 'ignore';
  return operator === '<' ? 'read' : 'write';
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}

function endOfWord(text: string, from: number): number {
  let at = from;
  while (at < text.length && !/[\s;&|()<>]/.test(text[at] ?? '')) at = endOfPart(text, at);
  return at;
}

const mostDepth = 50;

/** Finds where a quoted part, an expansion or a single character ends. */
function endOfPart(text: string, at: number, depth = 0): number {
  const character = text[at];
  if (character === '\\') return at + 2;
  if (character === "'" || character === '`') {
    const end = text.indexOf(character, at + 1);
    return end < 0 ? text.length : end + 1;
  }
  if (depth > mostDepth) return at + 1;
  if (character === '"') return endOfDouble(text, at, depth + 1);
  if (character !== '$') return at + 1;
  const next = text[at + 1] ?? '';
  if (next === '(') return endOfBrackets(text, at + 1, { open: '(', close: ')', depth });
  if (next === '{') return endOfBrackets(text, at + 1, { open: '{', close: '}', depth });
  return at + 1 + (/^(?:[A-Za-z_]\w*|[\d@*#?$!-])/.exec(text.slice(at + 1, at + 200))?.[0].length ?? 0);
}

function endOfDouble(text: string, from: number, depth: number): number {
  let at = from + 1;
  while (at < text.length && text[at] !== '"') at = text[at] === "'" ? at + 1 : endOfPart(text, at, depth);
  return at + 1;
}

function endOfBrackets(
  text: string,
  from: number,
  { open, close, depth }: { readonly open: string; readonly close: string; readonly depth: number },
): number {
  let opened = 0;
  let at = from;
  while (at < text.length) {
    if (text[at] === open) opened += 1;
    if (text[at] === close) opened -= 1;
    if (opened === 0) return at + 1;
    at = text[at] === open ? at + 1 : endOfPart(text, at, depth + 1);
  }
  return text.length;
}

/** The commands inside of `$(…)` and backticks, also where they are quoted. */
function substitutionsOf(word: string): string[] {
  const found: string[] = [];
  let isDouble = false;
  for (let at = 0; at < word.length; ) {
    const end = word[at] === '"' || (isDouble && word[at] === "'") ? at + 1 : endOfPart(word, at);
    if (word[at] === '"') isDouble = !isDouble;
    if (word.startsWith('$(', at) && !word.startsWith('$((', at)) found.push(word.slice(at + 2, end - 1));
    if (word[at] === '`') found.push(word.slice(at + 1, end - 1));
    at = end;
  }
  return found;
}

type Known = {
  readonly textOf: (name: string) => string;
  readonly home: string;
  readonly script: string;
  readonly unknown: string;
};

/**
 * Returns the text that a shell would make of a word. Marks replace the parts that are known only at run time
 * (`place.ts`).
 */
export function expand(word: string, o: Known): string {
  let text = '';
  let isDouble = false;
  for (let at = 0; at < word.length; ) {
    const character = word[at] ?? '';
    const isQuote = character === '"' || (isDouble && character === "'");
    const end = isQuote ? at + 1 : endOfPart(word, at);
    const part = word.slice(at, end);
    if (character === '"') isDouble = !isDouble;
    else if (character === "'" && !isDouble) text += part.slice(1, -1);
    else if (character === '\\') text += part.slice(1);
    else if (character === '$' && part.length > 1) text += expansion(part, o);
    else if (character === '`') text += o.unknown;
    else if (!isDouble && /[*?[{]/.test(character)) text += o.unknown;
    else if (character === '~' && at === 0 && !isDouble && /^~(?:\/|$)/.test(word)) text += o.home;
    else text += part;
    at = end;
  }
  return text;
}

function expansion(part: string, o: Known): string {
  if (isScriptFolder(part)) return o.script;
  const [, plain] = /^\$\{?(\w+|[@*])\}?$/.exec(part) ?? [];
  if (plain !== undefined) return o.textOf(plain);
  const [, name = '', mark = '', preset = ''] = /^\$\{(\w+)(:?[-=?]|%%?|)([\s\S]*)\}$/.exec(part) ?? [];
  if (name === '' || mark === '') return o.unknown;
  const value = o.textOf(name);
  return /[-=]$/.test(mark) && value === o.unknown ? expand(preset, o) : value;
}

/** `$(dirname "$0")`, `$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)`, `${0%/*}` */
function isScriptFolder(part: string): boolean {
  if (/^\$\{(?:0|BASH_SOURCE(?:\[0\])?)%\/\*\}$/.test(part)) return true;
  return /^\$\([\s\S]*\bdirname\b[^;|]*(?:\$0|\$\{0\}|BASH_SOURCE)/.test(part) && !/\/\.\.|basename/.test(part);
}
