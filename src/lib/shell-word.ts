/** A text as one word of a POSIX shell, which changes nothing in it. Each plain character stands for itself. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./…-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
