// Replaces what another scheduler would have pasted into a shell script, such as `${option.name}`, by variables of the
// shell. Their values are then data, whatever they contain.

import { quotingOf } from '../shell-quotes.ts';

/** What stands for a reference: a variable, which may be split into words, or why nothing can. */
export type Replacement = { readonly variable: string; readonly isSplit?: boolean } | { readonly problem: string };

/** @param of what to do about a match; undefined leaves it as it is */
export function replaceReferences(
  script: string,
  pattern: RegExp,
  of: (match: RegExpExecArray) => Replacement | undefined,
): { readonly text: string } | { readonly problem: string } {
  const quoting = quotingOf(script);
  let text = '';
  let at = 0;
  for (const match of script.matchAll(pattern)) {
    const how = quoting[match.index] ?? 'plain';
    const by = how === 'comment' ? undefined : of(match);
    if (by === undefined) continue;
    if ('problem' in by) return by;
    const expansion = `\${${by.variable}}`;
    if (how === 'here-document' || how === 'backtick')
      return {
        problem: `\`${match[0]}\` is inside ${how === 'backtick' ? 'backticks' : 'a here-document'}: use the variable ${by.variable} there`,
      };
    const inPlain = by.isSplit ? expansion : `"${expansion}"`;
    text +=
      script.slice(at, match.index) + (how === 'single' ? `'"${expansion}"'` : how === 'double' ? expansion : inPlain);
    at = match.index + match[0].length;
  }
  return { text: text + script.slice(at) };
}
