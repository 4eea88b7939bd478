// Reads units of systemd, with their drop-ins from all folders, by the rules of systemd.unit(5) and systemd.syntax(7).

import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';

export type Unit = {
  readonly name: string;
  /** The paths of the files in the order in which they were read. */
  readonly files: readonly string[];
  /**
   * All values of a key, in order. An empty value removes the values before it. In a timer, it removes all times, also
   * those of other keys.
   */
  readonly all: (section: string, key: string) => readonly string[];
  readonly last: (section: string, key: string) => string | undefined;
  /** The keys of a section that have a value. */
  readonly keys: (section: string) => readonly string[];
};

const mostBytes = 2 ** 20;
const mostDropIns = 100;

/** @param folders in the order of their priority */
export function readUnit(name: string, folders: readonly string[]): Unit | { readonly problem: string } {
  const path = folders.map((folder) => join(folder, name)).find((one) => existsSync(one));
  const template = name.replace(/@.+\./, '@.');
  const fromTemplate = folders.map((folder) => join(folder, template)).find((one) => existsSync(one));
  const main = path ?? fromTemplate;
  if (main === undefined) return { problem: `there is no file ${name}` };
  if (realpathSync(main) === '/dev/null') return { problem: `${name} is masked` };
  const files = [main, ...dropInsOf([name, template], folders)];
  const values = new Map<string, string[]>();
  for (const file of files) {
    const text = readSmall(file);
    if (text === undefined) return { problem: `${file} is not a text file of at most 1 MiB` };
    for (const { section, key, value } of assignmentsOf(text)) {
      const place = `${section}.${key}`;
      if (value === '' && place.startsWith('Timer.On')) {
        for (const one of values.keys()) if (one.startsWith('Timer.On')) values.set(one, []);
      } else if (value === '') values.set(place, []);
      else values.set(place, [...(values.get(place) ?? []), value]);
    }
  }
  const all = (section: string, key: string): readonly string[] => values.get(`${section}.${key}`) ?? [];
  return {
    name,
    files,
    all,
    last: (section, key) => all(section, key).at(-1),
    keys: (section) =>
      [...values]
        .filter(([place, of]) => of.length > 0 && place.startsWith(`${section}.`))
        .map(([place]) => place.slice(section.length + 1)),
  };
}

/** The drop-ins of `a-b.service` are in service.d, a-.service.d and a-b.service.d. The last one wins. */
function dropInsOf(names: readonly string[], folders: readonly string[]): string[] {
  const [name = ''] = names;
  const type = name.slice(name.lastIndexOf('.') + 1);
  const stem = name.slice(0, -type.length - 1);
  const prefixes = [...stem.matchAll(/-/g)].map(({ index }) => `${stem.slice(0, index + 1)}.${type}`);
  const found = new Map<string, string>();
  for (const dir of [...new Set([...names, ...prefixes.toReversed(), type])].flatMap((of) =>
    folders.map((folder) => join(folder, `${of}.d`)),
  )) {
    for (const file of listOf(dir).filter((one) => one.endsWith('.conf'))) {
      if (!found.has(file) && found.size < mostDropIns) found.set(file, join(dir, file));
    }
  }
  return [...found].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
}

/** Empty if the folder does not exist. */
export function listOf(folder: string): string[] {
  try {
    return readdirSync(folder).toSorted();
  } catch {
    return [];
  }
}

function readSmall(path: string): string | undefined {
  try {
    const stat = statSync(path);
    if (!stat.isFile() || stat.size > mostBytes) return undefined;
    const text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
    return text.includes('\0') ? undefined : text;
  } catch {
    return undefined;
  }
}

function isComment(line: string): boolean {
  return /^\s*[#;]/.test(line);
}

function* assignmentsOf(text: string): Generator<{ section: string; key: string; value: string }> {
  let section = '';
  const lines = text.split(/\r?\n/);
  for (let at = 0; at < lines.length; at++) {
    let line = lines[at] ?? '';
    if (isComment(line)) continue;
    // Comments between continued lines do not end them.
    while (line.endsWith('\\') && at + 1 < lines.length) {
      at += 1;
      if (!isComment(lines[at] ?? '')) line = `${line.slice(0, -1)} ${lines[at]}`;
    }
    const header = /^\s*\[([^\]]+)\]\s*$/.exec(line);
    if (header) section = header[1] ?? '';
    const assignment = /^\s*([A-Za-z][\w-]*)\s*=\s*(.*?)\s*$/s.exec(line);
    if (assignment) yield { section, key: assignment[1] ?? '', value: assignment[2] ?? '' };
  }
}

const escapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  s: ' ',
};

/**
 * The word that `splitWords` returns for `;` without quotes or a backslash. Another command begins after it. No text
 * contains this value.
 */
export const commandEnd = '\0;';

/** Splits like systemd: white space separates, quotes group, backslashes escape. undefined if a quote is not closed. */
export function splitWords(text: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? '';
    if (character === '\\') {
      const code = /^\\(?:x([\da-fA-F]{2})|([0-7]{3})|u([\da-fA-F]{4}))/.exec(text.slice(at, at + 6));
      const number = code ? Number.parseInt(code[1] ?? code[2] ?? code[3] ?? '', code[2] === undefined ? 16 : 8) : 0;
      const next = text[at + 1] ?? '';
      word = (word ?? '') + (code ? String.fromCodePoint(number) : (escapes[next] ?? next));
      at += code ? code[0].length - 1 : 1;
    } else if (quote !== undefined) {
      if (character === quote) quote = undefined;
      else word = (word ?? '') + character;
    } else if (character === '"' || character === "'") {
      quote = character;
      word ??= '';
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (word === undefined && /^;(?:\s|$)/.test(text.slice(at, at + 2))) word = commandEnd;
    else word = (word ?? '') + character;
  }
  if (quote !== undefined) return undefined;
  return word === undefined ? words : [...words, word];
}
