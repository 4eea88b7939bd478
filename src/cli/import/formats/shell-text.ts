// Writes words into a shell script so that the shell reads exactly them.

/** A word that no shell changes. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
