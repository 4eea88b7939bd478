// Writes a command that the user can type next. It is for the same instance and quoted for a shell. If the user typed
// `npx flwd`, the command begins with `npx`, too.

import { shellWord } from '../../lib/shell-word.ts';
import { instance, type Options } from '../command.ts';
import { findCommand } from '../command-line.ts';
import { ownName } from '../own-name.ts';

/**
 * `flwd runs run_01… --data-dir ./data`. For a job, flwd's options come first, because options after its name may be
 * the job's (ADR 0035): `flwd --data-dir ./data report --month 7`.
 * @param words without `flwd`; words that begin with `--` come after the command
 */
export function commandText(options: Options, ...words: readonly string[]): string {
  const { command } = findCommand(words);
  const given = instance
    .filter((option) => command.options.some(({ name }) => name === option.name))
    .flatMap(({ name }) => (options.get(name) ?? []).flatMap((value) => written(name, value)));
  const after = command.argumentsOf ? [...given, ...words] : [...words, ...given];
  return [ownName, ...after.map(shellWord)].join(' ');
}

function written(name: string, value: string): string[] {
  return value.startsWith('-') ? [`--${name}=${value}`] : [`--${name}`, value];
}
