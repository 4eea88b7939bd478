// What a bash script seems to take: `$1`, getopts, options in a `case`, and variables that it expects to be there.

import {
  type ArgumentSchema,
  argumentName,
  type Guess,
  isOwnVariable,
  type ScriptArgument,
  schemaOfText,
  withNames,
} from './script-arguments.ts';

type Line = { readonly text: string; readonly number: number };

export function guessBash(text: string): Guess {
  const lines = codeOf(text);
  const top = topLevel(lines);
  const loops = optionLoops(top);
  const outside = top.filter((line) => !loops.some((loop) => loop.includes(line)));
  const script: Script = { text, lines, outside };
  const options = loops.flatMap((loop) => [...readGetopts(loop, script), ...readCases(loop, script)]);
  const eaten = readEaten(script);
  const positions = readPositions(
    eaten ? { ...script, outside: outside.filter((line) => !eaten.lines.includes(line)) } : script,
  );
  const rest = eaten ? [eaten.argument] : readRest(script);
  const environment = readEnvironment(script);
  return {
    arguments: withNames([...environment.found, ...options, ...positions, ...rest]),
    doubts: [...environment.doubts, ...(rest.length + positions.length > 0 ? [] : doubtOfRest(script))],
  };
}

type Script = {
  readonly text: string;
  readonly lines: readonly Line[];
  /** What the script's own `$1` is meant in. */
  readonly outside: readonly Line[];
};

/** Without comments, and without what stands in here-documents. */
function codeOf(text: string): Line[] {
  let end: string | undefined;
  return text.split('\n').map((written, at) => {
    const number = at + 1;
    if (end !== undefined) {
      if (written.trim() === end) end = undefined;
      return { text: '', number };
    }
    const code = written.replace(/^\s*#.*$|\s#\s.*$/, '');
    [, end] = /<<-?\s*["'\\]?([A-Za-z_]\w*)/.exec(code) ?? [];
    return { text: code, number };
  });
}

/** Without the bodies of functions, but for those that are handed all of the script's own words. */
function topLevel(lines: readonly Line[]): Line[] {
  const whole = lines.map((line) => line.text).join('\n');
  const kept: Line[] = [];
  let end: string | undefined;
  for (const line of lines) {
    if (end !== undefined) {
      if (line.text.trimEnd() === end) end = undefined;
      continue;
    }
    const [, indent = '', name = '', rest = ''] =
      /^(\s*)(?:function\s+)?([\w:-]+)\s*\(\)\s*(.*)$/.exec(line.text) ??
      /^(\s*)function\s+([\w:-]+)\s*(.*)$/.exec(line.text) ??
      [];
    const isMain = name !== '' && new RegExp(`^\\s*${name}\\s+"?\\$(?:@|\\{@\\})`, 'm').test(whole);
    if (name === '' || isMain) kept.push(line);
    else if (!/\}\s*$/.test(rest)) end = `${indent}}`;
  }
  return kept;
}

/** Each `while` that goes through the words, and each `case` of `$1` whose branches are options. */
function optionLoops(lines: readonly Line[]): Line[][] {
  const loops: Line[][] = [];
  for (let at = 0; at < lines.length; at++) {
    const { text = '' } = lines[at] ?? {};
    const isLoop = /^\s*(?:while|until|for)\b.*(?:\$#|getopts|\$\{?1|\btrue\b|:;|\$@)/.test(text);
    const isCase = /^\s*case\s+"?\$\{?1\b/.test(text) && /^\s*\(?-/.test(lines[at + 1]?.text ?? '');
    if (!isLoop && !isCase) continue;
    const indent = /^\s*/.exec(text)?.[0] ?? '';
    const close = isCase ? `${indent}esac` : `${indent}done`;
    let to = at;
    while (!/;\s*done\b/.test(text) && to < lines.length && !(lines[to]?.text ?? '').startsWith(close)) to += 1;
    const loop = lines.slice(at, to + 1);
    const hasOptions = /\bgetopts\b/.test(text) || loop.some((line) => /^\s*\(?-/.test(line.text));
    if (!hasOptions || (!isCase && !loop.some((line) => /\bcase\b/.test(line.text)))) continue;
    loops.push(loop);
    at = to;
  }
  return loops;
}

type Branch = { readonly patterns: readonly string[]; readonly body: string; readonly line: number };

function branchesOf(loop: readonly Line[]): Branch[] {
  const text = loop.map((line) => line.text).join('\n');
  const found = text.matchAll(
    /(?:^|\bin\b|;;)\s*\(?([^\s()|;"'$]+(?:\s*\|\s*[^\s()|;"'$]+)*)\)([\s\S]*?)(?=;;|\besac\b)/gm,
  );
  return [...found].map(({ 1: patterns = '', 2: body = '', 0: whole, index }) => {
    const offset = index + whole.indexOf(patterns);
    const line = (loop[0]?.number ?? 1) + text.slice(0, offset).split('\n').length - 1;
    return { patterns: patterns.split('|').map((one) => one.trim()), body, line };
  });
}

function readGetopts(loop: readonly Line[], script: Script): ScriptArgument[] {
  const [, letters = ''] = /getopts\s+["']?:?([A-Za-z\d:]+)/.exec(loop[0]?.text ?? '') ?? [];
  const branches = branchesOf(loop);
  return [...letters.matchAll(/([A-Za-z\d])(:?)/g)].flatMap(([, letter = '', colon]): ScriptArgument[] => {
    const branch = branches.find(({ patterns }) => patterns.includes(letter));
    const { body = '', line = loop[0]?.number ?? 1 } = branch ?? {};
    if (letter === 'h' || /^\s*(?:usage|help|show_help)\b/.test(body)) return [];
    const flag = `-${letter}`;
    if (!colon) {
      const [, variable] = /(\w+)=/.exec(body) ?? [];
      return [switchOf(argumentName(variable ?? `option_${letter}`), flag, line)];
    }
    const [, variable, isAppended] = /(\w+)(\+?)=\(?["']?\$\{?OPTARG/.exec(body) ?? [];
    return [
      optionOf(
        argumentName(variable ?? `option_${letter}`),
        variable,
        { flag, isJoined: false, line },
        isAppended === '+',
        script,
      ),
    ];
  });
}

function readCases(loop: readonly Line[], script: Script): ScriptArgument[] {
  return branchesOf(loop).flatMap(({ patterns, body, line }): ScriptArgument[] => {
    const flags = patterns.filter((one) => /^--?[A-Za-z][\w-]*(?:=\*)?$/.test(one));
    const written = flags.find((one) => one.startsWith('--')) ?? flags[0];
    if (written === undefined || flags.some((one) => /^(?:-h|--help|--version)$/.test(one))) return [];
    const flag = written.replace('=*', '');
    const isSeparate = /\$\{?2\b|shift\s+2/.test(body);
    const isJoined = !isSeparate && flags.some((one) => one.endsWith('=*'));
    const [, variable, isAppended] = /(\w+)(\+?)=\(?["']?\$\{?(?:2\b|1#)/.exec(body) ?? [];
    const [, switched] = /(\w+)=/.exec(body) ?? [];
    const isLong = flag.startsWith('--');
    if (!isSeparate && !isJoined)
      return [switchOf(argumentName(isLong ? flag : (switched ?? `option${flag}`)), flag, line)];
    const name = argumentName(isLong ? flag : (variable ?? `option${flag}`));
    return [optionOf(name, variable, { flag, isJoined, line }, isAppended === '+', script)];
  });
}

function switchOf(name: string, flag: string, line: number): ScriptArgument {
  return {
    name,
    line,
    schema: { type: 'boolean', default: false },
    isRequired: false,
    handing: { as: 'switch', flag },
  };
}

function optionOf(
  name: string,
  variable: string | undefined,
  { flag, isJoined, line }: { readonly flag: string; readonly isJoined: boolean; readonly line: number },
  isList: boolean,
  script: Script,
): ScriptArgument {
  const handing = { as: 'option' as const, flag, isJoined, ...(isList && { isRepeated: true }) };
  if (isList)
    return {
      name,
      line,
      schema: { type: 'array', items: { type: 'string' }, default: [] },
      isRequired: false,
      handing,
    };
  const schema = schemaOfText(name, variable === undefined ? undefined : initialOf(variable, script));
  return {
    name,
    line,
    schema,
    isRequired: variable !== undefined && schema.default === undefined && isAskedFor(variable, script),
    handing,
  };
}

/** The literal that the script gives the variable first. */
function initialOf(variable: string, { lines }: Script): string | undefined {
  const pattern = new RegExp(`(?:^|[\\s;])${variable}=("[^"$\`]*"|'[^']*'|[^\\s;"'$\`()]*)(?=\\s*(?:;|$))`);
  const found = lines.map(({ text }) => pattern.exec(text)?.[1]).find((one) => one !== undefined);
  return found?.replaceAll(/^["']|["']$/g, '');
}

/** Does the script end without it? */
function isAskedFor(variable: string, { lines }: Script): boolean {
  return lines.some(({ text }, at) => {
    if (new RegExp(`\\$\\{${variable}:?\\?`).test(text)) return true;
    if (!new RegExp(`-z\\s+"?\\$\\{?${variable}\\b`).test(text)) return false;
    const next = lines.slice(at, at + 4).map((line) => line.text);
    return /\b(?:exit|die|usage|return|fail|error)\b/.test(next.join('\n'));
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
  for (const line of outside) {
    for (const [, bare, braced, mark = '', value = ''] of line.text.matchAll(
      /(?<!\\)\$(?:([1-9])|\{([1-9])(?:(:?[-=?])([^}]*))?\})/g,
    )) {
      const at = Number(bare ?? braced) + shifted;
      const [, variable] = new RegExp(`(\\w+)=["']?\\$\\{?${bare ?? braced}\\b`).exec(line.text) ?? [];
      const choices = /^\s*case\s/.test(line.text) ? caseWords(outside, line) : [];
      const name = variable ?? (choices.length > 0 ? 'action' : undefined);
      const before = found.get(at);
      const isLiteral = /^[-=]|^:[-=]/.test(mark) && !/[$`]/.test(value);
      const named = argumentName(before?.name ?? name ?? usage[at - 1]?.name ?? `argument_${at}`);
      const ownSchema = schemaOfText(named, isLiteral ? value.replaceAll(/^["']|["']$/g, '') : undefined);
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
    };
  });
}

/** What not every call comes to. */
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

/** `[ $# -lt 2 ]`: two are needed, where the script ends otherwise. */
function leastWords({ text }: Line): number {
  const [, test = '', count = '0'] = /\$\{?#\}?"?\s*(-lt|-ne|-eq|!=|<|==?)\s*"?(\d+)/.exec(text) ?? [];
  if (test === '-eq' || test.startsWith('=')) return count === '0' ? 1 : 0;
  return Number(count);
}

/** The words of the branches; none where they are patterns. */
function caseWords(lines: readonly Line[], start: Line): string[] {
  const from = lines.indexOf(start);
  const to = lines.findIndex(({ text }, at) => at > from && /^\s*esac\b/.test(text));
  const patterns = branchesOf(lines.slice(from, to < 0 ? lines.length : to + 1)).flatMap((branch) => branch.patterns);
  const words = patterns.filter((one) => /^[A-Za-z\d][\w.-]*$/.test(one) && one !== 'help');
  return [...new Set(words)];
}

/** `Usage: pack.sh SOURCE [TARGET]` → their names. */
function usageWords(text: string): { name: string; isOptional: boolean; isMany: boolean }[] {
  const [, words = ''] = /usage:?\s+(?:"?\$\{?0[^\s]*|[\w./-]+)\s+([^"'\n]*)/i.exec(text) ?? [];
  return words
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
    const name = argumentName(list ?? each ?? used ?? 'rest');
    const plural = list === undefined && name !== 'rest' && !name.endsWith('s') ? `${name}s` : name;
    const schema: ArgumentSchema = { type: 'array', items: { type: 'string' }, default: [] };
    return [{ name: plural, line: line.number, schema, isRequired: false, handing: { as: 'rest' } }];
  }
  return [];
}

/** `while [ $# -gt 0 ]; do pack "$1"; shift; done`: each word in turn. */
function readEaten({
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
  const name = argumentName(each.endsWith('s') ? each : `${each}s`);
  const schema: ArgumentSchema = { type: 'array', items: { type: 'string' }, default: [] };
  const line = outside[from]?.number ?? 1;
  return { lines, argument: { name, line, schema, isRequired: false, handing: { as: 'rest' } } };
}

function isEvery({ text }: Line): boolean {
  return /(?<!\\)\$(?:[@*]|\{[@*][^}]*\})/.test(text);
}

/** All words are used in a way of which nothing is made. */
function doubtOfRest({ outside, text }: Script): string[] {
  const line = outside.find((one) => isEvery(one) && !isCallOfMain(one.text, text) && !/\bset --/.test(one.text));
  return line ? [`line ${line.number} uses all words that the script is called with, which may be a list of them`] : [];
}

function isCallOfMain(line: string, text: string): boolean {
  const [, called = ''] = /^\s*([\w:-]+)\s+"?\$(?:@|\{@\})"?\s*$/.exec(line) ?? [];
  return (
    called !== '' &&
    new RegExp(`^\\s*(?:function\\s+)?${called}\\s*\\(\\)|^\\s*function\\s+${called}\\b`, 'm').test(text)
  );
}

function readEnvironment(script: Script): { readonly found: ScriptArgument[]; readonly doubts: string[] } {
  const found = new Map<string, ScriptArgument>();
  const doubts = new Map<string, string>();
  const set = new Set<string>();
  for (const { text, number } of script.lines) {
    for (const [, variable = '', mark = '', value = ''] of text.matchAll(/\$\{([A-Z][A-Z\d_]*)(:?[-=?])([^}]*)\}/g)) {
      if (!isOwnVariable(variable) || set.has(variable) || found.has(variable)) continue;
      const name = argumentName(variable);
      const said = value.replaceAll(/^["']|["']$/g, '');
      const isAsked = mark.endsWith('?');
      const isLiteral = !isAsked && !/[$`]/.test(said);
      const schema = schemaOfText(name, isLiteral ? said : undefined);
      if (isAsked && /\s/.test(said.trim()) && !/[$`]/.test(said)) schema.description = said.trim();
      found.set(variable, {
        name,
        line: number,
        schema,
        isRequired: isAsked,
        handing: { as: 'environment', variable },
      });
    }
    for (const [, variable = ''] of text.matchAll(/(?<!\\)\$\{?([A-Z][A-Z\d_]+)\b(?!:?[-=?+])/g)) {
      if (isOwnVariable(variable) && !set.has(variable) && !found.has(variable) && !doubts.has(variable))
        doubts.set(variable, `$${variable} is used in line ${number}, and the script does not set it before`);
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
