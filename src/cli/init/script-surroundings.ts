// Finds what a script uses besides its arguments: files beside it, the network, paths of this machine. The sandbox
// hides all of them unless the job asks for them.

import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, normalize, relative } from 'node:path';
import type { NewFile } from './job-folder.ts';
import { lineAt, pythonModules } from './source-literals.ts';
import type { Note, Uses } from './uses.ts';

type Language = 'sh' | 'python' | 'node' | 'pwsh' | 'other';

const mostFiles = 20;
const mostBytes = 2 ** 20;

const pythonNetwork =
  /^(?:requests|urllib|http\.client|httpx|aiohttp|socket|smtplib|ftplib|boto3|paramiko|psycopg2?)\b/;

const networkOf: Readonly<Partial<Record<Language, RegExp>>> = {
  node: /\b(fetch)\(|["'](?:node:)?(https?|net|tls|dgram)["']/g,
  pwsh: /\b(Invoke-WebRequest|Invoke-RestMethod)\b/g,
};

/** The first use of the network, with its line; undefined if the script seems not to use it. */
export function networkUse(language: Language, text: string): string | undefined {
  const code = withoutComments(text);
  if (language === 'python') {
    const [use] = pythonModules(code).flatMap(({ name, line }) =>
      (pythonNetwork.exec(name) ?? []).map((module) => `line ${line}: ${module}`),
    );
    return use;
  }
  const pattern = networkOf[language];
  const [found] = pattern ? code.matchAll(pattern) : [];
  const name = found?.[1] ?? found?.[2];
  return found && name ? `line ${lineAt(code, found.index + found[0].indexOf(name))}: ${name}` : undefined;
}

type Siblings = { readonly files: readonly NewFile[]; readonly doubts: readonly string[] };

/**
 * Finds the files that a script includes from its own folder, directly or through other included files.
 * @param path the script's path
 */
export function siblingsOf(path: string, language: Language, text: string): Siblings {
  const dir = dirname(path);
  const files = new Map<string, NewFile>();
  const doubts: string[] = [];
  const look = (of: string, code: string) => {
    for (const { name, line, written, isFromHere } of takenIn(language, code)) {
      // The name may be relative to the folder of the including file, or to the folder of the main script.
      const places = [normalize(join(dirname(of), name)), normalize(name)];
      const inside = places.find((one) => isFile(join(dir, one))) ?? normalize(name);
      const where = `line ${line}${of === basename(path) ? '' : ` of ${of}`}`;
      if (isFromHere)
        doubts.push(
          `${where} includes ${written} from the current folder, which is empty in a job: use $FLWD_JOB_DIR/${name}`,
        );
      if (files.has(inside) || inside === basename(path)) continue;
      const from = join(dir, inside);
      const stat = isBelow(from, dir) ? statSync(from) : undefined;
      if (!stat?.isFile() || stat.size > mostBytes || files.size === mostFiles) {
        if (language === 'sh') doubts.push(`${where} includes ${written}, which was not copied`);
        continue;
      }
      const copy = readFileSync(from);
      files.set(inside, { name: inside, text: copy, mode: stat.mode & 0o777 });
      look(inside, copy.toString());
    }
  };
  look(basename(path), text);
  return { files: [...files.values()], doubts };

  function takenIn(of: Language, written: string): TakenIn[] {
    const code = withoutComments(written);
    if (of === 'sh') return sourced(code);
    if (of === 'node')
      return [...code.matchAll(/(?:\bfrom|\bimport|\brequire\()\s*\(?["'](\.\/[\w./-]+)["']/g)].flatMap(
        ({ 1: name = '', index }) => {
          const found = [name, `${name}.js`, `${name}.cjs`].find((one) => isFile(join(dir, one)));
          return found === undefined
            ? []
            : [{ name: found, written: name, line: lineAt(code, index), isFromHere: false }];
        },
      );
    if (of !== 'python') return [];
    return pythonModules(code).flatMap((module) => {
      const name = `${module.name.replaceAll('.', '/')}.py`;
      return isFile(join(dir, name)) ? [{ name, written: name, line: module.line, isFromHere: false }] : [];
    });
  }
}

/** Finds the files that the script reads from its own folder. They are copied into the job. */
export function dataFiles(
  uses: Uses,
  o: { readonly language: Language; readonly script: string; readonly folder: string; readonly home: string },
): { readonly files: readonly NewFile[]; readonly notes: readonly Note[] } {
  const files = new Map<string, NewFile>();
  const notes: Note[] = [];
  for (const { kind, place, line, isNewFile } of uses.files.filter((use) => use.place.isOfScript)) {
    const name = relative(o.folder, place.path);
    if (name === o.script) continue;
    const stat = isBelow(place.path, o.folder) ? statSync(place.path) : undefined;
    if (kind === 'write')
      notes.push({
        text: `line ${line} writes ${isNewFile ? name : 'something'} beside the script, and a job cannot change its own folder: let the script write elsewhere`,
      });
    else if (name !== '' && stat?.isFile() && stat.size <= mostBytes && files.size < mostFiles)
      files.set(name, { name, text: readFileSync(place.path), mode: stat.mode & 0o777 });
    else if (name !== '') notes.push({ text: `line ${line} reads ${name} beside the script, which was not copied` });
  }
  for (const { name, line } of uses.here) {
    const [beside, ofHome] = inFolders(o.language, name);
    const found = isBelow(join(o.folder, name), o.folder) ? beside : isFile(join(o.home, name)) ? ofHome : undefined;
    if (found === undefined) continue;
    notes.push({
      text: `line ${line} reads ${name} from the folder where it starts, and a job starts in an empty folder: write ${found}, and start over`,
    });
  }
  return { files: [...files.values()], notes };
}

/**
 * Returns two expressions in the script's language: one for a file in the script's own folder, and one for a file in
 * the home of its user.
 */
function inFolders(language: Language, name: string): readonly [string, string] {
  if (language === 'python') return [`Path(__file__).parent / "${name}"`, `Path.home() / "${name}"`];
  if (language === 'node') return [`join(import.meta.dirname, '${name}')`, `join(homedir(), '${name}')`];
  return [`"$(dirname "$0")/${name}"`, `"$HOME/${name}"`];
}

type TakenIn = {
  readonly name: string;
  readonly written: string;
  readonly line: number;
  readonly isFromHere: boolean;
};

/** `source lib.sh`, `. "$(dirname "$0")/lib.sh"`: the name is what follows the last expansion. */
function sourced(code: string): TakenIn[] {
  const isInOwnFolder = /\bcd\s+(?:--\s+)?["']?\$\(\s*dirname\b/.test(code);
  return [...code.matchAll(/(?:^|[;&|]|\b(?:then|do)\b)[ \t]*(?:source|\.)[ \t]+([^;&|\n]+)/gm)].flatMap(
    ({ 1: words = '', index }) => {
      const written = words.trim();
      const plain = written.replaceAll(/["']/g, '');
      if (/^[/~]|^<\(|^\$\{?HOME\b/.test(plain)) return [];
      const hasExpansion = /[$`]/.test(plain);
      const name = hasExpansion ? /[)}\w`]\/([\w.+@-]+(?:\/[\w.+@-]+)*)$/.exec(plain)?.[1] : plain.split(/\s/)[0];
      if (name === undefined || name === '') return [];
      return [
        { name: normalize(name), written, line: lineAt(code, index), isFromHere: !hasExpansion && !isInOwnFolder },
      ];
    },
  );
}

/** Follows links, because a link must not bring a file from elsewhere into the job. */
function isBelow(path: string, dir: string): boolean {
  try {
    return realpathSync(path).startsWith(`${realpathSync(dir)}/`);
  } catch {
    return false;
  }
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}

function withoutComments(text: string): string {
  return text.replaceAll(/^[ \t]*(?:#|\/\/).*$/gm, '');
}
