// Guesses what a Node script takes: parseArgs, process.argv and process.env.

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
import { bracketed, lineAt, readLiteral, splitItems } from './source-literals.ts';

export function guessNode(text: string): Guess {
  const code = text.replaceAll(/^[ \t]*(?:\/\/|\*|\/\*).*$/gm, (comment) => ' '.repeat(comment.length));
  const library = /(?:from|require\()\s*['"](commander|yargs|minimist|cac|meow|arg|mri)(?:\/[^'"]*)?['"]/.exec(
    code,
  )?.[1];
  const doubts = library ? [`it reads its arguments with ${library}, which flwd cannot guess`] : [];
  const passedOver: string[] = [];
  const options = readParseArgs(code, doubts, passedOver);
  const words = options.length > 0 || library ? [] : readArgv(code);
  return toGuess([...readEnvironment(code), ...options, ...words], { doubts, passedOver });
}

/** The `key: value` pairs of an object literal. */
function membersOf(text: string): [string, string][] {
  return splitItems(text).flatMap((item): [string, string][] => {
    const [, quoted, plain, value] = /^(?:['"]([^'"]+)['"]|([\w$]+))\s*:\s*([\s\S]*)$/.exec(item) ?? [];
    const name = quoted ?? plain;
    return name === undefined || value === undefined ? [] : [[name, value]];
  });
}

function readParseArgs(code: string, doubts: string[], passedOver: string[]): ScriptArgument[] {
  const call = /\bparseArgs\s*\(\s*\{/.exec(code);
  if (!call) return [];
  const config = new Map(membersOf(bracketed(code, call.index + call[0].length - 1) ?? ''));
  const written = config.get('options') ?? '';
  const apart = /^\w+$/.test(written) ? new RegExp(`\\b${written}\\s*=\\s*\\{`).exec(code) : undefined;
  const body = apart ? bracketed(code, apart.index + apart[0].length - 1) : bracketed(written, 0);
  const from = apart?.index ?? call.index;
  const found = membersOf(body ?? '').flatMap(([flag, object]): ScriptArgument[] => {
    const option = new Map(membersOf(bracketed(object, 0) ?? ''));
    const name = argumentName(flag);
    const place = code.slice(from).search(new RegExp(`['"]?${flag.replaceAll(/\W/g, String.raw`\$&`)}['"]?\\s*:`));
    const line = lineAt(code, from + Math.max(0, place));
    if (!isPlainFlag(`--${flag}`)) {
      doubts.push(`line ${line}: cannot guess what the option ${JSON.stringify(`--${flag}`)} takes`);
      return [];
    }
    const preset = option.has('default') ? readLiteral(option.get('default') ?? '') : undefined;
    if (readLiteral(option.get('type') ?? '') === 'boolean') {
      if (flag === 'help' || flag === 'version') {
        passedOver.push(`--${flag} (line ${line})`);
        return [];
      }
      const isNegatable = /allowNegative\s*:\s*true/.test(code);
      const schema: ArgumentSchema = { type: 'boolean', default: preset === true && isNegatable };
      const negation = isNegatable ? { negation: `--no-${flag}` } : {};
      return [{ name, line, schema, isRequired: false, handing: { as: 'switch', flag: `--${flag}`, ...negation } }];
    }
    const short = readLiteral(option.get('short') ?? '');
    const aliases = typeof short === 'string' ? { aliases: [`-${short}`] } : {};
    const handing = { as: 'option' as const, flag: `--${flag}`, ...aliases, isJoined: true };
    if (option.get('multiple') === 'true') {
      const items = Array.isArray(preset) ? preset.filter((item) => typeof item === 'string') : [];
      const schema: ArgumentSchema = { type: 'array', items: { type: 'string' }, default: items };
      return [{ name, line, schema, isRequired: false, handing: { ...handing, isRepeated: true } }];
    }
    const path = preset === undefined ? pathOfExpression('node', code, option.get('default') ?? '') : undefined;
    const schema = schemaOfText(name, typeof preset === 'string' ? preset : path);
    return [{ name, line, schema, isRequired: false, handing, variable: flag }];
  });
  if (config.get('allowPositionals') !== 'true') return found;
  const schema: ArgumentSchema = { type: 'array', items: { type: 'string' }, default: [] };
  return [
    ...found,
    { name: 'positionals', line: lineAt(code, call.index), schema, isRequired: false, handing: { as: 'rest' } },
  ];
}

function literalOf(text: string | undefined): string | undefined {
  const value = text === undefined ? undefined : readLiteral(text);
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

function readArgv(code: string): ScriptArgument[] {
  const positions = new Map<number, { name: string | undefined; line: number; preset: string | undefined }>();
  const taken =
    /(?:(\w+)\s*=\s*)?(?:Number(?:\.parseInt)?\(|parseInt\()?process\.argv\[([2-9])\](?:\s*(?:\?\?|\|\|)\s*('[^']*'|"[^"]*"|\d+))?/g;
  for (const { 1: name, 2: n, 3: preset, index } of code.matchAll(taken)) {
    const at = Number(n) - 2;
    if (!positions.get(at)?.name) positions.set(at, { name, line: lineAt(code, index), preset: literalOf(preset) });
  }
  const listed = /\[([^\]]*)\]\s*=\s*process\.argv(\.slice\(2\))?/.exec(code);
  const names = listed ? (listed[1] ?? '').split(',').map((item) => item.trim()) : [];
  let rest: string | undefined;
  for (const [at, item] of names.slice(listed?.[2] ? 0 : 2).entries()) {
    const [, spread] = /^\.\.\.(\w+)$/.exec(item) ?? [];
    const [, name, preset] = /^(\w+)(?:\s*=\s*(.*))?$/.exec(item) ?? [];
    if (spread) rest = spread;
    else positions.set(at, { name, line: lineAt(code, listed?.index ?? 0), preset: literalOf(preset) });
  }
  const all = /(?:(\w+)\s*(?:=|of)\s*)?process\.argv\.slice\((\d)\)/.exec(code);
  if (all && !listed && Number(all[2]) - 2 >= positions.size) rest = all[1] ?? 'rest';
  const found = Array.from({ length: Math.max(-1, ...positions.keys()) + 1 }, (_, at): ScriptArgument => {
    const one = positions.get(at);
    const name = argumentName(one?.name ?? `argument_${at + 1}`);
    return {
      name,
      line: one?.line ?? 1,
      schema: schemaOfText(name, one?.preset),
      isRequired: one?.preset === undefined,
      handing: { as: 'position' },
    };
  });
  if (rest === undefined) return found;
  const schema: ArgumentSchema = { type: 'array', items: { type: 'string' }, default: [] };
  const line = lineAt(code, (all ?? listed)?.index ?? 0);
  return [...found, { name: argumentName(rest), line, schema, isRequired: false, handing: { as: 'rest' } }];
}

function readEnvironment(code: string): ScriptArgument[] {
  const single =
    /process\.env(?:\.([A-Za-z_]\w*)|\[\s*['"]([A-Za-z_]\w*)['"]\s*\])(?:\s*(?:\?\?|\|\|)\s*('[^']*'|"[^"]*"|-?\d+))?/g;
  const found = [...code.matchAll(single)].map(({ 1: dotted, 2: quoted, 3: preset, index }) => ({
    variable: dotted ?? quoted ?? '',
    preset,
    index,
  }));
  const together = [...code.matchAll(/\{([^{}]*)\}\s*=\s*process\.env\b/g)].flatMap(({ 1: list = '', index }) =>
    splitItems(list).flatMap((item) => {
      const [, variable = '', preset] = /^([A-Za-z_]\w*)(?:\s*:\s*\w+)?(?:\s*=\s*([\s\S]*))?$/.exec(item) ?? [];
      return variable === '' ? [] : [{ variable, preset, index }];
    }),
  );
  return [...found, ...together].flatMap(({ variable, preset, index }): ScriptArgument[] => {
    if (!isOwnVariable(variable)) return [];
    const name = argumentName(variable);
    const value = preset === undefined ? undefined : readLiteral(preset);
    const schema = schemaOfText(
      name,
      typeof value === 'string' || typeof value === 'number' ? String(value) : undefined,
    );
    return [{ name, line: lineAt(code, index), schema, isRequired: false, handing: { as: 'environment', variable } }];
  });
}
