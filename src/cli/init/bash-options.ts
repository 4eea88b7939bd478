// Reads the options of a bash script: `getopts`, and `case` statements whose branches are options.

import { branchesOf, type Line, type Script } from './bash-script.ts';
import { argumentName, type ScriptArgument, schemaOfText } from './script-arguments.ts';

/** An argument, or the reason why a branch does not become an argument. */
export type Option = ScriptArgument | { readonly passedOver: string } | { readonly doubt: string };

/** Finds each loop over the script's words, and each `case` of `$1` whose branches are options. */
export function optionLoops(lines: readonly Line[]): Line[][] {
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

export function readGetopts(loop: readonly Line[], script: Script): Option[] {
  const [, letters = ''] = /getopts\s+["']?:?([A-Za-z\d:]+)/.exec(loop[0]?.text ?? '') ?? [];
  const branches = branchesOf(loop);
  return [...letters.matchAll(/([A-Za-z\d])(:?)/g)].flatMap(([, letter = '', colon]): Option[] => {
    const branch = branches.find(({ patterns }) => patterns.includes(letter));
    const { body = '', line = loop[0]?.number ?? 1 } = branch ?? {};
    const flag = `-${letter}`;
    if (!colon) {
      if (letter === 'h' || isHelp(body)) return [{ passedOver: `${flag} (line ${line})` }];
      const [, variable] = /(\w+)=/.exec(body) ?? [];
      return [switchOf(argumentName(variable ?? `option_${letter}`), flag, line)];
    }
    const { variable, option, isAppended } = assignmentOf('OPTARG', body);
    return [
      optionOf(
        argumentName(option ?? variable ?? `option_${letter}`),
        variable,
        { flag, isJoined: false, line },
        isAppended,
        script,
      ),
    ];
  });
}

/** `EXCL+=("--exclude=$OPTARG")` appends to the variable EXCL, for the option `exclude` of another program. */
function assignmentOf(value: string, body: string) {
  const pattern = new RegExp(`(\\w+)(\\+?)=\\(?["']?(?:--?([A-Za-z][\\w-]*)(?:=|["']?\\s+)["']?)?\\$\\{?${value}`);
  const [, variable, plus, option] = pattern.exec(body) ?? [];
  return { variable, option, isAppended: plus === '+' };
}

function isHelp(body: string): boolean {
  return /^\s*(?:print_|show_)?(?:usage|help|version)\b(?!=)/.test(body);
}

export function readCases(loop: readonly Line[], script: Script): Option[] {
  const found = branchesOf(loop).flatMap(({ patterns, body, line }): Option[] => {
    const flags = patterns.filter((one) => /^--?[A-Za-z][\w-]*(?:=\*)?$/.test(one));
    const written = flags.find((one) => one.startsWith('--')) ?? flags[0];
    if (written === undefined) {
      // `-*`, `--` and `-?*` stand for all other options, or for the end of the options.
      const other = patterns.find((one) => /^-+[^-*?]/.test(one));
      return other === undefined ? [] : [{ doubt: `line ${line}: cannot guess what the option ${other} takes` }];
    }
    const flag = written.replace('=*', '');
    const isSeparate = /\$\{?2\b|shift\s+2/.test(body);
    const isJoined = !isSeparate && flags.some((one) => one.endsWith('=*'));
    const { variable, option, isAppended } = assignmentOf('(?:2\\b|1#)', body);
    const isValued = isSeparate || isJoined;
    if (!isValued && (/^(?:-h|--help|--version)$/.test(flag) || isHelp(body)))
      return [{ passedOver: `${flags.join(', ')} (line ${line})` }];
    const [, switched] = /(\w+)=/.exec(body) ?? [];
    const isLong = flag.startsWith('--');
    if (!isValued) return [switchOf(argumentName(isLong ? flag : (switched ?? `option${flag}`)), flag, line)];
    const name = argumentName(isLong ? flag : (option ?? variable ?? `option${flag}`));
    const aliases = flags.map((one) => one.replace('=*', '')).filter((one) => one !== flag);
    return [optionOf(name, variable, { flag, aliases, isJoined, line }, isAppended, script)];
  });
  return found.filter((one) => !found.some((other) => isSameJoined(one, other)));
}

/** Whether the first is the branch `--max=*`, and the other is the branch `--max`. */
function isSameJoined(one: Option, other: Option): boolean {
  if (!('handing' in one && 'handing' in other)) return false;
  if (one.handing.as !== 'option' || other.handing.as !== 'option') return false;
  return one.handing.isJoined && !other.handing.isJoined && one.handing.flag === other.handing.flag;
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
  {
    line,
    ...how
  }: {
    readonly flag: string;
    readonly aliases?: readonly string[];
    readonly isJoined: boolean;
    readonly line: number;
  },
  isList: boolean,
  script: Script,
): ScriptArgument {
  const handing = { as: 'option' as const, ...how, ...(isList && { isRepeated: true }) };
  if (isList)
    return {
      name,
      line,
      schema: { type: 'array', items: { type: 'string' }, default: [] },
      isRequired: false,
      handing,
    };
  const initial = variable === undefined ? undefined : initialOf(variable, script);
  const schema = schemaOfText(name, initial, variable);
  return {
    name,
    line,
    schema,
    isRequired: variable !== undefined && (initial ?? '') === '' && isAskedFor(variable, script),
    handing,
    variable,
  };
}

/** Returns the first literal that the script assigns to the variable. */
function initialOf(variable: string, { lines }: Script): string | undefined {
  const word = `("[^"$\`]*"|'[^']*'|[^\\s;"'$\`()]*)`;
  // Other assignments may follow on the same line, but no command: only the command would get the value.
  const pattern = new RegExp(`(?:^|[\\s;])${variable}=${word}(?=(?:\\s+\\w+=${word})*\\s*(?:;|$))`);
  const found = lines.map(({ text }) => pattern.exec(text)?.[1]).find((one) => one !== undefined);
  return found?.replaceAll(/^["']|["']$/g, '');
}

/** Whether the script ends if the variable is empty. */
function isAskedFor(variable: string, { lines }: Script): boolean {
  return lines.some(({ text }, at) => {
    if (new RegExp(`\\$\\{${variable}:?\\?`).test(text)) return true;
    if (!new RegExp(`-z\\s+"?\\$\\{?${variable}\\b`).test(text)) return false;
    const next = lines.slice(at, at + 4).map((line) => line.text);
    return /\b(?:exit|die|usage|return|fail|error)\b/.test(next.join('\n'));
  });
}
