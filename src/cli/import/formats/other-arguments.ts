// Turns the options of a job in another scheduler into arguments, and sets the variables in which its program expects
// them.

import { shellWord } from '../../../lib/shell-word.ts';
import { argumentName } from '../../init/script-arguments.ts';
import type { FoundArgument } from '../found-job.ts';

export type NamedArgument = {
  /** The name of the option in the other scheduler. */
  readonly written: string;
  /** The variable in which the program finds its value. */
  readonly variable: string;
  readonly argument: FoundArgument;
  /** The value is several words, separated by blanks. */
  readonly isWords?: boolean;
};

/** Returns a name that no other argument has. */
export function freeName(written: string, taken: Iterable<string>): string {
  const others = new Set(taken);
  const wanted = argumentName(written);
  let name = wanted;
  for (let n = 2; others.has(name); n++) name = `${wanted}_${n}`;
  return name;
}

/**
 * Shell lines that copy each argument to the variable that the program expects. A secret is in that variable already.
 */
export function variableLines(all: readonly NamedArgument[]): string[] {
  return all
    .filter(({ argument }) => argument.secretVariable === undefined)
    .map(({ variable, argument }) => `${variable}=$FLWD_ARG_${argument.name.toUpperCase()}; export ${variable}`);
}

/** Makes names unique: a second `deploy` becomes `deploy 2`. */
export function withoutDoubles(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((wanted) => {
    let name = wanted;
    for (let n = 2; taken.has(name); n++) name = `${wanted} ${n}`;
    taken.add(name);
    return name;
  });
}

/** A word of text and variables, as a shell word that is never split. */
export function wordOf(parts: readonly (string | { readonly variable: string })[]): string {
  const written = parts.map((part) =>
    typeof part !== 'string' ? `"\${${part.variable}}"` : part === '' ? '' : shellWord(part),
  );
  return written.join('') || "''";
}

/** Splits at white space; quotes group. */
export function wordsIn(text: string): string[] {
  return [...text.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+|["']/g)].map(([word]) =>
    word.replaceAll(/"([^"]*)"|'([^']*)'/g, (_, double?: string, single?: string) => double ?? single ?? ''),
  );
}
