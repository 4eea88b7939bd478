// Splits a file into lines of coloured pieces. The highlighter makes a tree and no HTML, so the page's content security
// policy needs no exception.

import bash from 'highlight.js/lib/languages/bash';
import css from 'highlight.js/lib/languages/css';
import dockerfile from 'highlight.js/lib/languages/dockerfile';
import ini from 'highlight.js/lib/languages/ini';
import javascript from 'highlight.js/lib/languages/javascript';
import json from 'highlight.js/lib/languages/json';
import markdown from 'highlight.js/lib/languages/markdown';
import perl from 'highlight.js/lib/languages/perl';
import php from 'highlight.js/lib/languages/php';
import python from 'highlight.js/lib/languages/python';
import ruby from 'highlight.js/lib/languages/ruby';
import sql from 'highlight.js/lib/languages/sql';
import typescript from 'highlight.js/lib/languages/typescript';
import xml from 'highlight.js/lib/languages/xml';
import yaml from 'highlight.js/lib/languages/yaml';
import { createLowlight } from 'lowlight';
import { harmless } from '../words.ts';

/** `look` is a class of Code.module.css. */
export type CodePiece = { readonly text: string; readonly look: CodeLook | null };
type CodeLook = 'comment' | 'keyword' | 'literal' | 'name' | 'string';

const languages = {
  bash,
  css,
  dockerfile,
  ini,
  javascript,
  json,
  markdown,
  perl,
  php,
  python,
  ruby,
  sql,
  typescript,
  xml,
  yaml,
};
type Language = keyof typeof languages;

const byExtension: Readonly<Record<string, Language>> = {
  bash: 'bash',
  cfg: 'ini',
  cjs: 'javascript',
  conf: 'ini',
  css: 'css',
  html: 'xml',
  ini: 'ini',
  js: 'javascript',
  json: 'json',
  md: 'markdown',
  mjs: 'javascript',
  mts: 'typescript',
  php: 'php',
  pl: 'perl',
  py: 'python',
  rb: 'ruby',
  sh: 'bash',
  sql: 'sql',
  toml: 'ini',
  ts: 'typescript',
  xml: 'xml',
  yaml: 'yaml',
  yml: 'yaml',
};

const byProgram: readonly (readonly [RegExp, Language])[] = [
  [/\b(?:ba|da|z|k)?sh\b/, 'bash'],
  [/\bpython/, 'python'],
  [/\b(?:node|deno|bun)\b/, 'javascript'],
  [/\bperl\b/, 'perl'],
  [/\bruby\b/, 'ruby'],
  [/\bphp\b/, 'php'],
];

const looks: Readonly<Record<string, CodeLook>> = {
  attr: 'name',
  attribute: 'name',
  built_in: 'name',
  bullet: 'literal',
  class: 'name',
  code: 'string',
  comment: 'comment',
  doctag: 'comment',
  function: 'name',
  keyword: 'keyword',
  link: 'string',
  literal: 'literal',
  meta: 'comment',
  name: 'name',
  number: 'literal',
  property: 'name',
  quote: 'comment',
  regexp: 'string',
  section: 'keyword',
  'selector-class': 'name',
  'selector-tag': 'keyword',
  string: 'string',
  subst: 'literal',
  symbol: 'literal',
  tag: 'keyword',
  title: 'name',
  type: 'name',
  variable: 'literal',
};

/**
 * Makes the text of a file safe to show. Tabs stay, and Windows line endings become visible, because they make scripts
 * fail.
 */
export function codeText(text: string): string {
  return text.split('\t').map(harmless).join('\t');
}

/** Longer texts are shown in one colour, because the highlighter would block the page. */
const mostHighlighted = 200_000;
const lowlight = createLowlight(languages);

/** The lines of a file, without the empty line after the last line break. */
export function highlighted(path: string, text: string): readonly (readonly CodePiece[])[] {
  const language = languageOf(path, text);
  const isPlain = language === undefined || text.length > mostHighlighted;
  const pieces = isPlain ? [{ text, look: null }] : piecesOf(lowlight.highlight(language, text), null);
  return inLines(pieces);
}

function languageOf(path: string, text: string): Language | undefined {
  const name = path.slice(path.lastIndexOf('/') + 1).toLowerCase();
  if (name === 'dockerfile' || name === 'containerfile') return 'dockerfile';
  const extension = name.includes('.') ? name.slice(name.lastIndexOf('.') + 1) : '';
  const known = Object.hasOwn(byExtension, extension) ? byExtension[extension] : undefined;
  if (known !== undefined) return known;
  const [first = ''] = text.split('\n', 1);
  return first.startsWith('#!') ? byProgram.find(([program]) => program.test(first))?.[1] : undefined;
}

type Node = ReturnType<typeof lowlight.highlight>['children'][number];

function piecesOf({ children }: { readonly children: readonly Node[] }, look: CodeLook | null): readonly CodePiece[] {
  return children.flatMap((node): readonly CodePiece[] => {
    if (node.type === 'text') return [{ text: node.value, look }];
    return node.type === 'element' ? piecesOf(node, lookOf(node.properties.className) ?? look) : [];
  });
}

function lookOf(classes: unknown): CodeLook | undefined {
  if (!Array.isArray(classes)) return undefined;
  const name = String(classes[0]).replace(/^hljs-/, '');
  return Object.hasOwn(looks, name) ? looks[name] : undefined;
}

function inLines(pieces: readonly CodePiece[]): readonly (readonly CodePiece[])[] {
  const lines: CodePiece[][] = [[]];
  for (const { text, look } of pieces) {
    for (const [index, part] of text.split('\n').entries()) {
      if (index > 0) lines.push([]);
      if (part !== '') lines.at(-1)?.push({ text: part, look });
    }
  }
  if (lines.length > 1 && lines.at(-1)?.length === 0) lines.pop();
  return lines;
}
