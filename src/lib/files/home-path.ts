// `~` at the beginning of a path, as a shell has it: the home of the user that this process runs as. Of other users' homes
// nothing is known.

/** Why `~name/…` is refused, in words that go on after it. */
export const othersHome = "names another user's home, which is not looked up: write it in full";

export function namesOthersHome(path: string): boolean {
  return /^~[^/]/.test(path);
}

export function withHome(path: string, home: string): string {
  return path.replace(/^~(?=\/|$)/, () => home);
}
