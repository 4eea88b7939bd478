// Guesses what a bash script takes: `$1`, getopts, options in a `case`, and environment variables.

import { isSecretName, withoutPasswords } from '../../lib/secret-name.ts';
import { optionLoops, readCases, readGetopts } from './bash-options.ts';
import { readAsked } from './bash-reads.ts';
import { branchesOf, codeOf, type Line, type Script, topLevel } from './bash-script.ts';
import {
  type ArgumentSchema,
  argumentName,
  type Guess,
  isOwnVariable,
  type ScriptArgument,
  schemaOfText,
  shellDefault,
  toGuess,
} from './script-arguments.ts';

export function guessBash(text: string): Guess {
  const lines = codeOf(text);
  const top = topLevel(lines);
  const loops = optionLoops(top);
  const inLoops = new Set(loops.flat());
  const outside = top.filter((line) => !inLoops.has(line));
  const script: Script = { text, lines, outside };
  const options = loops.flatMap((loop) => [...readGetopts(loop, script), ...readCases(loop, script)]);
  const asked = readAsked(script);
  const shiftLoop = readShiftLoop(script);
  const inShiftLoop = new Set(shiftLoop?.lines);
  const positions = readPositions({ ...script, outside: outside.filter((line) => !inShiftLoop.has(line)) });
  const rest = shiftLoop ? [shiftLoop.argument] : readRest(script);
  const environment = readEnvironment(script);
  const found = options.flatMap((option) => ('name' in option ? [option] : []));
  const doubtsOfRest = rest.length + positions.length > 0 ? [] : doubtOfRest(script);
  return toGuess([...environment.found, ...found, ...asked.found, ...positions, ...rest], {
    doubts: [
      ...environment.doubts,
      ...options.flatMap((option) => ('doubt' in option ? [option.doubt] : [])),
      ...(loops.length === 0 ? doubtsOfGetopts(lines) : []),
      ...asked.doubts,
      ...doubtsOfRest,
    ],
    passedOver: options.flatMap((option) => ('passedOver' in option ? [option.passedOver] : [])),
  });
}

function readPositions(script: Script): ScriptArgument[] {
  const { outside, text } = script;
  const usage = usageWords(text);
  const least = Math.max(0, ...outside.map(leastWords));
  const found = new Map<
    number,
    { name: string | undefined; line: number; schema: ArgumentSchema | undefined; isOptional: boolean }
  >();
  const branches = insideCases(outside);
  let shifted = 0;
  for (const [index, line] of outside.entries()) {
    for (const [, bare, braced, mark = '', value = ''] of line.text.matchAll(
      /(?<!\\)\$(?:([1-9])|\{([1-9])(?:(:?[-=?])((?:[^{}]|\{[^{}]*\})*))?\})/g,
    )) {
      const at = Number(bare ?? braced) + shifted;
      const [, variable] = new RegExp(`(\\w+)=["']?\\$\\{?${bare ?? braced}\\b`).exec(line.text) ?? [];
      const choices = /^\s*case\s/.test(line.text) ? caseWords(outside, index) : [];
      const name = variable ?? (choices.length > 0 ? 'action' : undefined);
      const before = found.get(at);
      const preset = /^:?[-=]/.test(mark) ? shellDefault(value) : undefined;
      const named = argumentName(before?.name ?? name ?? usage[at - 1]?.name ?? `argument_${at}`);
      const ownSchema = schemaOfText(named, preset, usage[at - 1]?.name);
      const schema = choices.length > 0 ? { type: 'string' as const, enum: choices } : ownSchema;
      found.set(at, {
        name: before?.name ?? name,
        line: before?.line ?? line.number,
        schema: before?.schema?.enum || before?.schema?.default !== undefined ? before.schema : schema,
        isOptional: (before?.isOptional ?? branches.has(line)) || mark.endsWith('-') || mark.endsWith('='),
      });
    }
    for (const [, by] of line.text.matchAll(/(?:^|[;&|{]|\bthen\b)\s*shift(?:\s+(\d))?\s*(?=;|$|\}|&|\|)/g))
      shifted += Number(by ?? 1);
  }
  return Array.from({ length: Math.max(0, ...found.keys()) }, (_, at): ScriptArgument => {
    const one = found.get(at + 1);
    const name = argumentName(one?.name ?? usage[at]?.name ?? `argument_${at + 1}`);
    const schema = one?.schema ?? schemaOfText(name, undefined);
    const isOptional = (one?.isOptional ?? false) || (usage[at]?.isOptional ?? false);
    return {
      name,
      line: one?.line ?? 1,
      schema,
      isRequired: schema.default === undefined && (at < least || !isOptional),
      handing: { as: 'position' },
      variable: one?.name,
    };
  });
}

/** Finds the lines inside of `case`. A call of the script may skip them. */
function insideCases(lines: readonly Line[]): ReadonlySet<Line> {
  const inside = new Set<Line>();
  let depth = 0;
  for (const line of lines) {
    if (/^\s*esac\b/.test(line.text)) depth -= 1;
    if (depth > 0) inside.add(line);
    if (/^\s*case\s/.test(line.text)) depth += 1;
  }
  return inside;
}

/** `[ $# -lt 2 ]` means that the script needs two words. */
function leastWords({ text }: Line): number {
  const [, test = '', count = '0'] = /\$\{?#\}?"?\s*(-lt|-ne|-eq|!=|<|==?)\s*"?(\d+)/.exec(text) ?? [];
  if (test === '-eq' || test.startsWith('=')) return count === '0' ? 1 : 0;
  return Number(count);
}

/** Returns the words of the branches of a `case`; empty if the branches are patterns. */
function caseWords(lines: readonly Line[], from: number): string[] {
  let to = from + 1;
  while (to < lines.length && !/^\s*esac\b/.test(lines[to]?.text ?? '')) to += 1;
  const patterns = branchesOf(lines.slice(from, to + 1)).flatMap((branch) => branch.patterns);
  const words = patterns.filter((one) => /^[A-Za-z\d][\w.-]*$/.test(one) && one !== 'help');
  return [...new Set(words)];
}

/** Returns the names in a text such as `Usage: pack.sh SOURCE [TARGET]`. */
function usageWords(text: string): { name: string; isOptional: boolean; isMany: boolean }[] {
  const [, words = ''] = /usage:?\s+(?:"?\$\{?0[^\s]*|[\w./-]+)\s+([^"'\n]*)/i.exec(text) ?? [];
  return words
    .replaceAll(/\[-[^\]]*\](?:\.\.\.|…)?/g, ' ') // `[--tag TAG]...` is an option with its value.
    .split(/\s+/)
    .filter((word) => /[A-Za-z]/.test(word) && !/^\[?-/.test(word) && !/options?\b/i.test(word))
    .map((word) => ({ name: word, isOptional: word.startsWith('['), isMany: /\.\.\.|…/.test(word) }));
}

function readRest({ outside, text }: Script): ScriptArgument[] {
  for (const line of outside) {
    const isLoop = /\bfor\s+\w+\s+in\s+"?\$(?:[@*]|\{[@*])/.test(line.text);
    const isSaid = /\bset --|\bgetopt\b|\becho\b|\bprintf\b/.test(line.text);
    const isPassed = isLoop || (isEvery(line) && !isSaid);
    const [, implicit] = /^\s*for\s+(\w+)\s*(?:;\s*do\b|$)/.exec(line.text) ?? [];
    if ((!isPassed && implicit === undefined) || isCallOfMain(line.text, text)) continue;
    const [, each = implicit] = /\bfor\s+(\w+)\s+in\b/.exec(line.text) ?? [];
    const [, list] = /(\w+)=\("?\$/.exec(line.text) ?? [];
    const used = usageWords(text).find(({ isMany }) => isMany)?.name;
    const isShort = each?.length === 1 && used !== undefined;
    const name = argumentName(list ?? (isShort ? used : each) ?? used ?? 'rest');
    const plural = list === undefined && name !== 'rest' ? pluralOf(name) : name;
    const schema: ArgumentSchema = { type: 'array', items: { type: 'string' }, default: [] };
    return [{ name: plural, line: line.number, schema, isRequired: false, handing: { as: 'rest' } }];
  }
  return [];
}

/** Finds a loop that consumes the words one by one: `while [ $# -gt 0 ]; do pack "$1"; shift; done`. */
function readShiftLoop({
  outside,
}: Script): { readonly lines: readonly Line[]; readonly argument: ScriptArgument } | undefined {
  const from = outside.findIndex(({ text }) => /^\s*(?:while|until)\b.*(?:\$#|\$\{?1\b)/.test(text));
  const indent = /^\s*/.exec(outside[from]?.text ?? '')?.[0] ?? '';
  const to = outside.findIndex(({ text }, at) => at > from && text.startsWith(`${indent}done`));
  if (from < 0 || to < 0) return undefined;
  const lines = outside.slice(from, to + 1);
  const body = lines.map(({ text }) => text).join('\n');
  if (!/(?:^|[\s;])shift\s*(?:;|$)/m.test(body) || /\$\{?2\b|\bcase\b/.test(body)) return undefined;
  const [, each = 'word'] = /(\w+)=["']?\$\{?1\b/.exec(body) ?? [];
  const name = pluralOf(argumentName(each));
  const schema: ArgumentSchema = { type: 'array', items: { type: 'string' }, default: [] };
  const line = outside[from]?.number ?? 1;
  return { lines, argument: { name, line, schema, isRequired: false, handing: { as: 'rest' } } };
}

/**
 * Returns a plural as the name of a list. A loop's variable is often a single letter, which would say nothing as the
 * name of an option.
 */
function pluralOf(name: string): string {
  const letters: Readonly<Record<string, string>> = { d: 'dirs', f: 'files', h: 'hosts', u: 'urls' };
  if (name.length === 1) return letters[name] ?? 'words';
  return name.endsWith('s') ? name : `${name}s`;
}

function isEvery({ text }: Line): boolean {
  return /(?<!\\)\$(?:[@*]|\{[@*][^}]*\})/.test(text);
}

/** Reports the options of a loop with `getopts` that is written on one line. */
function doubtsOfGetopts(lines: readonly Line[]): string[] {
  return lines.flatMap(({ text, number }) => {
    const [, letters] = /\bgetopts\s+["']?:?([A-Za-z\d:]+)/.exec(text) ?? [];
    return letters === undefined
      ? []
      : [`line ${number}: cannot guess what the options of \`getopts ${letters}\` are for`];
  });
}

/** Reports that the script uses all of its words (`"$@"`) in a way that flwd does not understand. */
function doubtOfRest({ outside, text }: Script): string[] {
  const line = outside.find((one) => isEvery(one) && !isCallOfMain(one.text, text) && !/\bset --/.test(one.text));
  return line ? [`line ${line.number} uses all words of the command line, which may be a list`] : [];
}

function isCallOfMain(line: string, text: string): boolean {
  const [, called = ''] = /^\s*([\w:-]+)\s+"?\$(?:@|\{@\})"?\s*$/.exec(line) ?? [];
  return (
    called !== '' &&
    new RegExp(`^\\s*(?:function\\s+)?${called}\\s*\\(\\)|^\\s*function\\s+${called}\\b`, 'm').test(text)
  );
}

/**
 * The text in `${NAME:?is not set}` says what is wrong. The text in `${NAME:?the region to send to}` describes the
 * variable.
 */
function isComplaint(text: string): boolean {
  return /\b(?:set|unset|missing|required|requires?|must|need(?:s|ed)?|please|usage|error|not|no|empty|specify|give|given|provide|define|export)\b/i.test(
    text,
  );
}

function readEnvironment(script: Script): { readonly found: ScriptArgument[]; readonly doubts: string[] } {
  const found = new Map<string, ScriptArgument>();
  const doubts = new Map<string, string>();
  const set = new Set<string>();
  const isIncluding = /^[ \t]*(?:source|\.)\s+["']?(?:[~/]|\$\{?HOME)/m.test(script.text);
  const mayBeIncluded = isIncluding ? ', unless a file that it includes does' : '';
  for (const { text, number } of script.lines) {
    for (const [, variable = '', mark = '', value = ''] of text.matchAll(
      /\$\{([A-Z][A-Z\d_]*)(:?[-=?])((?:[^{}]|\{[^{}]*\})*)\}/g,
    )) {
      if (!isOwnVariable(variable) || set.has(variable) || found.has(variable)) continue;
      const name = argumentName(variable);
      const said = value.replaceAll(/^["']|["']$/g, '');
      const isAsked = mark.endsWith('?');
      const schema = schemaOfText(name, isAsked ? undefined : shellDefault(value));
      if (isAsked && /\s/.test(said.trim()) && !/[$`]/.test(said) && !isComplaint(said))
        schema.description = withoutPasswords(said.trim());
      found.set(variable, {
        name,
        line: number,
        schema,
        isRequired: isAsked,
        handing: { as: 'environment', variable },
        variable,
      });
    }
    for (const [, variable = ''] of text.matchAll(/(?<!\\)\$\{?([A-Z][A-Z\d_]+)\b(?!:?[-=?+])/g)) {
      if (isOwnVariable(variable) && !set.has(variable) && !found.has(variable) && !doubts.has(variable))
        doubts.set(
          variable,
          `line ${number} uses $${variable}, which the script does not set before${mayBeIncluded}${isSecretName(variable) ? '; as an argument it needs format: secret' : ''}`,
        );
    }
    for (const [, variable = ''] of text.matchAll(/(?:^|[\s;(])([A-Z][A-Z\d_]*)\+?=/g))
      if (!found.has(variable)) set.add(variable);
    for (const [, variable = ''] of text.matchAll(/\b(?:read|for|mapfile|readarray)\b[^;|]*?\b([A-Z][A-Z\d_]*)\b/g))
      set.add(variable);
  }
  return {
    found: [...found.values()],
    doubts: [...doubts].flatMap(([name, doubt]) => (found.has(name) ? [] : [doubt])),
  };
}
