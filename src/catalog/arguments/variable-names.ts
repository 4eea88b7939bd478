// Names that end up as variables of a script or of its environment. One that a shell, the dynamic loader or flwd gives
// a meaning to could change what runs, so it is refused when the job is read.

const plainName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** They act on the programs around the script too. glibc's are those it drops for setuid programs (ld.so(8)). */
const reservedInEnvironment =
  /^(?:PATH|IFS|ENV|SHELLOPTS|PS4|GCONV_PATH|GLIBC_TUNABLES|LOCPATH|NLSPATH|(?:BASH|LD_|FLWD_|MALLOC_).*)$/;

/** Variables to which bash or the environment of every script gives a meaning. */
const reservedInShell = new Set(
  (
    '_ CDPATH COPROC DIRSTACK EPOCHREALTIME EPOCHSECONDS EUID EXECIGNORE FUNCNAME GLOBIGNORE GROUPS HISTCMD HOME LANG ' +
    'LANGUAGE LINENO MAPFILE OLDPWD OPTARG OPTERR OPTIND PIPESTATUS POSIXLY_CORRECT PPID PROMPT_COMMAND PS0 PS1 PS2 PS3 ' +
    'PWD RANDOM REPLY SECONDS SHELL SHLVL SRANDOM TMOUT TMPDIR UID'
  ).split(' '),
);

/** Why an argument cannot have the name; undefined when it can. */
export function whatIsWrongWithArgument(name: string): string | undefined {
  if (!plainName.test(name)) return 'is no variable name: letters, digits and `_`, the first of them no digit';
  const isReserved =
    reservedInEnvironment.test(name) || reservedInShell.has(name) || name.startsWith('LC_') || name in Object.prototype;
  return isReserved ? 'is a name with a meaning of its own' : undefined;
}

/** Why `env` cannot set the name; undefined when it can. */
export function whatIsWrongWithVariable(name: string): string | undefined {
  if (!plainName.test(name)) return 'is no variable name: letters, digits and `_`, the first of them no digit';
  return reservedInEnvironment.test(name) ? 'is a variable that a job may not set' : undefined;
}

/** `build-image` → `BUILD_IMAGE`, as in FLWD_ARG_… and FLWD_STEP_…. */
export function toVariableName(name: string): string {
  return name.toUpperCase().replace(/[^A-Z0-9]/g, '_');
}

/** Each name that becomes the same variable as one before it, with that one. */
export function findSameVariables(names: readonly string[]): { readonly name: string; readonly before: string }[] {
  const seen = new Map<string, string>();
  const same: { name: string; before: string }[] = [];
  for (const name of names) {
    const variable = toVariableName(name);
    const before = seen.get(variable);
    if (before === undefined) seen.set(variable, name);
    else same.push({ name, before });
  }
  return same;
}
