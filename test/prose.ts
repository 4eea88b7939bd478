// Finds prose that is hard to read: comments and Markdown wider than 120 columns, and turns of phrase that make a reader
// stop. `node test/prose.ts [PATH…]` prints the findings below the given paths; `--write` lowers the counts in
// test/prose-debt.json, which says how many findings each folder may still have.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type Finding = { readonly file: string; readonly line: number; readonly what: string };
export type Debt = Readonly<Record<string, number>>;

const root = join(import.meta.dirname, '..');
const debtFile = join(root, 'test/prose-debt.json');
const columns = 120;
/** This file and its test quote the phrases. */
const exempt = ['test/prose.ts', 'test/prose.test.ts'];

/** A phrase as a pattern, and what to write instead. Text in backticks and quotes is not checked. */
const phrases: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/(?<![\w`'"-])none(?![\w`'"-]| of (?:the|them|these|those|its|our)\b)/i, '"none" as a pronoun: repeat the noun'],
  [/\banew\b/i, '"anew": write "again" or "from the start"'],
  [/\bat the most\b/i, '"at the most": write "at most"'],
  [/\blet(s|ting)? go of\b/i, '"let go of": write "release"'],
  [/\bse(e|es|eing) to\b(?! be\b)/i, '"see to": name who does what'],
  [
    /\bso (does|do|is|are|has|have|did|was|were|can|may) (one|it|those|they|the|an?|what|who|every|all|each)\b/i,
    '"so does …"',
  ],
  [/(?:^|[.!?] )Of [a-z]/, 'a sentence that begins with "Of"'],
  [/\bwho(so)?ever\b/i, '"whoever": name the person'],
  [/(?:^|[.!] )What (is|are|was|were|has|have|had|can|cannot|may) (?![^.]*\?)/, '"What is …" in place of a noun'],
  [/\b(?:taken|takes?|taking|took) up\b(?! (?:space|room|time|memory|to))/i, '"take up": write "resume"'],
  [/\bwhat (it|they) (was|were|is|are) given\b/i, '"what it was given": name the thing'],
  [/\bothers than\b/i, '"others than": write "other …"'],
  [/\bwrong use\b/i, '"wrong use": write "usage error"'],
  [/\bmend(s|ed|ing)?\b/i, '"mend": write "fix"'],
  [/\bcure[sd]?\b/i, '"cure": write "fix"'],
  [/(?<!(?:page|segmentation) )\bfaults?\b/i, '"fault": write "error"'],
  [/\b(?:conductors?|brief instances?)\b/i, 'a word of our own: house words are in docs/concepts.md'],
];

export function findingsIn(file: string, text: string): Finding[] {
  const prose = file.endsWith('.md') ? proseOfMarkdown(text) : proseOfCode(text, isCode.test(file) ? slashes : hashes);
  return prose.flatMap(({ line, wide, sentences }) => {
    const plain = sentences.replaceAll(/`[^`]*`|"[^"]*"|(?<!\w)'[^']*'(?!\w)/g, '``');
    const found = phrases.filter(([pattern]) => pattern.test(plain)).map(([, instead]) => instead);
    return [...(wide ? [`wider than ${columns} columns`] : []), ...found].map((what) => ({ file, line, what }));
  });
}

export function breachesOf(findings: readonly Finding[], debt: Debt): string[] {
  return [...Map.groupBy(findings, ({ file }) => folderOf(file))]
    .filter(([folder, those]) => those.length > (debt[folder] ?? 0))
    .map(([folder, those]) => {
      const list = those.slice(0, 20).map(({ file, line, what }) => `  ${file}:${line} ${what}`);
      return [`${folder} has ${those.length} findings and may have ${debt[folder] ?? 0}:`, ...list].join('\n');
    });
}

export function readFindings(): Finding[] {
  const named = ['src', 'test', 'bench', 'docs', 'bin', 'libexec', 'packaging', 'release', 'examples'].flatMap(
    (folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => `${folder}/${name}`),
  );
  const isRead = (file: string) => (isCode.test(file) || hasHashes.test(file)) && !exempt.includes(file);
  const files = [...readdirSync(root), ...named].filter((file) => file.endsWith('.md') || isRead(file));
  return files.flatMap((file) => findingsIn(file, readFileSync(join(root, file), 'utf8')));
}

export const readDebt = (): Debt => JSON.parse(readFileSync(debtFile, 'utf8'));

type Line = { readonly line: number; readonly wide: boolean; readonly sentences: string };

const isCode = /\.(tsx?|js)$/;
const hasHashes = /\.(bash|fish|ps1|py|service|sh|yaml|zsh)$|Dockerfile$/;
const slashes = /^\s*(?:\/\/|\/?\*+)(?:\s|$)(.*)|.*[\s;,{(]\/\/ (.*)/;
const hashes = /^\s*#+ (.*)|.*\s# (.*)/;

/**
 * Lines with a comment, or with a text of three words or more: errors, help, titles of tests. Only the width of
 * comments is limited.
 */
function proseOfCode(text: string, mark: RegExp): Line[] {
  return text.split('\n').map((code, index) => {
    const comment = mark.exec(code);
    const said = comment?.[1] ?? comment?.[2];
    const texts = comment ? [] : (code.match(/'(?:[^'\\]|\\.)*'|`[^`]*`/g) ?? []).map((quoted) => quoted.slice(1, -1));
    const sentences = said ?? texts.filter((quoted) => quoted.split(' ').length >= 3).join(' / ');
    const isPragma = /^(?:biome-ignore|oxlint-|@vitest|https?:)/.test(said ?? '');
    return { line: index + 1, wide: said !== undefined && !isPragma && code.length > columns, sentences };
  });
}

/** Everything but code blocks. A table row is one line however wide, and a link or a word cannot be broken. */
function proseOfMarkdown(text: string): Line[] {
  let inCode = false;
  return text.split('\n').flatMap((prose, index) => {
    const isFence = /^\s*(```|~~~)/.test(prose);
    if (isFence) inCode = !inCode;
    if (isFence || inCode) return [];
    const isRow = /^\s*\|/.test(prose);
    const words = prose
      .replaceAll(/!?\[[^\]]*\]\([^)]*\)/g, 'link')
      .trim()
      .split(' ');
    const sentences = isRow ? prose.replaceAll(/\| none (?=\|)/g, '') : prose.replace(/^\s*(?:[-*>#]+|\d+\.) /, '');
    return { line: index + 1, wide: !isRow && words.length > 2 && prose.length > columns, sentences };
  });
}

/** The first two folders of the path, such as `src/cli` or `docs/adr`, and `.` for the root. */
const folderOf = (file: string) => file.split('/').slice(0, -1).slice(0, 2).join('/') || '.';

if (import.meta.main) {
  const [option, ...rest] = process.argv.slice(2);
  const findings = readFindings();
  if (option === '--write') {
    const debt = readDebt();
    const counts = [...Map.groupBy(findings, ({ file }) => folderOf(file))]
      .map(([folder, those]): [string, number] => [folder, Math.min(those.length, debt[folder] ?? 0)])
      .filter(([, count]) => count > 0);
    const byName = counts.toSorted(([a], [b]) => a.localeCompare(b));
    writeFileSync(debtFile, `${JSON.stringify(Object.fromEntries(byName), null, 2)}\n`);
  } else {
    const paths = option ? [option, ...rest] : [''];
    for (const { file, line, what } of findings) {
      if (paths.some((path) => file.startsWith(path))) console.log(`${file}:${line} ${what}`);
    }
  }
}
