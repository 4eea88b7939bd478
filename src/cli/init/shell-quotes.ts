// Says for each character of a shell script how the shell reads it: plain, quoted, or as a comment.

export type Quoting = 'plain' | 'single' | 'double' | 'comment' | 'backtick' | 'here-document';

/** The quoting of each character. A quote itself belongs to the text around it. */
export function quotingOf(script: string): readonly Quoting[] {
  const found: Quoting[] = [];
  const open: Quoting[] = [];
  let ends: readonly string[] = [];
  for (let at = 0; at < script.length; at++) {
    const character = script[at] ?? '';
    const quoting = open.at(-1) ?? 'plain';
    found.push(quoting);
    if (quoting === 'comment') {
      if (script[at + 1] === '\n') open.pop();
      continue;
    }
    if (quoting === 'single') {
      if (character !== "'") continue;
      open.pop();
      found[at] = open.at(-1) ?? 'plain';
      continue;
    }
    if (character === '\\') {
      at += 1;
      if (at < script.length) found.push(quoting);
      continue;
    }
    if (character === '`') {
      if (quoting === 'backtick') open.pop();
      else open.push('backtick');
      continue;
    }
    if (quoting === 'backtick') continue;
    if (character === '"') {
      if (quoting === 'double') open.pop();
      else open.push('double');
      found[at] = open.at(-1) === 'double' ? quoting : (open.at(-1) ?? 'plain');
      continue;
    }
    if (character === '$' && script[at + 1] === '(') {
      found.push(quoting);
      at += 1;
      open.push('plain');
      continue;
    }
    if (quoting === 'double') continue;
    if (character === ')' && open.length > 0) {
      open.pop();
      found[at] = open.at(-1) ?? 'plain';
    } else if (character === '(') open.push('plain');
    else if (character === "'") open.push('single');
    else if (character === '#' && /^$|[\s;&|(]/.test(script[at - 1] ?? '')) {
      found[at] = 'comment';
      if (script[at + 1] !== '\n') open.push('comment');
    } else if (character === '<') ends = [...ends, ...endOfHereDocument(script, at)];
    else if (character === '\n' && ends.length > 0) {
      const to = endOfBodies(script, at + 1, ends);
      for (; at + 1 < to; at++) found.push('here-document');
      ends = [];
    }
  }
  return found;
}

/** Returns the word that ends the here-document beginning at `<<`; empty if no here-document begins there. */
function endOfHereDocument(script: string, at: number): string[] {
  if (script[at - 1] === '<' || script.startsWith('<<<', at)) return [];
  const [, word] = /^<<-?\s*(["']?[\w.-]+["']?|\\\w+)/.exec(script.slice(at, at + 100)) ?? [];
  return word === undefined ? [] : [word.replaceAll(/["'\\]/g, '')];
}

function endOfBodies(script: string, from: number, ends: readonly string[]): number {
  let at = from;
  for (const end of ends) {
    for (let isEnd = false; !isEnd && at < script.length; ) {
      const lineEnd = script.indexOf('\n', at);
      const next = lineEnd === -1 ? script.length : lineEnd + 1;
      isEnd = script.slice(at, next).trim() === end;
      at = next;
    }
  }
  return at;
}

/** Returns the end of the shell word at `from`, which is the next unquoted white space or operator. */
export function endOfWord(script: string, from: number, quoting: readonly Quoting[]): number {
  const ofWord = quoting[from];
  let at = from;
  for (; at < script.length; at++) {
    if (quoting[at] === 'comment') break;
    if (script[at] === '\\') {
      at += 1;
      continue;
    }
    if (quoting[at] === ofWord && /[\s;&|<>()]/.test(script[at] ?? '') && script[at - 1] !== '$') break;
  }
  return Math.min(at, script.length);
}
