// Reads the commands in a shell script to find what the script uses, above all the files that it reads or writes.

import { existsSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { type HostNeed, hostNeedOf } from '../../domain/host-needs.ts';
import type { SecurityProfile } from '../../domain/job.ts';
import { isSecretName } from '../../lib/secret-name.ts';
import { systemPath } from '../../lib/system-path.ts';
import { codeOf, topLevel } from './bash-script.ts';
import { readFlock } from './flock.ts';
import { missingPrograms, ownProgram } from './missing-programs.ts';
import {
  argumentText,
  homeText,
  isInSandbox,
  placeOf,
  type Roots,
  scriptText,
  unknownText,
  workspaceFile,
} from './place.ts';
import type { ScriptArgument } from './script-arguments.ts';
import { readShell } from './shell-call.ts';
import { commandsOf, expand, type ShellCommand } from './shell-commands.ts';
import { filesOf, isOfNetwork, withoutWrappers } from './shell-programs.ts';
import type { Call, FileUse, Lock, Missing, Note, Uses } from './uses.ts';

type Walk = {
  readonly roots: Roots;
  /**
   * Variables that contain arguments of the script. They still count as arguments after the script assigns values to
   * them.
   */
  readonly arguments: ReadonlyMap<string, string>;
  readonly pathArguments: ReadonlySet<string>;
  readonly outsideLines: ReadonlySet<number>;
  readonly variables: Map<string, string>;
  /** Variables that contain a path and for which no use was found. */
  readonly constants: Map<string, { readonly text: string; readonly line: number }>;
  folder: string | undefined;
  readonly files: FileUse[];
  readonly left: Set<string>;
  readonly here: Map<string, number>;
  readonly notes: Map<string, Note>;
  readonly programs: Set<string>;
  /** The programs that the script calls by name, as written, with the line of the first call. */
  readonly names: Map<string, number>;
  /** The scripts that the script calls and that do not exist. */
  readonly absent: Map<string, Missing>;
  readonly calls: Call[];
  network: string | undefined;
  /** The lock that the script takes. `file` is a path with marks, or the number of a descriptor. */
  lock: (Lock & { readonly file: string }) | undefined;
  /** The files that the shell opens, by the numbers of their descriptors. */
  readonly descriptors: Map<string, string>;
  /** How deep the command is nested in commands such as `flock` and `sh -c`. */
  depth: number;
};

export function shellUses(text: string, all: readonly ScriptArgument[], roots: Roots): Uses {
  const lines = codeOf(text);
  const positions = all.filter(({ handing }) => handing.as === 'position');
  const walk: Walk = {
    roots,
    arguments: new Map([
      ...all.flatMap(({ name, variable, schema }): [string, string][] =>
        variable === undefined || schema.type !== 'string' ? [] : [[variable, argumentText(name)]],
      ),
      // In `for file in "$@"`, the variable of the loop stands for one of the words.
      ...all.flatMap(({ name, handing }): [string, string][] =>
        handing.as === 'rest'
          ? [
              ['@', argumentText(name)],
              ['*', argumentText(name)],
            ]
          : [],
      ),
      ...positions.map(({ name }, at): [string, string] => [String(at + 1), argumentText(name)]),
    ]),
    pathArguments: new Set(all.filter(({ schema }) => schema.format === 'path').map(({ name }) => name)),
    outsideLines: new Set(topLevel(lines).map(({ number }) => number)),
    variables: new Map(Object.entries({ PATH: systemPath, ...roots.environment })),
    constants: new Map(),
    folder: undefined,
    files: [],
    left: new Set(),
    here: new Map(),
    notes: new Map(),
    programs: new Set(),
    names: new Map(),
    absent: new Map(),
    calls: [],
    network: undefined,
    lock: undefined,
    descriptors: new Map(),
    depth: 0,
  };
  for (const command of commandsOf(lines.map((line) => line.text).join('\n'))) visit(walk, command);
  for (const [name, { text: value, line }] of walk.constants) note(walk, 'read', value, { line, by: name });
  const missing = missingIn(walk, text);
  return {
    files: walk.files,
    network: walk.network,
    left: [...walk.left],
    here: [...walk.here].map(([name, line]) => ({ name, line })),
    lock: walk.lock && { ...walk.lock, file: lockFileOf(walk, walk.lock.file) },
    notes: [
      ...walk.notes.values(),
      ...missing.map((one): Note => ({ text: `line ${one.line}: ${one.text}`, fineIn: 'disabled' })),
    ],
    programs: [...walk.programs],
    missing,
    calls: walk.calls,
    variables: walk.variables,
  };
}

function visit(walk: Walk, command: ShellCommand): void {
  const { line, redirects } = command;
  const whole = assign(walk, withoutKeywords(command.words), line);
  const { words, isSudo } = withoutWrappers(whole);
  if (!isSudo) nameOf(walk, whole, words, line);
  const program = basename(words[0]?.replaceAll(/["'\\]/g, '') ?? '');
  const said = (key: string, text: string, fineIn?: SecurityProfile) => {
    if (!walk.notes.has(key)) walk.notes.set(key, { text: `line ${line}: ${text}`, ...(fineIn && { fineIn }) });
  };
  walk.programs.add(isSudo ? 'sudo' : program);
  if (isSudo)
    said(
      'sudo',
      'a job cannot become another user with sudo: remove sudo, and give the user of the server the rights that the command needs, or name the other user in run_as',
    );
  for (const { isWrite, word, descriptor } of redirects) {
    const kind = isWrite ? 'write' : 'read';
    const file = inFolder(walk, expanded(walk, word, line), kind);
    if (descriptor !== '') walk.descriptors.set(descriptor, file);
    note(walk, kind, file, { line, by: isWrite ? '>' : '<', isNewFile: isWrite });
  }
  if (program === 'for') loopOver(walk, words, line);
  if (program === 'flock') {
    lockBy(walk, words.slice(1), line);
    return;
  }
  if (shells.test(program)) visitScript(walk, words.slice(1), line);
  const need = hostNeedOf(program);
  if (need !== undefined && need !== 'another user')
    said(beyondFiles[need], `${program} ${beyondFiles[need]}`, 'disabled');
  const written = words[0] === undefined ? '' : expanded(walk, words[0], line);
  const called = written.includes('/') ? inFolder(walk, written, 'read') : fileOnPath(walk, written);
  const operands = words.slice(1).map((word) => expanded(walk, word, line));
  if (isNamedPath(walk, called)) callScript(walk, called, operands, line);
  if (interpreters.test(program)) {
    const at = operands.findIndex((word) => !word.startsWith('-'));
    const file = inFolder(walk, operands[at] ?? '', 'read');
    if (isNamedPath(walk, file)) callScript(walk, file, operands.slice(at + 1), line);
  }
  if (walk.network === undefined && isOfNetwork(program, operands)) {
    const verb = program === 'git' ? ` ${operands.find((word) => /^[a-z]/.test(word)) ?? ''}` : '';
    walk.network = `line ${line}: ${program}${verb}`;
  }
  if (/^(?:ssh|scp|sftp|rsync)$/.test(program) && isOfNetwork(program, operands))
    said(
      'ssh',
      `${program} finds no keys in a sandbox: docs/guides/ssh-keys.md shows how to give the job a key of its own`,
      'permissive',
    );
  for (const { kind, word, isNewFile, isCertain } of filesOf(program, operands)) {
    const isPath = isCertain || isNamedPath(walk, word);
    if (isPath) note(walk, kind, inFolder(walk, word, kind), { line, by: program, isNewFile });
  }
  if (!command.isNested && (program === 'cd' || program === 'pushd'))
    walk.folder = operands[0] === undefined ? undefined : inFolder(walk, operands[0], 'read');
}

/** An option of a wrapper such as `xargs` may take a word that is no program, so only simple wrappers count. */
function nameOf({ names }: Walk, whole: readonly string[], words: readonly string[], line: number): void {
  const wrapping = whole.slice(0, whole.length - words.length);
  const isSimple = wrapping.every((word) =>
    /^(?:nice|ionice|nohup|timeout|chronic|exec|\d+[smhd]?|-[nck]?\d*)$/.test(word),
  );
  for (const name of [wrapping[0], isSimple ? words[0] : undefined])
    if (name !== undefined && !names.has(name)) names.set(name, line);
}

function missingWords(name: string, home: string): string {
  const own = ownProgram(name, home);
  return own === undefined
    ? `\`${name}\` is not installed here`
    : `a job does not find \`${name}\`, because its PATH lacks ${dirname(own)}: call it as ${own}`;
}

/** A script that another command writes or checks before the call may be missing now. */
function missingIn({ names, absent, files, variables, roots }: Walk, text: string): Missing[] {
  const programs = missingPrograms(text, names.keys(), variables.get('PATH') ?? unknownText);
  const handled = files.filter(({ kind, by }) => kind === 'write' || /^(?:\[|\[\[|test)$/.test(by));
  const isHandled = (path: string): boolean => handled.some(({ place }) => `${path}/`.startsWith(`${place.path}/`));
  return [
    ...programs.map((name) => ({
      text: missingWords(name, roots.home),
      line: names.get(name) ?? 1,
      isOfHome: false,
    })),
    ...[...absent].flatMap(([path, one]) => (isHandled(path) ? [] : [one])),
  ];
}

/**
 * Returns the path of a program that the shell finds through PATH and that a sandbox does not show; otherwise the name.
 */
function fileOnPath({ variables, roots }: Walk, name: string): string {
  if (!/^[\w.+-]+$/.test(name)) return name;
  for (const folder of variables.get('PATH')?.split(':') ?? []) {
    const path = `${folder.replace(/^~(?=\/|$)/, homeText)}/${name}`;
    const place = placeOf(path, roots);
    if (place?.isWhole !== true || statSync(place.path, { throwIfNoEntry: false })?.isFile() !== true) continue;
    return isInSandbox(place.path) ? name : path;
  }
  return name;
}

function callScript(walk: Walk, file: string, words: readonly string[], line: number): void {
  const place = placeOf(file, walk.roots);
  if (place?.isWhole === true && place.arg === undefined && !isThere(place.path)) {
    const { path, isOfHome } = place;
    if (!/^\/(?:tmp|dev|proc|run)\//.test(path))
      walk.absent.set(path, { text: `${path} does not exist`, line, isOfHome });
    return;
  }
  note(walk, 'read', file, { line, by: 'runs it' });
  if (place?.isWhole === true && place.arg === undefined)
    walk.calls.push({ path: place.path, words, folder: walk.folder });
}

/** True also if flwd may not look. */
function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
}

const keywords = /^(?:if|then|elif|else|do|while|until|!|\{|\}|time|fi|done|esac|case|in|function)$/;

export function withoutKeywords(words: readonly string[]): readonly string[] {
  const from = words.findIndex((word) => !keywords.test(word));
  return from < 0 ? [] : words.slice(from);
}

/** Stores the values of the assignments at the start of a command, and returns the words after them. */
function assign(walk: Walk, words: readonly string[], line: number): readonly string[] {
  const isDeclaration = /^(?:export|readonly|local|declare|typeset)$/.test(words[0] ?? '');
  let at = isDeclaration ? words.findIndex((word, index) => index > 0 && !word.startsWith('-')) : 0;
  if (at < 0) return [];
  for (; at < words.length; at++) {
    const [, name = '', written = ''] = /^([A-Za-z_]\w*)\+?=([\s\S]*)$/.exec(words[at] ?? '') ?? [];
    if (name === '') {
      if (isDeclaration) continue;
      break;
    }
    const value = expanded(walk, written, line);
    if (isSecretName(name) && /^[^\s/~\uE000-\uE004][^\s\uE000-\uE004]{3,}$/.test(value) && !walk.arguments.has(name))
      walk.notes.set(name, {
        text:
          `line ${line}: everyone who may read the job's files sees the value of ${name}: write : "\${${name}:?}" instead, ` +
          'which makes it a secret argument, and start over',
      });
    if (walk.arguments.has(name)) continue;
    // A variable that begins empty gets its real value later, so the value is not known.
    walk.variables.set(name, value === '' ? unknownText : value);
    if (placeOf(value, walk.roots)?.arg === undefined && isNamedPath(walk, value) && isOwnPath(name))
      walk.constants.set(name, { text: value, line });
  }
  return words.slice(at);
}

function isOwnPath(name: string): boolean {
  return !/^(?:PATH|SHELL|HOME|MANPATH|LD_\w+|XDG_\w+)$/.test(name);
}

function expanded(walk: Walk, word: string, line: number): string {
  const textOf = (name: string): string => {
    // In a function, `$1` is an argument of the function, not of the script.
    if (/^(?:\d+|[@*])$/.test(name) && !walk.outsideLines.has(line)) return unknownText;
    if (name === 'HOME') return homeText;
    walk.constants.delete(name);
    return walk.arguments.get(name) ?? walk.variables.get(name) ?? unknownText;
  };
  return expand(word, { textOf, home: homeText, script: scriptText, unknown: unknownText });
}

/** A relative path, seen from the folder that the script has changed to. */
function inFolder(walk: Walk, word: string, kind: 'read' | 'write'): string {
  const isRelative = placeOf(word, walk.roots) === undefined && !/^[/\uE000\uE003\uE004]/.test(word);
  if (walk.folder === undefined || !isRelative || (kind === 'read' && !/[./]/.test(word))) return word;
  return word === '.' || word === '' ? walk.folder : `${walk.folder}/${word.replace(/^\.\//, '')}`;
}

/** Whether an operand of any program is a path, and not a part of a pattern or an address. */
function isNamedPath(walk: Walk, word: string): boolean {
  const place = placeOf(word, walk.roots);
  if (place === undefined || /\s/.test(place.path)) return false;
  if (place.arg !== undefined) return walk.pathArguments.has(place.arg) || word.includes('/');
  if (place.isOfScript) return true;
  return existsSync(`/${place.path.split('/')[1] ?? ''}`) && place.path !== '/';
}

function note(
  walk: Walk,
  kind: FileUse['kind'],
  text: string,
  o: { readonly line: number; readonly by: string; readonly isNewFile?: boolean },
): void {
  const place = placeOf(text, walk.roots);
  if (place) {
    walk.files.push({ kind, place, line: o.line, by: o.by, isNewFile: o.isNewFile === true && place.isWhole });
    return;
  }
  const name = walk.folder === undefined ? workspaceFile(text) : undefined;
  if (name === undefined) return;
  // Files that the script includes are reported elsewhere.
  if (kind === 'read' && !/^(?:source|\.)$/.test(o.by)) walk.here.set(name, o.line);
  if (kind === 'write' && o.isNewFile === true) walk.left.add(name);
}

/** The loop's variable gets the first item as its value, because the others are most likely in the same folder. */
function loopOver(walk: Walk, words: readonly string[], line: number): void {
  const [name = '', , ...items] = words.slice(1).map((word, at) => (at === 0 ? word : expanded(walk, word, line)));
  for (const item of items) if (isNamedPath(walk, item)) note(walk, 'read', item, { line, by: 'for' });
  if (!walk.arguments.has(name)) walk.variables.set(name, items[0] ?? unknownText);
}

/** @param words after `flock` */
function lockBy(walk: Walk, words: readonly string[], line: number): void {
  const { lock, onConflict, waits, command } = readFlock(words);
  const file = inFolder(walk, expanded(walk, lock, line), 'write');
  note(walk, 'write', file, { line, by: 'flock', isNewFile: true });
  if (onConflict !== undefined) walk.lock ??= { line, onConflict, waits, file };
  if (command[0] === '-c' || command[0] === '--command') visitScript(walk, ['-c', ...command.slice(1)], line);
  else visitInside(walk, [{ words: command, redirects: [], line, isNested: false }]);
}

const mostDepth = 8;

/** Visits the commands of a nested shell. They cannot change the current folder of the outer shell. */
function visitInside(walk: Walk, commands: readonly ShellCommand[]): void {
  if (walk.depth === mostDepth) return;
  const { folder } = walk;
  walk.depth += 1;
  for (const command of commands) visit(walk, command);
  walk.depth -= 1;
  walk.folder = folder;
}

function lockFileOf({ descriptors, roots }: Walk, written: string): string | undefined {
  const place = placeOf(descriptors.get(written) ?? written, roots);
  return place?.isWhole === true && place.arg === undefined ? place.path : undefined;
}

const interpreters = /^(?:python[\d.]*|node)$/;
export const shells = /^(?:ba|da|z|k)?sh$/;

/** @param words after the name of the shell */
function visitScript(walk: Walk, words: readonly string[], line: number): void {
  const { script, file, operands } = readShell(words);
  if (script !== undefined) visitInside(walk, commandsOf(expanded(walk, script, line), line));
  if (file === undefined) return;
  const path = inFolder(walk, expanded(walk, file, line), 'read');
  if (!isNamedPath(walk, path)) return;
  const given = operands.map((word) => expanded(walk, word, line));
  callScript(walk, path, given, line);
}

const serviceWords = 'talks to a service of the host, which a sandbox hides: only the profile disabled shows it';

/** Notes about programs that need more from the host than files and the network. sudo is handled separately. */
const beyondFiles: Readonly<Record<Exclude<HostNeed, 'another user'>, string>> = {
  schedules: 'cannot reach the tables of cron from a sandbox: schedules in config.yaml replace them',
  services: serviceWords,
  containers: serviceWords,
  'root privileges': 'needs root privileges, which a job in a sandbox never has',
  mail: 'hands mail to the mail system of this machine, which a sandbox hides: for a mail when a run fails, use notify in config.yaml with a channel for mail',
};
