// Finds what a script uses besides its arguments: files beside it, the network, paths of this machine. The sandbox
// hides all of them unless the job asks for them.

import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import type { NewFile } from './job-folder.ts';
import type { ScriptArgument } from './script-arguments.ts';
import { lineAt } from './source-literals.ts';

type Language = 'sh' | 'python' | 'node' | 'pwsh' | 'other';

const mostFiles = 20;
const mostBytes = 2 ** 20;

const programs =
  /(?:^|[;&|(`]|\b(?:if|then|do|else|sudo|exec|time|while|until|!))\s*(rsync|ssh|scp|sftp|curl|wget|ping|nc|dig|aws|gsutil|gcloud|az|kubectl|psql|pg_dump|pg_dumpall|mysql|mysqldump|redis-cli|mongodump|restic|borg|rclone|mail|sendmail|apt-get|pip3?|npm|git (?:push|pull|fetch|clone))\b/gm;
const networkOf: Readonly<Record<Language, RegExp | undefined>> = {
  sh: programs,
  python:
    /\b(?:import|from)\s+(requests|urllib|http\.client|httpx|aiohttp|socket|smtplib|ftplib|boto3|paramiko|psycopg2?)\b/g,
  node: /\b(fetch)\(|["'](?:node:)?(https?|net|tls|dgram)["']/g,
  pwsh: /\b(Invoke-WebRequest|Invoke-RestMethod)\b/g,
  other: undefined,
};

/** The first use of the network, with its line; undefined if the script seems not to use it. */
export function networkUse(language: Language, text: string): string | undefined {
  const code = withoutComments(text);
  const pattern = networkOf[language];
  const [found] = pattern ? code.matchAll(pattern) : [];
  const name = found?.[1] ?? found?.[2];
  return found && name ? `line ${lineAt(code, found.index + found[0].indexOf(name))}: ${name}` : undefined;
}

/** Absolute paths that a shell script writes, with their lines. */
export function writtenPaths(text: string): { readonly path: string; readonly line: number }[] {
  const code = withoutComments(text);
  const found = new Map<string, number>();
  const keep = (path: string, index: number) => {
    if (!/^\/(?:dev|proc|tmp)(?:\/|$)/.test(path) && !found.has(path)) found.set(path, lineAt(code, index));
  };
  for (const { 1: path = '', index } of code.matchAll(
    /(?:>>?\s*|\b(?:mkdir|touch|tee)\s+(?:-\w+\s+)*)["']?(\/[\w.+@-]+(?:\/[\w.+@-]+)*)/g,
  ))
    keep(path, index);
  for (const { 1: name = '', 2: path = '', index } of code.matchAll(
    /^\s*(?:readonly\s+|export\s+)?(\w+)=["']?(\/[\w.+@-]+(?:\/[\w.+@-]+)*)/gm,
  )) {
    const use = new RegExp(`(?:>>?\\s*|\\b(?:mkdir|touch|tee|cp|mv|tar|rsync)\\b.*)"?\\$\\{?${name}\\b`);
    if (use.test(code)) keep(path, index);
  }
  return [...found].map(([path, line]) => ({ path, line })).toSorted((a, b) => a.line - b.line);
}

const reads = /(?:^|_)(?:src|source)(?:_(?:dir|directory|folder|path|file))?$/;
const writes = /(?:^|_)(?:dst|dest|destination)(?:_(?:dir|directory|folder|path|file))?$/;

/**
 * Arguments that are paths of the host, by their use. `unsure` are paths with an unknown use, or no host paths at all.
 */
export function pathArguments(all: readonly ScriptArgument[]) {
  const paths = all.filter(({ schema }) => schema.type === 'string' && schema.format === 'path');
  const named = (pattern: RegExp) => paths.filter((one) => isSure(one) && pattern.test(one.name));
  const [read, write] = [named(reads), named(writes)];
  return {
    read: read.map(({ name }) => name),
    write: write.map(({ name }) => name),
    unsure: paths.filter((one) => !read.includes(one) && !write.includes(one)).map(({ name }) => name),
  };
}

/** An optional or relative path may well be in the workspace. */
function isSure({ isRequired, schema }: ScriptArgument): boolean {
  return isRequired || String(schema.default).startsWith('/');
}

type Siblings = { readonly files: readonly NewFile[]; readonly doubts: readonly string[] };

/** The files beside a script that it includes, and those that they include. @param path the script's path */
export function siblingsOf(path: string, language: Language, text: string): Siblings {
  const dir = dirname(path);
  const files = new Map<string, NewFile>();
  const doubts: string[] = [];
  const look = (of: string, code: string) => {
    for (const { name, line, written, isFromHere } of takenIn(language, code)) {
      // Through `$0`, the name is relative to the including file.
      const places = [normalize(join(dirname(of), name)), normalize(name)];
      const inside = places.find((one) => isFile(join(dir, one))) ?? normalize(name);
      const where = `line ${line}${of === basename(path) ? '' : ` of ${of}`}`;
      if (isFromHere)
        doubts.push(
          `${where} includes ${written} from the current folder, which is empty in a job: use $FLWD_JOB_DIR/${name}`,
        );
      if (files.has(inside) || inside === basename(path)) continue;
      const from = join(dir, inside);
      const stat = inside.startsWith('..') ? undefined : statSync(from, { throwIfNoEntry: false });
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
    return [...code.matchAll(/^[ \t]*(?:from[ \t]+\.?([\w.]+)[ \t]+import|import[ \t]+([\w.]+))/gm)].flatMap(
      ({ 1: from, 2: whole, index }) => {
        const name = `${(from ?? whole ?? '').replaceAll('.', '/')}.py`;
        return isFile(join(dir, name)) ? [{ name, written: name, line: lineAt(code, index), isFromHere: false }] : [];
      },
    );
  }
}

type TakenIn = {
  readonly name: string;
  readonly written: string;
  readonly line: number;
  readonly isFromHere: boolean;
};

/** `source lib.sh`, `. "$(dirname "$0")/lib.sh"`: the name is what follows the last expansion. */
function sourced(code: string): TakenIn[] {
  return [...code.matchAll(/(?:^|[;&|]|\b(?:then|do)\b)[ \t]*(?:source|\.)[ \t]+([^;&|\n]+)/gm)].flatMap(
    ({ 1: words = '', index }) => {
      const written = words.trim();
      const plain = written.replaceAll(/["']/g, '');
      if (/^[/~]|^<\(/.test(plain)) return [];
      const hasExpansion = /[$`]/.test(plain);
      const name = hasExpansion ? /[)}\w`]\/([\w.+@-]+(?:\/[\w.+@-]+)*)$/.exec(plain)?.[1] : plain.split(/\s/)[0];
      if (name === undefined || name === '') return [];
      return [{ name: normalize(name), written, line: lineAt(code, index), isFromHere: !hasExpansion }];
    },
  );
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}

function withoutComments(text: string): string {
  return text.replaceAll(/^[ \t]*(?:#|\/\/).*$/gm, '');
}
