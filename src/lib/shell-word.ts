/** Quotes a text as one word of a POSIX shell. A text whose characters mean nothing to the shell stays as it is. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./…-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
