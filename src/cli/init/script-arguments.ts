// The arguments that a script seems to take. Each becomes an argument of the job, and records how to pass it to the
// script.

import { ownHome } from '../../lib/files/own-user.ts';
import { holdsPassword, isSecretName } from '../../lib/secret-name.ts';

export type ArgumentSchema = {
  type: 'string' | 'integer' | 'number' | 'boolean' | 'array';
  description?: string;
  format?: 'path' | 'secret';
  enum?: readonly (string | number)[];
  minimum?: number;
  maximum?: number;
  items?: { readonly type: 'string' | 'integer' | 'number' };
  minItems?: number;
  default?: string | number | boolean | readonly (string | number)[];
};

type Handing =
  | { readonly as: 'environment'; readonly variable: string }
  /** The argument is a line of standard input, in the order of the list. */
  | { readonly as: 'input' }
  /** The argument is a word without a name, in the order of the list. */
  | { readonly as: 'position' }
  /** The argument is all remaining words. */
  | { readonly as: 'rest' }
  /**
   * The argument is an option such as `--keep 7`, or joined, `--keep=7`. A list is passed once with all items, or once
   * for each item. The script takes `aliases` as well, such as `-k`.
   */
  | {
      readonly as: 'option';
      readonly flag: string;
      readonly aliases?: readonly string[];
      readonly isJoined: boolean;
      readonly isRepeated?: boolean;
    }
  /** The flag is passed for true, its negation for false. */
  | { readonly as: 'switch'; readonly flag?: string; readonly negation?: string };

export type ScriptArgument = {
  readonly name: string;
  /** The number of the line, counted from 1. */
  readonly line: number;
  readonly schema: ArgumentSchema;
  readonly isRequired: boolean;
  readonly handing: Handing;
  /** The variable in which the script keeps the argument, if the variable has another name. */
  readonly variable?: string | undefined;
  /** The script opens the argument as a file, before it does anything else. */
  readonly opens?: 'read' | 'write';
};

export type Guess = {
  readonly arguments: readonly ScriptArgument[];
  /** Things that may be arguments but cannot be understood from the text. Written as comments. */
  readonly doubts: readonly string[];
  /** Options that only print help or a version, with their lines. Written as a comment. */
  readonly passedOver: readonly string[];
};

/** Variables of the system or the shell, which are not arguments of a script. */
const commonVariables =
  /^(?:PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_.*|PWD|OLDPWD|SHELL|SHLVL|TERM|COLUMNS|LINES|TMPDIR|TMP|TEMP|HOSTNAME|HOSTTYPE|OSTYPE|MACHTYPE|UID|EUID|PPID|IFS|ENV|CI|EDITOR|PAGER|DISPLAY|NO_COLOR|BASH.*|FLWD_.*|OPT(?:ARG|IND|ERR)|RANDOM|S?RANDOM|SECONDS|EPOCH.*|LINENO|FUNCNAME|REPLY|PS\d|DIRSTACK|GROUPS|PIPESTATUS|XDG_.*|NODE_.*|PYTHON.*|LD_.*|MALLOC_.*|_)$/;

export function isOwnVariable(name: string): boolean {
  return !commonVariables.test(name);
}

/** The flag becomes a word of the wrapper script, so it must not contain characters that a shell interprets. */
export function isPlainFlag(flag: string): boolean {
  return /^--?[A-Za-z\d][\w-]*$/.test(flag);
}

/** The home of the user who types `flwd init`, as in `$HOME/backups`. The job may run with another home. */
export function userHome(): string {
  return ownHome();
}

/**
 * The literal default in a shell's `${NAME:-text}`; undefined if the default contains an expansion. `~` and `$HOME` at
 * its start become the user's home, because the home of a job is its workspace.
 */
export function shellDefault(written: string): string | undefined {
  const said = written.replaceAll(/^["']|["']$/g, '').replace(/^(?:~|\$HOME|\$\{HOME\})(?=\/|$)/, () => userHome());
  return /[$`]/.test(said) ? undefined : said;
}

/** `--dry-run` and `DRY_RUN` become `dry_run`: a valid name for an argument. */
export function argumentName(written: string): string {
  const name = written
    .replace(/^-+/, '')
    .replaceAll(/([a-z\d])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replaceAll(/[^a-z\d_]+/g, '_')
    .replaceAll(/^[_]+|_+$/g, '');
  if (name === '') return 'argument';
  return /^\d/.test(name) || name in Object.prototype ? `argument_${name}` : name;
}

const pathName = /(?:^|_)(?:dir|directory|folder|path|file|src|source|dst|dest|destination)$/;
/** Names of arguments that may or may not be a path. */
const mayBePath = /(?:^|_)(?:target|input|output|out|in)$/;

/**
 * Derives the type of an argument from its default in the script: `7` is an integer, `true` a boolean. A secret gets no
 * default, because everyone who sees the job would see it. `also` is another name that the script has for the argument.
 */
export function schemaOfText(name: string, text: string | undefined, also = name): ArgumentSchema {
  const isSwitch = text === 'true' || text === 'false';
  const isSecret = !isSwitch && (isSecretName(name) || isSecretName(also));
  if (isSecret || holdsPassword(text ?? '')) return { type: 'string', format: 'secret' };
  if (text !== undefined && /^(?:0|-?[1-9]\d{0,14})$/.test(text)) return { type: 'integer', default: Number(text) };
  if (isSwitch) return { type: 'boolean', default: text === 'true' };
  return {
    type: 'string',
    ...((pathName.test(name) || (mayBePath.test(name) && (text ?? '') === '') || /^(?:\/|~\/)./.test(text ?? '')) && {
      format: 'path' as const,
    }),
    ...(text !== undefined && text !== '' && { default: text }),
  };
}

/** Turns lists of secrets into doubts, because a job cannot have such an argument. */
export function toGuess(found: readonly ScriptArgument[], o: Omit<Guess, 'arguments'>): Guess {
  const isSecretList = ({ name, schema }: ScriptArgument): boolean =>
    schema.type === 'array' &&
    (isSecretName(name) || [schema.default ?? []].flat().some((item) => holdsPassword(`${item}`)));
  const lists = found.filter(isSecretList).map(({ name, line, handing }) => {
    const written = 'flag' in handing ? (handing.flag ?? name) : name;
    return `line ${line}: ${written} seems to be a list of secrets, but a job takes each secret as a separate argument`;
  });
  const kept = found.filter((one) => !isSecretList(one)).map((one, _, all) => withoutNo(one, all));
  return { ...o, arguments: withNames(kept), doubts: [...o.doubts, ...lists] };
}

/** `--no-header` becomes the argument `header`, which is true unless a run says otherwise. */
function withoutNo(one: ScriptArgument, all: readonly ScriptArgument[]): ScriptArgument {
  const { handing, schema } = one;
  const [, positive] =
    (handing.as === 'switch' && handing.negation === undefined && /^--no-(.+)$/.exec(handing.flag ?? '')) || [];
  if (handing.as !== 'switch' || positive === undefined) return one;
  const name = argumentName(positive);
  if (all.some((other) => other !== one && other.name === name)) return one;
  return {
    ...one,
    name,
    schema: { ...schema, default: true },
    handing: { as: 'switch', negation: handing.flag ?? '' },
  };
}

/**
 * Makes names unique. If the same thing was found twice, it is kept once; different things with one name get numbers.
 */
function withNames(found: readonly ScriptArgument[]): ScriptArgument[] {
  const kept = new Map<string, ScriptArgument>();
  const seen = new Set<string>();
  for (const one of found) {
    const { as, ...how } = one.handing;
    // If the script reads two lines of input into one variable, it asks two questions.
    const what = as === 'input' ? `${one.name} ${one.line}` : one.name;
    const key = ['input', 'position', 'rest'].includes(as) ? `${as} ${what}` : JSON.stringify({ as, ...how });
    if (seen.has(key)) continue;
    seen.add(key);
    let { name } = one;
    for (let n = 2; kept.has(name); n++) name = `${one.name}_${n}`;
    kept.set(name, { ...one, name });
  }
  return [...kept.values()];
}
