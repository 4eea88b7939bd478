// What a Python script seems to take: argparse, sys.argv and os.environ.

import {
  type ArgumentSchema,
  argumentName,
  type Guess,
  isOwnVariable,
  isPlainFlag,
  type ScriptArgument,
  schemaOfText,
  withNames,
} from './script-arguments.ts';
import { bracketed, type Literal, lineAt, readLiteral, splitItems } from './source-literals.ts';

export function guessPython(text: string): Guess {
  // Comments stay where they are, so that lines can be counted.
  const code = text.replaceAll(/^[ \t]*#.*$/gm, (comment) => ' '.repeat(comment.length));
  const doubts: string[] = [];
  const library = /^\s*(?:from|import)\s+(click|typer|docopt|fire|absl)\b/m.exec(code)?.[1];
  if (library) doubts.push(`it reads its arguments with ${library}, of which nothing is guessed`);
  const options = readArgparse(code, doubts);
  const words = options.length > 0 ? [] : readArgv(code);
  return { arguments: withNames([...readEnvironment(code), ...options, ...words]), doubts };
}

function readArgparse(code: string, doubts: string[]): ScriptArgument[] {
  const parser = /(\w+)\s*=\s*(?:argparse\.)?ArgumentParser\s*\(/.exec(code)?.[1];
  if (parser === undefined) return [];
  const groups = code.matchAll(/(\w+)\s*=\s*(\w+)\.add_(?:argument_group|mutually_exclusive_group)\s*\(/g);
  const own = new Set([parser, ...[...groups].filter(({ 2: of }) => of === parser).map(({ 1: name = '' }) => name)]);
  if (/\.add_subparsers\s*\(/.test(code)) doubts.push('it has subcommands, whose arguments are not guessed');
  return [...code.matchAll(/(\w+)\.add_argument\s*\(/g)].flatMap(({ 0: call, 1: of = '', index }): ScriptArgument[] => {
    const given = bracketed(code, index + call.length - 1);
    if (given === undefined || !own.has(of)) return [];
    const line = lineAt(code, index);
    const found = toArgument(given, line);
    if (typeof found !== 'string') return found ? [found] : [];
    doubts.push(`line ${line}: ${found}`);
    return [];
  });
}

/** A text: why it is not guessed. undefined: it is none of a job's. */
function toArgument(given: string, line: number): ScriptArgument | string | undefined {
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
  if (flag === undefined) return 'an argument whose name is no literal';
  if (flag.startsWith('-') && !isPlainFlag(flag)) return `the option ${JSON.stringify(flag)} is not guessed`;
  const dest = literal('dest');
  const name = argumentName(typeof dest === 'string' ? dest : flag);
  const help = literal('help');
  const description = typeof help === 'string' ? describe(help) : undefined;
  const isOption = flag.startsWith('-');
  const action = literal('action');
  const about = description === undefined ? {} : { description };
  if (action === 'version' || action === 'help' || flag === '--version') return undefined;
  if (typeof action === 'string' && /^store_(?:true|false|const)$/.test(action)) {
    const schema: ArgumentSchema = { type: 'boolean', ...about, default: false };
    const switchName = typeof dest === 'string' && action === 'store_false' ? argumentName(flag) : name;
    return { name: switchName, line, schema, isRequired: false, handing: { as: 'switch', flag } };
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
    return `${flag} has the action ${named.get('action')}, which is not guessed`;

  const nargs = literal('nargs');
  const isList =
    action === 'append' || action === 'extend' || nargs === '*' || nargs === '+' || typeof nargs === 'number';
  if (named.has('nargs') && !isList && nargs !== '?')
    return `${flag} takes ${named.get('nargs')}, which is not guessed`;
  const isRequired = isOption
    ? literal('required') === true
    : nargs !== '?' && nargs !== '*' && literal('default') === undefined;
  const schema = { ...schemaOf(name, named, isList), ...about };
  if (isList && isRequired) schema.minItems = 1;
  if (isRequired) delete schema.default;
  const handing = isOption
    ? {
        as: 'option' as const,
        flag,
        isJoined: (!isList || action === 'append') && flag.startsWith('--'),
        ...(action === 'append' && { isRepeated: true }),
      }
    : isList
      ? { as: 'rest' as const }
      : { as: 'position' as const };
  return { name, line, schema, isRequired, handing };
}

function schemaOf(name: string, named: ReadonlyMap<string, string>, isList: boolean): ArgumentSchema {
  const written = named.get('type') ?? 'str';
  const scalar = written === 'int' ? 'integer' : written === 'float' ? 'number' : 'string';
  const preset = named.has('default') ? readLiteral(named.get('default') ?? '') : undefined;
  if (isList) {
    const items = Array.isArray(preset)
      ? preset.filter((item) => typeof item === 'string' || typeof item === 'number')
      : [];
    return { type: 'array', items: { type: scalar }, default: items };
  }
  const own = schemaOfText(name, undefined);
  if (own.format === 'secret') return own;
  const schema: ArgumentSchema = { type: scalar };
  if (scalar === 'string' && (own.format === 'path' || /\bPath$|FileType/.test(written))) schema.format = 'path';
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
  return /%\(/.test(text) || text.trim() === '' ? undefined : text.trim();
}

function readArgv(code: string): ScriptArgument[] {
  const found = new Map<number, { name: string | undefined; line: number; type: 'string' | 'integer' | 'number' }>();
  for (const { 1: variable, 2: cast, 3: n, index } of code.matchAll(
    /(?:(\w+)\s*=\s*)?(?:(int|float)\()?sys\.argv\[([1-9])\]/g,
  )) {
    const type = cast === 'int' ? 'integer' : cast === 'float' ? 'number' : 'string';
    const before = found.get(Number(n));
    if (!before || before.name === undefined) found.set(Number(n), { name: variable, line: lineAt(code, index), type });
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
  // `sys.argv[1:]` beside `sys.argv[1]` is the same words again.
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
    const value = preset === undefined ? undefined : readLiteral(preset);
    const schema = schemaOfText(
      name,
      typeof value === 'string' || typeof value === 'number' ? String(value) : undefined,
    );
    return [
      { name, line: lineAt(code, index), schema, isRequired: end === ']', handing: { as: 'environment', variable } },
    ];
  });
}
