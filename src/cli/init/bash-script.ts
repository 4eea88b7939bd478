// Reduces a bash script to its lines of code, from which other files guess its arguments.

import { quotingOf } from './shell-quotes.ts';

export type Line = { readonly text: string; readonly number: number };

export type Script = {
  readonly text: string;
  readonly lines: readonly Line[];
  /** Code outside of functions and option loops. In it, `$1` is an argument of the script. */
  readonly outside: readonly Line[];
};

/** Removes comments and here-documents. */
export function codeOf(text: string): Line[] {
  let end: string | undefined;
  return text.split('\n').map((written, at) => {
    const number = at + 1;
    if (end !== undefined) {
      if (written.trim() === end) end = undefined;
      return { text: '', number };
    }
    const comment = quotingOf(written).indexOf('comment');
    const code = comment === -1 ? written : written.slice(0, comment);
    [, end] = /<<-?\s*["'\\]?([A-Za-z_]\w*)/.exec(code) ?? [];
    return { text: code, number };
  });
}

/** Removes the bodies of functions, except those that receive all of the script's words. */
export function topLevel(lines: readonly Line[]): Line[] {
  const receivers = new Set(lines.flatMap(({ text }) => /^\s*([\w:-]+)\s+"?\$(?:@|\{@\})/.exec(text)?.[1] ?? []));
  const kept: Line[] = [];
  let end: string | undefined;
  for (const line of lines) {
    if (end !== undefined) {
      if (line.text.trimEnd() === end) end = undefined;
      continue;
    }
    const [, indent = '', name = '', rest = ''] =
      /^(\s*)(?:function\s+)?([\w:-]+)\s*\(\)\s*(.*)$/.exec(line.text) ??
      /^(\s*)function\s+([\w:-]+)\s*(.*)$/.exec(line.text) ??
      [];
    if (name === '' || receivers.has(name)) kept.push(line);
    else if (!/\}\s*$/.test(rest)) end = `${indent}}`;
  }
  return kept;
}

type Branch = { readonly patterns: readonly string[]; readonly body: string; readonly line: number };

export function branchesOf(loop: readonly Line[]): Branch[] {
  const text = loop.map((line) => line.text).join('\n');
  const found = text.matchAll(
    /(?:^|\bin\b|;;)\s*\(?([^\s()|;"'$]+(?:\s*\|\s*[^\s()|;"'$]+)*)\)([\s\S]*?)(?=;;|\besac\b)/gm,
  );
  let [line, counted] = [loop[0]?.number ?? 1, 0];
  return [...found].map(({ 1: patterns = '', 2: body = '', 0: whole, index }) => {
    const offset = index + whole.indexOf(patterns);
    line += text.slice(counted, offset).split('\n').length - 1;
    counted = offset;
    return { patterns: patterns.split('|').map((one) => one.trim()), body, line };
  });
}
