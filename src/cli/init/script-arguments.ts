// What a script seems to take, as it is found in its text: each is an argument of the job to be, and how the script is
// handed it.

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
  /** As a line of its standard input, in the order of the list. */
  | { readonly as: 'input' }
  /** Among the words without a name, in the order of the list. */
  | { readonly as: 'position' }
  /** All further words. */
  | { readonly as: 'rest' }
  /** `--keep 7`, or joined as `--keep=7`; of a list once with all items, or once for each. */
  | { readonly as: 'option'; readonly flag: string; readonly isJoined: boolean; readonly isRepeated?: boolean }
  | { readonly as: 'switch'; readonly flag: string; readonly negation?: string };

export type ScriptArgument = {
  readonly name: string;
  /** From 1. */
  readonly line: number;
  readonly schema: ArgumentSchema;
  readonly isRequired: boolean;
  readonly handing: Handing;
};

export type Guess = {
  readonly arguments: readonly ScriptArgument[];
  /** What may be an argument, or is none that can be told from the text: for a comment. */
  readonly doubts: readonly string[];
  /** Options that only print a help text or a version, each with its line: for a comment. */
  readonly passedOver: readonly string[];
};

/** Everybody's, or the shell's own: no argument of a script. */
const everybodys =
  /^(?:PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_.*|PWD|OLDPWD|SHELL|SHLVL|TERM|COLUMNS|LINES|TMPDIR|TMP|TEMP|HOSTNAME|HOSTTYPE|OSTYPE|MACHTYPE|UID|EUID|PPID|IFS|ENV|CI|EDITOR|PAGER|DISPLAY|NO_COLOR|BASH.*|FLWD_.*|OPT(?:ARG|IND|ERR)|RANDOM|S?RANDOM|SECONDS|EPOCH.*|LINENO|FUNCNAME|REPLY|PS\d|DIRSTACK|GROUPS|PIPESTATUS|XDG_.*|NODE_.*|PYTHON.*|LD_.*|MALLOC_.*|_)$/;

export function isOwnVariable(name: string): boolean {
  return !everybodys.test(name);
}

/** It becomes a word of the wrapper: what a shell gives a meaning to is not taken over. */
export function isPlainFlag(flag: string): boolean {
  return /^--?[A-Za-z\d][\w-]*$/.test(flag);
}

/** `--dry-run`, `DRY_RUN` → `dry_run`: a name that every job may give an argument. */
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
/** They are paths as often as names of other things. */
const mayBePath = /(?:^|_)(?:target|input|output|out|in)$/;

/**
 * Of a text of the script's: `7` is an integer, `true` a boolean. A secret has no default: everyone who sees the job sees it.
 * @param also another name that the script has for it
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

/** A job takes no list of secrets. */
export function toGuess(found: readonly ScriptArgument[], o: Omit<Guess, 'arguments'>): Guess {
  const isSecretList = ({ name, schema }: ScriptArgument): boolean =>
    schema.type === 'array' &&
    (isSecretName(name) || [schema.default ?? []].flat().some((item) => holdsPassword(`${item}`)));
  const lists = found.filter(isSecretList).map(({ name, line, handing }) => {
    const written = 'flag' in handing ? handing.flag : name;
    return `line ${line}: ${written} seems to be a list of secrets, and a job takes each secret as an argument of its own`;
  });
  return { ...o, arguments: withNames(found.filter((one) => !isSecretList(one))), doubts: [...o.doubts, ...lists] };
}

/** Each name once: the same thing found twice is one argument, two things of one name get two. */
function withNames(found: readonly ScriptArgument[]): ScriptArgument[] {
  const kept = new Map<string, ScriptArgument>();
  const seen = new Set<string>();
  for (const one of found) {
    const { as, ...how } = one.handing;
    const key = ['position', 'rest'].includes(as) ? `${as} ${one.name}` : JSON.stringify({ as, ...how });
    if (seen.has(key)) continue;
    seen.add(key);
    let { name } = one;
    for (let n = 2; kept.has(name); n++) name = `${one.name}_${n}`;
    kept.set(name, { ...one, name });
  }
  return [...kept.values()];
}
