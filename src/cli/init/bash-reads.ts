// Finds what a bash script asks its user for.

import { withoutPasswords } from '../../lib/secret-name.ts';
import type { Script } from './bash-script.ts';
import { argumentName, type ScriptArgument, schemaOfText } from './script-arguments.ts';

/** `read -s PASSWORD` becomes an argument. The script gets its value on standard input, as if the user had typed it. */
export function readAsked({ lines, outside }: Script): { readonly found: ScriptArgument[]; readonly doubts: string[] } {
  const reads: { readonly argument: ScriptArgument; readonly isAsked: boolean; readonly isPlain: boolean }[] = [];
  const isOutside = new Set(outside);
  let loops = 0;
  for (const line of lines) {
    const { text, number } = line;
    if (/^\s*done\b/.test(text)) loops -= 1;
    const isLoop = /^\s*(?:while|until|for|select)\b/.test(text);
    const [, before = '', words = ''] =
      /(^|[;&|(]|\b(?:then|do|if|while|until)\b|!)\s*(?:IFS=\S*\s+)?read\s+((?:"[^"]*"|'[^']*'|[^;&|"'])*)/.exec(
        text,
      ) ?? [];
    const { flags, prompt, variables } = wordsOfRead(words);
    const [variable] = variables;
    if (variable !== undefined) {
      const isAsked = prompt !== undefined || flags.includes('s');
      const isPlain = isOutside.has(line) && loops === 0 && !isLoop && before !== '|' && variables.length === 1;
      const name = argumentName(variable);
      const schema = flags.includes('s')
        ? ({ type: 'string', format: 'secret' } as const)
        : { ...schemaOfText(name, undefined, prompt), ...(prompt && { description: withoutPasswords(prompt.trim()) }) };
      const isRequired = isAsked && !/^\s/.test(text);
      reads.push({ argument: { name, line: number, schema, isRequired, handing: { as: 'input' } }, isAsked, isPlain });
    }
    if (isLoop && !/\bdone\b/.test(text)) loops += 1;
  }
  if (!reads.some(({ isAsked }) => isAsked)) return { found: [], doubts: [] };
  return {
    found: reads.flatMap(({ argument, isPlain }) => (isPlain ? [argument] : [])),
    doubts: reads.flatMap(({ argument: { name, line }, isAsked, isPlain }) =>
      isAsked && !isPlain ? [`line ${line} asks the user for ${name}, but nobody answers a job`] : [],
    ),
  };
}

/** Returns no variables if `read` takes its input from an array or a file descriptor. */
function wordsOfRead(written: string) {
  const words = written.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? [];
  const variables: string[] = [];
  let flags = '';
  let prompt: string | undefined;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    const [, letters] = /^-([a-zA-Z]+)$/.exec(word) ?? [];
    if (letters === undefined) variables.push(word);
    else {
      flags += letters;
      if (!/[adinNptu]$/.test(letters)) continue;
      at += 1;
      if (letters.endsWith('p')) prompt = (words[at] ?? '').replaceAll(/["']/g, '');
    }
  }
  const isOfTerminal = !/[au]/.test(flags) && variables.every((word) => /^[A-Za-z_]\w*$/.test(word));
  return { flags, prompt, variables: isOfTerminal ? variables : [] };
}
