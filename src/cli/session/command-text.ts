// A command as a person may type it next: for the same instance as this one, called as this one was, in words that a shell
// leaves as they are.

import { instance, type Options } from '../command.ts';
import { findCommand } from '../command-line.ts';

/**
 * `flwd runs run_01… --data-dir ./data`. Before the name of a job, since behind it an option may be the job's (ADR 0035):
 * `flwd --data-dir ./data report --month 7`. @param words without `flwd`; what begins with `--` comes after the command
 */
export function commandText(options: Options, ...words: readonly string[]): string {
  const { command } = findCommand(words);
  const given = instance
    .filter((option) => command.options.some(({ name }) => name === option.name))
    .flatMap(({ name }) => (options.get(name) ?? []).flatMap((value) => written(name, value)));
  const after = command.isJobCall ? [...given, ...words] : [...words, ...given];
  return [...(isCalledByNpx() ? ['npx'] : []), 'flwd', ...after].map(inShell).join(' ');
}

function written(name: string, value: string): string[] {
  return value.startsWith('-') ? [`--${name}=${value}`] : [`--${name}`, value];
}

/** `npx flwd`, and not a flwd that some other program does which npx has started. */
function isCalledByNpx(): boolean {
  const { npm_lifecycle_event: event, npm_lifecycle_script: script = '' } = process.env;
  return event === 'npx' && /^(["']?)flwd\1(?:\s|$)/.test(script);
}

function inShell(word: string): string {
  return /^[\w@%+=:,./…-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
