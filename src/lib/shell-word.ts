/** Quotes a text as one word of a POSIX shell, unless it has only characters that the shell leaves alone. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./…-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
