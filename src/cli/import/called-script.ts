// Finds what a script uses when a command calls it. Reads the script as `flwd init --from` does, and puts the words of the
// call in place of the script's arguments.

import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { isTarget } from '../init/path-requests.ts';
import { type Place, placeOf, plainText, type Roots } from '../init/place.ts';
import type { ScriptArgument } from '../init/script-arguments.ts';
import { guessOf, type Language, languageOf, usesOf } from '../init/script-job.ts';
import { type Call, type FileUse, noUses, type Uses } from '../init/uses.ts';

const mostBytes = 2 ** 20;

type Script = { readonly language: Language; readonly text: string; readonly arguments: readonly ScriptArgument[] };

/** Many lines of a crontab may call the same script, and one of 1 MiB takes a second. Each is read once. */
const readScripts = new Map<string, Script | undefined>();
const foundUses = new Map<string, Uses>();

/** Returns no uses for a file that cannot be read, or whose language is not known. */
export function usesOfCall({ path, words, folder }: Call, roots: Roots): Uses {
  const script = kept(readScripts, path, () => readScript(path));
  if (script === undefined) return noUses;
  const given = valuesOf(script.arguments, words);
  const names = [...given.keys()].map(({ name }) => name);
  const uses = kept(foundUses, JSON.stringify([path, names, roots]), () => usesOf(script, [...given.keys()], roots));
  const placesOf = (name: string): Place[] =>
    [...given].flatMap(([argument, values]) =>
      argument.name === name ? values.flatMap((value) => placeIn(folder, value, roots) ?? []) : [],
    );
  const written = [...given.keys()].filter(
    ({ name }) => isTarget(name) && !uses.files.some(({ place }) => place.arg === name),
  );
  return {
    ...uses,
    files: [
      ...uses.files.flatMap((use) => (use.place.arg === undefined ? [use] : usesAt(use, placesOf(use.place.arg)))),
      ...written.flatMap(({ name, line }) =>
        placesOf(name).map((place): FileUse => ({ kind: 'write', place, line, by: name, isNewFile: false })),
      ),
    ],
  };
}

/** The place of a word. A relative path is below the folder that the caller has changed to. */
function placeIn(folder: string | undefined, word: string, roots: Roots): Place | undefined {
  return placeOf(word, roots) ?? (folder === undefined ? undefined : placeOf(`${folder}/${word}`, roots));
}

/** `"$1/x"` is something below the path in the argument. */
function usesAt(use: FileUse, places: readonly Place[]): FileUse[] {
  return places.map((place) => {
    const isWhole = use.place.isWhole && place.isWhole;
    return { ...use, place: { ...place, isWhole }, isNewFile: use.isNewFile && isWhole };
  });
}

/** Finds the values that the words of a call give to the arguments. Arguments without a value are left out. */
function valuesOf(all: readonly ScriptArgument[], words: readonly string[]): Map<ScriptArgument, readonly string[]> {
  const left = [...words];
  const given = new Map<ScriptArgument, readonly string[]>();
  for (const argument of all) {
    const { handing } = argument;
    if (handing.as === 'option') {
      const values = takeOption(left, [handing.flag, ...(handing.aliases ?? [])]);
      if (values.length > 0) given.set(argument, values);
    }
  }
  const operands = left.filter((word) => !word.startsWith('-'));
  for (const argument of all) {
    const { as } = argument.handing;
    const values = as === 'position' ? operands.splice(0, 1) : as === 'rest' ? operands.splice(0) : [];
    if (values.length > 0) given.set(argument, values);
  }
  return given;
}

/** Takes an option out of the words, in each form: `--to DIR`, `--to=DIR`. Returns its values. */
function takeOption(words: string[], flags: readonly string[]): string[] {
  const values: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    const flag = flags.find((one) => word === one || word.startsWith(`${one}=`));
    if (flag === undefined) continue;
    const isJoined = word !== flag;
    const taken = words.splice(at, isJoined ? 1 : 2);
    values.push(isJoined ? word.slice(flag.length + 1) : (taken[1] ?? ''));
    at -= 1;
  }
  return values;
}

function readScript(path: string): Script | undefined {
  const text = scriptText(path);
  if (text === undefined) return undefined;
  const language = /^#!.*\bzsh\b/.test(text) ? 'sh' : languageOf(basename(path), text);
  return { language, text, arguments: guessOf({ language, text }).arguments };
}

function kept<T>(all: Map<string, T>, key: string, make: () => T): T {
  const before = all.get(key);
  if (before !== undefined) return before;
  const made = make();
  all.set(key, made);
  return made;
}

/** Returns undefined if the file cannot be read. */
export function scriptText(path: string): string | undefined {
  try {
    const stat = statSync(path);
    return stat.isFile() && stat.size <= mostBytes ? plainText(readFileSync(path, 'utf8')) : undefined;
  } catch {
    return undefined;
  }
}
