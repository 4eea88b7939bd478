// Guesses what a Python script takes: argparse, sys.argv and os.environ.

import { holdsPassword, withoutPasswords } from '../../lib/secret-name.ts';
import { pathOfExpression } from './code-uses.ts';
import {
  type ArgumentSchema,
  argumentName,
  type Guess,
  isOwnVariable,
  isPlainFlag,
  type ScriptArgument,
  schemaOfText,
  toGuess,
} from './script-arguments.ts';
import { bracketed, type Literal, lineAt, pythonModules, readLiteral, splitItems } from './source-literals.ts';

export function guessPython(text: string): Guess {
  // Blank out comments without moving the lines, so that line numbers stay right.
  const code = text.replaceAll(/^[ \t]*#.*$/gm, (comment) => ' '.repeat(comment.length));
  const doubts: string[] = [];
  const [library] = pythonModules(code).flatMap(({ name }) => /^(?:click|typer|docopt|fire|absl)\b/.exec(name) ?? []);
  if (library) doubts.push(`it reads its arguments with ${library}, which flwd cannot guess`);
  for (const { 1: call, index } of code.matchAll(/(?<![\w.])(input|getpass(?:\.getpass)?)\(/g))
    doubts.push(`line ${lineAt(code, index)} asks the user with ${call}(), but nobody answers a job`);
  const passedOver: string[] = [];
  const options = readArgparse(code, doubts, passedOver);
  const words = options.length > 0 ? [] : readArgv(code);
  return toGuess([...readEnvironment(code), ...options, ...words], { doubts, passedOver });
}

function readArgparse(code: string, doubts: string[], passedOver: string[]): ScriptArgument[] {
  const parser = /(\w+)\s*=\s*(?:argparse\.)?ArgumentParser\s*\(/.exec(code)?.[1];
  const groups = code.matchAll(/(\w+)\s*=\s*(\w+)\.add_(?:argument_group|mutually_exclusive_group)\s*\(/g);
  const own: ReadonlySet<string | undefined> = new Set([
    parser,
    ...[...groups].filter(({ 2: of }) => of === parser).map(({ 1: name = '' }) => name),
  ]);
  const hasCommands = /\.add_subparsers\s*\(/.test(code);
  if (hasCommands) doubts.push('it has subcommands, and flwd cannot guess their arguments');
  return [...code.matchAll(/(\w*)\.add_argument\s*\(/g)].flatMap(({ 0: call, 1: of = '', index }): ScriptArgument[] => {
    const given = bracketed(code, index + call.length - 1);
    const line = lineAt(code, index);
    if (given === undefined || !own.has(of)) {
      if (!hasCommands && /\bargparse\b/.test(code))
        doubts.push(`line ${line}: add_argument is called on something that does not seem to be the parser`);
      return [];
    }
    const found = toArgument(given, line, code);
    if ('name' in found) return [found];
    if ('doubt' in found) doubts.push(`line ${line}: ${found.doubt}`);
    else passedOver.push(`${found.passedOver} (line ${line})`);
    return [];
  });
}

/** Returns the argument, or the reason why there is no argument. */
function toArgument(
  given: string,
  line: number,
  code: string,
): ScriptArgument | { readonly doubt: string } | { readonly passedOver: string } {
  const items = splitItems(given);
  const named = new Map(
    items.flatMap((item): [string, string][] => {
      const [, name, value] = /^(\w+)\s*=(?!=)\s*([\s\S]*)$/.exec(item) ?? [];
      return name === undefined || value === undefined ? [] : [[name, value]];
    }),
  );
  const flags = items.flatMap((item) => {
    const flag = readLiteral(item);
    return typeof flag === 'string' && !/^\w+\s*=/.test(item) ? [flag] : [];
  });
  const literal = (name: string): Literal => (named.has(name) ? readLiteral(named.get(name) ?? '') : undefined);
  const flag = flags.find((one) => one.startsWith('--')) ?? flags[0];
  if (flag === undefined) return { doubt: 'the name of an argument is not a literal' };
  if (flag.startsWith('-') && !isPlainFlag(flag))
    return { doubt: `cannot guess what the option ${JSON.stringify(flag)} takes` };
  const dest = literal('dest');
  const name = argumentName(typeof dest === 'string' ? dest : flag);
  const help = literal('help');
  const description = typeof help === 'string' ? describe(help) : undefined;
  const isOption = flag.startsWith('-');
  const action = literal('action');
  const about = description === undefined ? {} : { description };
  if (action === 'version' || action === 'help') return { passedOver: flags.join(', ') };
  if (typeof action === 'string' && /^store_(?:true|false|const)$/.test(action)) {
    // With `store_false`, an option such as `--plain` switches another setting off, such as `colour`.
    const isOff = typeof dest === 'string' && action === 'store_false';
    const schema: ArgumentSchema = { type: 'boolean', ...about, default: isOff };
    return { name, line, schema, isRequired: false, handing: { as: 'switch', [isOff ? 'negation' : 'flag']: flag } };
  }
  if (/BooleanOptionalAction/.test(named.get('action') ?? '')) {
    const preset = literal('default');
    const schema: ArgumentSchema = {
      type: 'boolean',
      ...about,
      ...(typeof preset === 'boolean' && { default: preset }),
    };
    const handing = { as: 'switch' as const, flag, negation: flag.replace(/^--/, '--no-') };
    return { name, line, schema, isRequired: false, handing };
  }
  if (named.has('action') && action !== 'append' && action !== 'store' && action !== 'extend')
    return { doubt: `${flag} has the action ${named.get('action')}, which flwd cannot guess` };

  const nargs = literal('nargs');
  const isList =
    action === 'append' || action === 'extend' || nargs === '*' || nargs === '+' || typeof nargs === 'number';
  if (named.has('nargs') && !isList && nargs !== '?')
    return { doubt: `${flag} takes ${named.get('nargs')} values, which flwd cannot guess` };
  const isRequired = isOption
    ? literal('required') === true
    : nargs !== '?' && nargs !== '*' && literal('default') === undefined;
  const schema = { ...schemaOf(name, named, { isList, flag, code }), ...about };
  if (isList && isRequired) schema.minItems = 1;
  if (isRequired) delete schema.default;
  const handing = isOption
    ? {
        as: 'option' as const,
        flag,
        ...(flags.length > 1 && { aliases: flags.filter((one) => one !== flag) }),
        isJoined: (!isList || action === 'append') && flag.startsWith('--'),
        ...(action === 'append' && { isRepeated: true }),
      }
    : isList
      ? { as: 'rest' as const }
      : { as: 'position' as const };
  const variable = typeof dest === 'string' ? dest : flag.replace(/^-+/, '').replaceAll('-', '_');
  const [, mode = 'r'] = /FileType\(\s*(?:mode\s*=\s*)?(?:["'](\w+)["'])?/.exec(named.get('type') ?? '') ?? [];
  const opens = /FileType/.test(named.get('type') ?? '') ? (/[wax]/.test(mode) ? 'write' : 'read') : undefined;
  return { name, line, schema, isRequired, handing, variable, ...(opens && { opens }) };
}

function schemaOf(
  name: string,
  named: ReadonlyMap<string, string>,
  { isList, flag, code }: { readonly isList: boolean; readonly flag: string; readonly code: string },
): ArgumentSchema {
  const type = named.get('type') ?? 'str';
  const scalar = type === 'int' ? 'integer' : type === 'float' ? 'number' : 'string';
  const written = named.get('default') ?? '';
  const preset = readLiteral(written) ?? pathOfExpression('python', code, written);
  if (isList) {
    const items = Array.isArray(preset)
      ? preset.filter((item) => typeof item === 'string' || typeof item === 'number')
      : [];
    return { type: 'array', items: { type: scalar }, default: items };
  }
  const own = schemaOfText(name, undefined, flag);
  const isSecret = own.format === 'secret' || (typeof preset === 'string' && holdsPassword(preset));
  // An argument with fixed choices is not a secret: `--auth` may be `basic` or `digest`.
  if (isSecret && !named.has('choices')) return { type: 'string', format: 'secret' };
  const schema: ArgumentSchema = { type: scalar };
  if (scalar === 'string' && (own.format === 'path' || /\bPath$|FileType/.test(type))) schema.format = 'path';
  const choices = named.has('choices') ? readLiteral(named.get('choices') ?? '') : undefined;
  const fits = (value: unknown): value is string | number =>
    scalar === 'string'
      ? typeof value === 'string'
      : typeof value === 'number' && (scalar === 'number' || Number.isInteger(value));
  if (Array.isArray(choices) && choices.length > 0 && choices.every(fits)) schema.enum = choices;
  const [, low, high] = /^range\(\s*(-?\d+)\s*,\s*(-?\d+)\s*\)$/.exec(named.get('choices') ?? '') ?? [];
  if (low !== undefined && scalar === 'integer')
    Object.assign(schema, { minimum: Number(low), maximum: Number(high) - 1 });
  if (fits(preset) && (!schema.enum || schema.enum.includes(preset))) schema.default = preset;
  return schema;
}

function describe(help: string): string | undefined {
  const text = help.replaceAll(/\s*[([]?\s*default[:=]?\s*%\(\w+\)[a-z]\s*[)\]]?/gi, '').replaceAll('%%', '%');
  return /%\(/.test(text) || text.trim() === '' ? undefined : withoutPasswords(text.trim());
}

function readArgv(code: string): ScriptArgument[] {
  const found = new Map<number, { name: string | undefined; line: number; type: 'string' | 'integer' | 'number' }>();
  // `folder, days = sys.argv[1], int(sys.argv[2])`
  const apart = code.replaceAll(
    /^[ \t]*(\w+(?:[ \t]*,[ \t]*\w+)+)[ \t]*=[ \t]*(.*\bsys\.argv\[[1-9]\].*)$/gm,
    (whole, names: string, values: string) => {
      const [targets, items] = [names.split(','), splitItems(values)];
      return targets.length === items.length
        ? targets.map((name, at) => `${name.trim()} = ${items[at]}`).join('; ')
        : whole;
    },
  );
  for (const { 1: variable, 2: cast, 3: n, index } of apart.matchAll(
    /(?:(\w+)\s*=\s*)?(?:(int|float)\(|(?:pathlib\.)?Path\()?sys\.argv\[([1-9])\]/g,
  )) {
    const type = cast === 'int' ? 'integer' : cast === 'float' ? 'number' : 'string';
    const before = found.get(Number(n));
    if (!before || before.name === undefined)
      found.set(Number(n), { name: variable, line: lineAt(apart, index), type });
  }
  const isOptional = (n: number): boolean =>
    new RegExp(`len\\(sys\\.argv\\)\\s*(?:>\\s*${n}|>=\\s*${n + 1})\\b`).test(code);
  const positions = Array.from({ length: Math.max(0, ...found.keys()) }, (_, at): ScriptArgument => {
    const one = found.get(at + 1);
    const name = argumentName(one?.name ?? `argument_${at + 1}`);
    const { default: _none, ...own } = schemaOfText(name, undefined);
    const schema: ArgumentSchema = one && one.type !== 'string' ? { type: one.type } : own;
    return { name, line: one?.line ?? 1, schema, isRequired: !isOptional(at + 1), handing: { as: 'position' } };
  });
  const rest = /(?:(\w+)\s*(?:=|in)\s*)?sys\.argv\[([1-9]):\]/.exec(code);
  // If the script also uses `sys.argv[1]`, then `sys.argv[1:]` is not another argument, because it begins with the same
  // word.
  if (!rest || Number(rest[2]) <= positions.length) return positions;
  const schema: ArgumentSchema = { type: 'array', items: { type: 'string' }, default: [] };
  const line = lineAt(code, rest.index);
  return [
    ...positions,
    { name: argumentName(rest[1] ?? 'rest'), line, schema, isRequired: false, handing: { as: 'rest' } },
  ];
}

function readEnvironment(code: string): ScriptArgument[] {
  const calls = /os\.(?:environ\[|environ\.get\(|getenv\()\s*["']([A-Za-z_]\w*)["']\s*(\]|\)|,\s*([^)]*)\))/g;
  return [...code.matchAll(calls)].flatMap(({ 1: variable = '', 2: end, 3: preset, index }): ScriptArgument[] => {
    if (!isOwnVariable(variable)) return [];
    const name = argumentName(variable);
    const value = preset === undefined ? undefined : (readLiteral(preset) ?? pathOfExpression('python', code, preset));
    const schema = schemaOfText(
      name,
      typeof value === 'string' || typeof value === 'number' ? String(value) : undefined,
    );
    return [
      { name, line: lineAt(code, index), schema, isRequired: end === ']', handing: { as: 'environment', variable } },
    ];
  });
}
