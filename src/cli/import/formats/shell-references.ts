// Replaces what another scheduler would have pasted into a shell script, such as `${option.name}`, by variables of the
// shell. Their values are then data, whatever they contain.

import { type Quoting, quotingOf } from '../../init/shell-quotes.ts';

/**
 * The variable that replaces a reference, or the reason why no variable can. `isSplit`: the shell splits the value into
 * words.
 */
export type Replacement = { readonly variable: string; readonly isSplit?: boolean } | { readonly problem: string };

/** @param replacementOf returns undefined if the match stays as it is */
export function replaceReferences(
  script: string,
  pattern: RegExp,
  replacementOf: (match: RegExpExecArray) => Replacement | undefined,
): { readonly text: string; readonly problems: readonly string[] } {
  const quoting = quotingOf(script);
  const problems = new Set<string>();
  let text = '';
  let at = 0;
  for (const match of script.matchAll(pattern)) {
    const how = quoting[match.index] ?? 'plain';
    const by = how === 'comment' ? undefined : replacementOf(match);
    if (by === undefined) continue;
    if ('problem' in by) {
      problems.add(by.problem);
      continue;
    }
    const expansion = `\${${by.variable}}`;
    const inner = how === 'backtick' ? insideBackticks(script, match.index, quoting) : how;
    if (inner === 'here-document' && !expandsHere(script, match.index, quoting))
      problems.add(`\`${match[0]}\` is inside a here-document that expands nothing: read ${by.variable} there`);
    const isBare = by.isSplit || inner === 'bare' || inner === 'double' || inner === 'here-document';
    text +=
      script.slice(at, match.index) + (inner === 'single' ? `'"${expansion}"'` : isBare ? expansion : `"${expansion}"`);
    at = match.index + match[0].length;
  }
  return { text: text + script.slice(at), problems: [...problems] };
}

/** How a character is quoted inside of backticks. `bare`: it is not quoted, and the backticks are in double quotes. */
function insideBackticks(script: string, at: number, quoting: readonly Quoting[]): Quoting | 'bare' {
  const from = startOf('backtick', at, quoting);
  const inner = quotingOf(script.slice(from, at + 1)).at(-1) ?? 'plain';
  return inner === 'plain' && quoting[from - 1] === 'double' ? 'bare' : inner;
}

/**
 * Whether the shell expands variables in this here-document. It does not after `<<'EOF'`. False also if several
 * here-documents begin in one line.
 */
function expandsHere(script: string, at: number, quoting: readonly Quoting[]): boolean {
  const [line = ''] = script
    .slice(0, startOf('here-document', at, quoting) - 1)
    .split('\n')
    .slice(-1);
  const opened = [...line.matchAll(/<<-?\s*(["'\\]?)[\w.-]/g)];
  return opened.length === 1 && opened[0]?.[1] === '';
}

function startOf(how: Quoting, at: number, quoting: readonly Quoting[]): number {
  let from = at;
  while (from > 0 && quoting[from - 1] === how) from -= 1;
  return from;
}
