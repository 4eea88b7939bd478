// Reads a command line with the table of commands: finds the command and its options. Refuses a word that does not fit,
// and suggests a similar word that does.

import { parseArgs } from 'node:util';
import { nearest } from '../lib/nearest.ts';
import { shellWord } from '../lib/shell-word.ts';
import { type Command, dataDir, instance, type Option, type Options, printing } from './command.ts';
import { commands } from './commands.ts';
import { Refusal } from './exit-code.ts';
import { ownName } from './own-name.ts';

export type Call = {
  readonly command: Command;
  readonly options: Options;
  readonly operands: readonly string[];
  /** The words after the job's name, which are the job's own. Only commands with `argumentsOf` have them. */
  readonly argumentWords: readonly string[];
  /**
   * The names, without dashes, of flwd's own options that come after the job's name. They could also be meant for the
   * job.
   */
  readonly optionsAfterJob: readonly string[];
  /** True if the first word is not a command. Then it is a job or a typo. */
  readonly isImplicit: boolean;
  /** All words of the command line, if they could also mean a job and its arguments. */
  readonly jobWords?: readonly string[];
};

/** Finds the command that the words begin with. If they begin with a job, the command is `run`. */
type Found = { readonly command: Command; readonly rest: readonly string[]; readonly isImplicit: boolean };

const helpWords = ['--help', '-h'];

/** @throws Refusal */
export function readCommandLine(given: readonly string[]): Call {
  const { leading, words } = splitAtCommand(given);
  const [first = ''] = words;
  if (helpWords.includes(first)) return helpOn(words.slice(1));
  if (['--version', '-V'].includes(first)) return readCommandLine(['version', ...leading, ...words.slice(1)]);
  if (helpWords.includes(words[1] ?? '') && groupOf(first).length > 0) return helpOn([first]);
  const found = findCommand(words);
  const { command, rest: after, isImplicit } = found;
  const mayBeJob = command.isLikelyNamespace && !first.startsWith(':') && /^[^-./:]/.test(after[0] ?? '');
  const rest = [...leading, ...after];
  const isForHelp = (word: string): boolean => helpWords.includes(word);
  if (!after.slice(0, endOfOptions(after)).some(isForHelp)) {
    const read = readWords(command.isLikelyNamespace ? { ...command, argumentsOf: 'job' } : command, rest);
    return { command, isImplicit, ...read, ...(mayBeJob && { jobWords: [...leading, ...words] }) };
  }
  if (mayBeJob) return helpOn([first, after[0] ?? '']);
  if (command.argumentsOf !== 'job') return helpOn(command.name.split(' '));
  const { options, operands } = readWords(
    command,
    rest.filter((word) => !isForHelp(word)),
  );
  return { ...helpOn([...(isImplicit ? [] : command.name.split(' ')), ...operands]), options };
}

function helpOn(operands: readonly string[]): Call {
  const { command } = findCommand(['help']);
  return { command, options: new Map(), operands, argumentWords: [], optionsAfterJob: [], isImplicit: false };
}

function endOfOptions(words: readonly string[]): number {
  const at = words.indexOf('--');
  return at === -1 ? words.length : at;
}

/** `flwd --remote prod runs` is `flwd runs --remote prod`: options that most commands share may come first. */
function splitAtCommand(words: readonly string[]): {
  readonly leading: readonly string[];
  readonly words: readonly string[];
} {
  let at = 0;
  while (words[at]?.startsWith('-')) {
    const [written = ''] = words[at]?.split('=', 1) ?? [];
    const option = [...instance, ...printing].find((option) => isWrittenAs(option, written));
    if (!option) break;
    at += option.value && !words[at]?.includes('=') ? 2 : 1;
  }
  return { leading: words.slice(0, at), words: words.slice(at) };
}

function isWrittenAs({ name, short }: Option, written: string): boolean {
  return written === `--${name}` || (short !== undefined && written === `-${short}`);
}

/** Finds the command that the words begin with. `:serve` means `serve`. */
export function findCommand(words: readonly string[]): Found {
  const spoken = words.map((word, at) => (at === 0 ? word.replace(/^:/, '') : word));
  // The longest names are tried first, so that `audit verify` is not read as `audit` with an extra word.
  const command = byLength.find(({ name }) => name.split(' ').every((word, at) => word === spoken[at]));
  if (command) {
    const rest = words.slice(command.name.split(' ').length);
    const [next = ''] = rest;
    const instead = Object.entries(command.instead ?? {}).find(([word]) => word === next)?.[1];
    if (instead !== undefined) throw new Refusal(`there is no command \`${command.name} ${next}\`: ${instead}`);
    return { command, rest, isImplicit: false };
  }

  const [first = '', second = ''] = spoken;
  if (first === '')
    throw new Refusal(`which command? ${ownName} --help lists them, and ${ownName} --version prints the version`);
  if (first.startsWith('-'))
    throw new Refusal(`${first}: options come after the command, as in ${ownName} COMMAND ${first}`);
  const within = groupOf(first).map(({ name }) => name.slice(first.length + 1));
  if (within.length === 0) {
    if (first === words[0]) return { command: findCommand(['run']).command, rest: words, isImplicit: true };
    throw new Refusal(`unknown command \`${first}\`${hint(first, verbs) ?? `; see ${ownName} --help`}`);
  }
  if (second === '' || second.startsWith('-')) {
    // Without a second word, the command is `list`: `flwd tokens` means `flwd tokens list`.
    if (within.includes('list')) return findCommand([first, 'list', ...words.slice(1)]);
    throw new Refusal(`${ownName} ${first} needs a command: ${oneOf(within)}`);
  }
  if (first === 'secrets' && ['get', 'show'].includes(second))
    throw new Refusal(
      `there is no command \`secrets ${second}\`: flwd gives a stored secret to jobs, and never shows it`,
    );
  const which = hint(second, within) ?? `; ${ownName} ${first} takes ${oneOf(within)}`;
  throw new Refusal(`unknown command \`${first} ${second}\`${which}`);
}

function oneOf(words: readonly string[]): string {
  return [words.slice(0, -1).join(', '), words.at(-1)].join(' or ');
}

/** Returns the commands that begin with this word, if the word alone is not a command. */
export function groupOf(word: string): readonly Command[] {
  if (commands.some(({ name }) => name === word)) return [];
  return commands.filter(({ name }) => name.startsWith(`${word} `));
}

const byLength: readonly Command[] = commands.toSorted((a, b) => b.name.split(' ').length - a.name.split(' ').length);
export const verbs: readonly string[] = [...new Set(commands.map(({ name }) => name.split(' ')[0] ?? ''))];

/**
 * If the command takes arguments of a job, all words except flwd's own options are about the job: first the name of the
 * job or of its run, then the arguments. After `--`, every word is an argument. Before `--`, an argument with the name
 * of a flwd option is written in full: `--args.json`.
 */
function readWords(command: Command, words: readonly string[]): Omit<Call, 'command' | 'isImplicit'> {
  const { tokens } = parseArgs({
    args: [...words],
    options: Object.fromEntries(
      command.options.map(({ name, short, value }) => [
        name,
        { type: value ? ('string' as const) : ('boolean' as const), ...(short && { short }) },
      ]),
    ),
    strict: false,
    tokens: true,
  });
  const options = new Map<string, string[]>();
  const operands: string[] = [];
  const argumentWords: string[] = [];
  const optionsAfterJob: string[] = [];
  let areAllTheJobs = false;
  let taken = -1;
  for (const token of tokens) {
    // The parser reads `-50` as two options of one letter each, but the whole word is already taken.
    if (token.index === taken) continue;
    if (token.kind === 'positional' && argumentWords.length === 0 && !areAllTheJobs) operands.push(token.value);
    else if (token.kind === 'option' && (!command.argumentsOf || isKnown(command, token.name))) {
      const given = options.get(token.name) ?? [];
      const option = knownOption(command, token.name, token.rawName);
      options.set(option.name, [...given, optionValue(option, given, token)]);
      if (command.argumentsOf && operands.length > 0 && token.rawName.startsWith('--'))
        optionsAfterJob.push(token.name);
    } else if (token.kind === 'option-terminator') {
      areAllTheJobs = command.argumentsOf !== undefined && operands.length > 0;
    } else {
      taken = token.index;
      argumentWords.push(words[token.index] ?? '');
    }
  }
  const [extra] = operands;
  if (extra !== undefined && !command.operands)
    throw new Refusal(
      `unexpected word \`${extra}\`: ${ownName} ${command.name} takes no operands${withOption(command, extra)}`,
    );
  return { options, operands, argumentWords, optionsAfterJob };
}

function isKnown(command: Command, name: string): boolean {
  return command.options.some((option) => option.name === name);
}

function knownOption(command: Command, name: string, written: string): Option {
  const option = command.options.find((option) => option.name === name);
  if (option) return option;
  throw unknownOption(command, written);
}

/**
 * Returns the end of an error message, which suggests the option to which the word probably belongs. Returns an empty
 * string if the command has no such option.
 */
function withOption(command: Command, word: string): string {
  const { name } = command;
  const [isAddress, host = '127.0.0.1', port] = /^(?:([\w.-]+)?:)?(\d{1,5})$/.exec(word) ?? [];
  if (name === 'serve' && isAddress) return `; did you mean ${ownName} serve --bind ${host}:${port}?`;
  const ofOne = new Map([
    ['schedules pause', 'hold'],
    ['schedules resume', 'release'],
  ]).get(name);
  if (ofOne !== undefined) return `; did you mean ${ownName} schedules ${ofOne} ${shellWord(word)}?`;
  const isFile = /\.ya?ml$/.test(word) || name === 'config validate' || (name === 'config show' && word.includes('/'));
  const isRun = word.startsWith('run_');
  const option = [...(isFile ? ['config'] : []), ...(isRun ? ['run'] : []), name === 'serve' ? 'jobs' : 'job'].find(
    (one) => isKnown(command, one),
  );
  return option === undefined ? '' : `; did you mean ${ownName} ${name} --${option} ${shellWord(word)}?`;
}

/** Options that people know from other programs. */
const otherOptions: ReadonlyMap<string, string> = new Map([
  ['runs --failed', 'runs --status failed'],
  ['runs --last', 'runs --limit N'],
  ['runs -n', 'runs --limit N'],
  ['runs -a', 'runs, which lists runs in every state'],
  ['runs --all', 'runs --limit N to list more than 20 runs'],
  ['runs --watch', `logs --all --follow, or ${ownName} tui`],
  ['logs -n', 'logs RUN --tail N'],
  ['logs --job', 'logs JOB for the last run of the job'],
  ['serve -p', 'serve --bind 127.0.0.1:8080'],
  ['serve -d', 'serve; docs/install.md says how to make it a service'],
  ['serve --daemon', 'serve; docs/install.md says how to make it a service'],
  ['backfill --to', 'backfill JOB --from TIME --until TIME'],
]);

/** Options of flwd, and what other programs call them. */
const optionsLike: readonly (readonly [string, readonly string[]])[] = [
  ['json', ['-o', '--output', '--format']],
  ['tail', ['-n', '--lines', '--last']],
  ['limit', ['-n', '--lines', '--last']],
];

export function unknownOption(command: Command, written: string): Refusal {
  const names = command.options.map((option) => `--${option.name}`);
  if (written === `--${dataDir.name}`)
    return new Refusal(`flwd ${command.name} takes no ${written}: it does not work on an instance`);
  if (command.name === 'serve' && ['--port', '--host'].includes(written))
    return new Refusal(`unknown option ${written}; write ${ownName} serve --bind 127.0.0.1:8080`);
  const instead = otherOptions.get(`${command.name} ${written}`);
  if (instead !== undefined) return new Refusal(`unknown option ${written}; write ${ownName} ${instead}`);
  const like = optionsLike.find(([name, others]) => isKnown(command, name) && others.includes(written));
  if (like !== undefined) return new Refusal(`unknown option ${written}; did you mean \`--${like[0]}\`?`);
  const operand = command.operands?.match(/[A-Z]+/g)?.find((one) => written === `--${one.toLowerCase()}`);
  if (operand !== undefined)
    return new Refusal(
      `unknown option ${written}; write the ${operand} without it: ${ownName} ${command.name} ${command.operands}`,
    );
  return new Refusal(`unknown option ${written}${hint(written, names) ?? `; see ${ownName} ${command.name} --help`}`);
}

function optionValue(
  option: Option,
  given: readonly string[],
  token: { readonly value: string | undefined; readonly inlineValue: boolean | undefined },
): string {
  const written = `--${option.name}`;
  if (given.length > 0 && !option.isRepeatable) throw new Refusal(`${written} is given twice`);
  if (!option.value) {
    if (token.value !== undefined) throw new Refusal(`${written} takes no value`);
    return '';
  }
  // A word that begins with `-` may still be a value: `-` means standard input, and numbers may be negative.
  const isAnotherOption = token.inlineValue === false && /^-(?=.)(?!\d)/.test(token.value ?? '');
  if (!token.value || isAnotherOption) throw new Refusal(`${written} needs a value: ${written} ${option.value}`);
  return token.value;
}

/** Returns the end of an error message about an unknown word, if a known word is similar. */
export function hint(word: string, known: readonly string[]): string | undefined {
  const near = nearest(word, known);
  return near && `; did you mean \`${near}\`?`;
}
