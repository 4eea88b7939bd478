// Names a job after the part of a shell command that says what it does.

import { basename } from 'node:path';
import { readFlock } from '../init/flock.ts';
import { readShell } from '../init/shell-call.ts';
import { commandsOf, expand } from '../init/shell-commands.ts';
import { withoutWrappers } from '../init/shell-programs.ts';
import { shells, withoutKeywords } from '../init/shell-uses.ts';

type Candidate = {
  readonly name: string;
  /** False for a command such as `cd` or `sleep`, which does not say what the line is for. */
  readonly says: boolean;
};

type Interpreter = {
  readonly names: RegExp;
  /** Options that are followed by code, such as `-c`. */
  readonly code: RegExp;
  readonly module?: RegExp;
  /** Options whose value is the next word. */
  readonly valued: RegExp;
};

const preparing =
  /^(?:cd|pushd|popd|sleep|set|source|\.|export|unset|eval|test|\[|\[\[|true|false|:|umask|ulimit|echo|printf|date|logger|trap|exit|read|wait|mkdir|for|su|runuser)$/;
const interpreters: readonly Interpreter[] = [
  { names: /^python[\d.]*$/, code: /^-[a-zA-Z]*c$/, module: /^-[a-zA-Z]*m$/, valued: /^-[a-zA-Z]*[WX]$/ },
  { names: /^perl$/, code: /^-[a-z\d]*[eE]$/, valued: /^-I$/ },
  { names: /^ruby$/, code: /^-[a-z\d]*e$/, valued: /^-[CEIr]$/ },
  {
    names: /^node$/,
    code: /^(?:-p?e|-p|--eval|--print)$/,
    valued: /^(?:-[Cr]|--(?:conditions|env-file|import|require))$/,
  },
  { names: /^php[\d.]*$/, code: /^-[BERr]$/, valued: /^-[cdz]$/ },
];
const makers = /^(?:g?make|just|rake|task)$/;
const packageManagers = /^(?:npm|pnpm|yarn|bun)$/;
const mostDepth = 8;

/**
 * Returns a name. For example, `cd /srv && KEEP=14 python3 bin/backup.py` becomes `backup`, and `cd ~/proj && npm run
 * nightly` becomes `nightly`.
 */
export function nameOf(command: string): string {
  const all = candidatesIn(command, 0);
  return (all.find(({ says }) => says) ?? all[0])?.name ?? 'cron';
}

function candidatesIn(text: string, depth: number): Candidate[] {
  if (depth > mostDepth) return [];
  return commandsOf(text)
    .filter(({ isNested }) => !isNested)
    .flatMap(({ words }) => candidatesOf(words.map(plain), depth));
}

function plain(word: string): string {
  return expand(word, { textOf: (name) => name, home: '~', script: '', unknown: '' });
}

function candidatesOf(written: readonly string[], depth: number): Candidate[] {
  if (depth > mostDepth) return [];
  const own = withoutKeywords(written);
  const from = own.findIndex((word) => !/^\w+=/.test(word));
  const [path = '', ...operands] = withoutWrappers(from < 0 ? [] : own.slice(from)).words;
  const program = basename(path);
  if (program === '') return [];
  const named = (name: string | undefined): Candidate[] => [
    name === undefined || name === '' ? { name: withoutEnding(program), says: false } : { name, says: true },
  ];
  if (program === 'flock') {
    const { command } = readFlock(operands);
    return command[0] === '-c' ? candidatesIn(command[1] ?? '', depth + 1) : candidatesOf(command, depth + 1);
  }
  if (shells.test(program)) {
    const { script, file } = readShell(operands);
    return script === undefined ? named(file && withoutEnding(basename(file))) : candidatesIn(script, depth + 1);
  }
  const script = program === 'su' || program === 'runuser' ? scriptOfSu(operands) : undefined;
  if (script !== undefined) return candidatesIn(script, depth + 1);
  if (preparing.test(program)) return named(undefined);
  const interpreter = interpreters.find(({ names }) => names.test(program));
  if (interpreter) return named(programOf(interpreter, operands));
  if (packageManagers.test(program)) return [{ name: after(/^run(?:-script)?$/, operands) ?? program, says: true }];
  if (makers.test(program)) return [{ name: targetIn(operands) ?? program, says: true }];
  if (/^(?:docker|podman)(?:-compose)?$/.test(program) && `${program} ${operands.join(' ')}`.includes('compose'))
    return [{ name: after(/^(?:run|exec)$/, operands) ?? program, says: true }];
  return named(withoutEnding(program));
}

/** Returns the word after `-c` of `su`. The name of the user may come before `-c`. */
function scriptOfSu(operands: readonly string[]): string | undefined {
  const at = operands.findIndex((word) => /^-[a-z]*c$/.test(word));
  return at < 0 ? undefined : operands[at + 1];
}

/**
 * Returns the name of the module, or of the file without its ending; undefined if the words contain code, or name no
 * module and no file.
 */
function programOf({ code, module, valued }: Interpreter, operands: readonly string[]): string | undefined {
  let at = 0;
  for (; operands[at]?.startsWith('-'); at++) {
    const option = operands[at] ?? '';
    if (code.test(option)) return undefined;
    if (module?.test(option)) return operands[at + 1];
    if (valued.test(option)) at += 1;
  }
  const file = operands[at];
  return file && withoutEnding(basename(file));
}

/**
 * Returns the first operand after a word such as `run`: `nightly` in `--prefix web run nightly`, and in `compose run
 * --rm -e A=b nightly`.
 */
function after(verb: RegExp, operands: readonly string[]): string | undefined {
  const from = operands.findIndex((word) => verb.test(word));
  if (from < 0) return undefined;
  let at = from + 1;
  while (operands[at]?.startsWith('-'))
    at += /^(?:-[evwup]|--(?:env|volume|workdir|user|name|entrypoint))$/.test(operands[at] ?? '') ? 2 : 1;
  return operands[at]?.replaceAll('/', '-');
}

function targetIn(operands: readonly string[]): string | undefined {
  return operands
    .find((word, at) => !/^-|=/.test(word) && !/^-[Cfj]$/.test(operands[at - 1] ?? ''))
    ?.replaceAll('/', '-');
}

function withoutEnding(name: string): string {
  return name.replace(/\.\w{1,4}$/, '') || name;
}
