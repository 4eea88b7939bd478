// Reads a command line by the table of commands: which command, with which options. What does not fit is refused with
// the nearest thing that would.

import { parseArgs } from 'node:util';
import { nearest } from '../lib/nearest.ts';
import { type Command, commands, type Option, type Options } from './commands.ts';
import { Refusal } from './exit-code.ts';

export type Call = { readonly command: Command; readonly options: Options; readonly operands: readonly string[] };

/** @throws Refusal */
export function readCommandLine(words: readonly string[]): Call {
  const [first = ''] = words;
  if (['--help', '-h'].includes(first)) return { command: named('help'), options: new Map(), operands: words.slice(1) };
  if (['--version', '-V'].includes(first)) return readCommandLine(['version', ...words.slice(1)]);
  if (['--help', '-h'].includes(words[1] ?? '') && groupOf(first).length > 0) {
    return { command: named('help'), options: new Map(), operands: [first] };
  }
  const { command, rest } = findCommand(words);
  if (rest.some((word) => word === '--help' || word === '-h')) {
    return { command: named('help'), options: new Map(), operands: command.name.split(' ') };
  }
  return { command, ...readOptions(command, rest) };
}

/** The command that the words begin with; `:serve` is `serve`. */
export function findCommand(words: readonly string[]): { command: Command; rest: readonly string[] } {
  const spoken = words.map((word, at) => (at === 0 ? word.replace(/^:/, '') : word));
  // `audit verify` is no `audit` with a word too many.
  const command = byLength.find(({ name }) => name.split(' ').every((word, at) => word === spoken[at]));
  if (command) return { command, rest: words.slice(command.name.split(' ').length) };

  const [first = '', second = ''] = spoken;
  if (first === '') throw new Refusal('which command? See flwd --help');
  if (first.startsWith('-')) throw new Refusal(`${first}: options come after the command, as in flwd serve ${first} …`);
  const within = groupOf(first).map(({ name }) => name.slice(first.length + 1));
  if (within.length === 0) {
    const verbs = [...new Set(commands.map(({ name }) => name.split(' ')[0] ?? ''))];
    throw new Refusal(`unknown command \`${first}\`${hint(first, verbs) ?? '; see flwd --help'}`);
  }
  if (second === '' || second.startsWith('-')) throw new Refusal(`flwd ${first} ${within.join(' or ')}?`);
  throw new Refusal(
    `unknown command \`${first} ${second}\`${hint(second, within) ?? `; flwd ${first} ${within.join(' or ')}?`}`,
  );
}

/** The commands of which the word is the first of two, where it is none itself. */
export function groupOf(word: string): readonly Command[] {
  if (commands.some(({ name }) => name === word)) return [];
  return commands.filter(({ name }) => name.startsWith(`${word} `));
}

const byLength = commands.toSorted((a, b) => b.name.split(' ').length - a.name.split(' ').length);

function readOptions(command: Command, words: readonly string[]): Omit<Call, 'command'> {
  const { tokens } = parseArgs({
    args: [...words],
    options: Object.fromEntries(
      command.options.map(({ name, value }) => [name, { type: value ? 'string' : 'boolean' }]),
    ),
    strict: false,
    tokens: true,
  });
  const options = new Map<string, string[]>();
  const operands: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(token.value);
    if (token.kind !== 'option') continue;
    const given = options.get(token.name) ?? [];
    const option = knownOption(command, token.name, token.rawName);
    options.set(option.name, [...given, optionValue(option, given, token)]);
  }
  const [extra] = operands;
  if (extra !== undefined && !command.operands)
    throw new Refusal(`\`${extra}\` is one word too many for flwd ${command.name}`);
  return { options, operands };
}

function knownOption(command: Command, name: string, written: string): Option {
  const option = command.options.find((option) => option.name === name);
  if (option) return option;
  const names = command.options.map((option) => `--${option.name}`);
  throw new Refusal(`unknown option ${written}${hint(written, names) ?? `; see flwd ${command.name} --help`}`);
}

function optionValue(
  option: Option,
  given: readonly string[],
  token: { readonly value: string | undefined; readonly inlineValue: boolean | undefined },
): string {
  const written = `--${option.name}`;
  if (given.length > 0 && !option.isRepeatable) throw new Refusal(`${written} is there twice`);
  if (!option.value) {
    if (token.value !== undefined) throw new Refusal(`${written} takes no value`);
    return '';
  }
  const isAnotherOption = token.inlineValue === false && token.value?.startsWith('-');
  if (!token.value || isAnotherOption) throw new Refusal(`${written} needs a value: ${written} ${option.value}`);
  return token.value;
}

function named(name: string): Command {
  return findCommand([name]).command;
}

function hint(word: string, known: readonly string[]): string | undefined {
  const near = nearest(word, known);
  return near && `; did you mean \`${near}\`?`;
}
