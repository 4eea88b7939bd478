// Expands `~` at the beginning of a path as a shell does: to the home of the user that this process runs as. Homes of
// other users are not looked up.

/** Why `~name/…` is refused: the end of a sentence that begins with the path. */
export const othersHome = "names another user's home, which flwd does not look up: write the full path";

export function namesOthersHome(path: string): boolean {
  return /^~[^/]/.test(path);
}

export function withHome(path: string, home: string): string {
  return path.replace(/^~(?=\/|$)/, () => home);
}
