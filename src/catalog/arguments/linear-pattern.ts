// Regular expressions that match in linear time (RE2). No pattern can stall the server, whatever its author wrote.

import type { RE2JS } from 're2js';
import { re2 } from '../../lib/re2.ts';

export type LinearPattern = {
  readonly test: (text: string) => boolean;
  /** The number of instructions in the compiled program. Matching takes at most that many steps per character. */
  readonly size: number;
};

/** @throws Error whose message says what RE2 does not support */
export function compilePattern(pattern: string): LinearPattern {
  const compiled = compile(re2().RE2JS.translateRegExp(pattern));
  return { test: (text) => compiled.test(text), size: compiled.programSize() };
}

function compile(translated: string): RE2JS {
  try {
    return re2().RE2JS.compile(translated);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(message.replace(/^error parsing regexp: /, ''), { cause: error });
  }
}

/** `*` and `?` do not match a slash, `**` does. */
export function compileGlob(glob: string): LinearPattern {
  const { RE2JS } = re2();
  const source = glob.replace(/\*\*\/|\*\*|\*|\?|[^*?]+/g, (part) => {
    if (part === '**/') return '(?:.*/)?';
    if (part === '**') return '.*';
    if (part === '*') return '[^/]*';
    if (part === '?') return '[^/]';
    return RE2JS.quote(part);
  });
  const compiled = RE2JS.compile(`(?s)^${source}$`);
  return { test: (text) => compiled.test(text), size: compiled.programSize() };
}
