// Finds the program that runs a script which another scheduler kept as text.

import { basename } from 'node:path';

/** Returns the words of the script's `#!` line, or `fallback` if there is no such line. */
export function interpreterOf(text: string, fallback: readonly string[]): readonly string[] {
  const [, program, argument] = /^#![ \t]*(\S+)(?:[ \t]+(\S.*?))?[ \t]*(?:\r?\n|$)/.exec(text) ?? [];
  if (program === undefined) return fallback;
  // The kernel passes the rest of the line as one word; `env -S` splits it.
  return argument === undefined ? [program] : [program, argument];
}

export function isShell(interpreter: readonly string[]): boolean {
  return interpreter.some((word) => /^(?:ba|da|k|z|a)?sh$/.test(basename(word)));
}

const endings: readonly (readonly [RegExp, string])[] = [
  [/^python[\d.]*$/, 'py'],
  [/^node(?:js)?$/, 'mjs'],
  [/^perl$/, 'pl'],
  [/^ruby$/, 'rb'],
  [/^php$/, 'php'],
  [/^(?:ba|da|k|z|a)?sh$/, 'sh'],
];

/** `script.py` for `/usr/bin/env python3`. */
export function fileName(stem: string, interpreter: readonly string[]): string {
  const ending = interpreter
    .flatMap((word) => word.split(/\s+/))
    .map((word) => endings.find(([program]) => program.test(basename(word)))?.[1])
    .find((one) => one !== undefined);
  return `${stem}.${ending ?? 'script'}`;
}
