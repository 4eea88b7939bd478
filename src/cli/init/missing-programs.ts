// Finds the programs that a shell script calls by name and that this host does not have. Where the text leaves a doubt,
// such as after `source`, it names no program.

import { accessSync, constants, statSync } from 'node:fs';
import { unknownText } from './place.ts';

const builtins = new Set(
  (
    '. : [ [[ alias bg bind break builtin caller case cd command compgen complete compopt continue coproc declare dirs ' +
    'disown do done echo elif else enable esac eval exec exit export false fc fg fi for function getopts hash help ' +
    'history if in jobs kill let local logout mapfile popd printf pushd pwd read readarray readonly return select set ' +
    'shift shopt source suspend test then time times trap true type typeset ulimit umask unalias unset until wait while ' +
    'autoload emulate float integer print setopt unsetopt whence zmodload zparseopts'
  ).split(' '),
);

/** Commands that may define functions or change PATH. */
const defining = /^(?:source|\.|eval|module)$/;

/**
 * @param names the programs that the script calls by name, as written
 * @param path PATH of the script, with marks (`place.ts`)
 */
export function missingPrograms(text: string, names: Iterable<string>, path: string): string[] {
  const all = [...names];
  if (path.includes(unknownText) || all.some((name) => defining.test(name))) return [];
  const doubtful = new Set([...definedIn(text), ...checkedIn(text), ...wordsOfNoCommand(text)]);
  const folders = path.split(':').filter((folder) => folder.startsWith('/'));
  return all.filter(
    (name) =>
      /^[A-Za-z][\w.+-]+$/.test(name) &&
      !name.startsWith('flwd_') &&
      !builtins.has(name) &&
      !doubtful.has(name) &&
      !folders.some((folder) => isProgram(`${folder}/${name}`)),
  );
}

/** The program in a folder of this user's PATH, or in a folder where users keep their own programs. */
export function ownProgram(name: string, home: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(':'), `${home}/bin`, `${home}/.local/bin`];
  return folders.map((folder) => `${folder}/${name}`).find((path) => path.startsWith('/') && isProgram(path));
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** The names of functions and aliases. */
function definedIn(text: string): string[] {
  const found = text.matchAll(/([\w:.+-]+)\s*\(\s*\)|\bfunction\s+([\w:.+-]+)|\balias\s+(?:-\S+\s+)*([\w.+-]+)=/g);
  return [...found].map(({ 1: plain, 2: long, 3: alias }) => plain ?? long ?? alias ?? '');
}

/** The names after `command -v` and the like: the script knows that the host may not have these programs. */
function checkedIn(text: string): string[] {
  const found = text.matchAll(/\b(?:command\s+-[vV]|which|hash|type)((?:\s+[\w.+-]+)+)/g);
  return [...found].flatMap(({ 1: words = '' }) => words.trim().split(/\s+/));
}

/** The words in arithmetic, lists and conditions, whose lines and operators look like commands. */
function wordsOfNoCommand(text: string): string[] {
  return (text.match(/\(\([\s\S]*?\)\)|=\([^)]*\)|\[\[[\s\S]*?\]\]/g) ?? []).flatMap((part) => part.split(/[^\w.+-]+/));
}
