// Reads the words of a shell's own command line: which script it runs.

export type ShellCall = {
  /** The text after `-c`, as in the script. */
  readonly script: string | undefined;
  /**
   * The file that the shell runs, as in the script. undefined if `-c` is used, or if the shell reads standard input.
   */
  readonly file: string | undefined;
  /** The words that the file is called with. */
  readonly operands: readonly string[];
};

/**
 * Reads words such as `-eo pipefail -c 'cd /srv && make'`, or a file and its arguments.
 * @param words the words after the name of the shell
 */
export function readShell(words: readonly string[]): ShellCall {
  let at = 0;
  let letters = '';
  for (; /^(?:-|\+.)/.test(words[at] ?? ''); at++) {
    const word = words[at] ?? '';
    if (word === '-' || word === '--') {
      at += 1;
      break;
    }
    if (/^--(?:rcfile|init-file)$/.test(word)) at += 1;
    if (word.startsWith('--')) continue;
    if (word.startsWith('-')) letters += word.slice(1);
    // Each o and O takes a word of its own, such as `pipefail`.
    at += word.match(/o/gi)?.length ?? 0;
  }
  const operands = words.slice(at + 1);
  if (letters.includes('c')) return { script: words[at], file: undefined, operands };
  return { script: undefined, file: letters.includes('s') ? undefined : words[at], operands };
}
