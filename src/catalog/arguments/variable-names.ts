// Checks names that become variables of a script or of its environment. If a name means something to a shell, to the
// dynamic loader or to flwd, it could change what runs, so the job is refused.

const plainName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Only flwd may set the variables of traces. All other variables in this list also affect programs around the script.
 * The list contains the variables of glibc that glibc itself ignores in setuid programs (ld.so(8)).
 */
const reservedInEnvironment =
  /^(?:PATH|IFS|ENV|SHELLOPTS|PS4|TRACEPARENT|TRACESTATE|GCONV_PATH|GLIBC_TUNABLES|LOCPATH|NLSPATH|(?:BASH|LD_|FLWD_|MALLOC_).*)$/;

/** Variables that have a meaning to bash, or that every script finds in its environment. */
const reservedInShell = new Set(
  (
    '_ CDPATH COPROC DIRSTACK EPOCHREALTIME EPOCHSECONDS EUID EXECIGNORE FUNCNAME GLOBIGNORE GROUPS HISTCMD HOME LANG ' +
    'LANGUAGE LINENO MAPFILE OLDPWD OPTARG OPTERR OPTIND PIPESTATUS POSIXLY_CORRECT PPID PROMPT_COMMAND PS0 PS1 PS2 PS3 ' +
    'PWD RANDOM REPLY SECONDS SHELL SHLVL SRANDOM TMOUT TMPDIR UID'
  ).split(' '),
);

/** Says why an argument cannot have this name; undefined when it can. */
export function whatIsWrongWithArgument(name: string): string | undefined {
  if (!plainName.test(name))
    return 'is not a variable name: use letters, digits and `_`, and do not begin with a digit';
  const isReserved =
    reservedInEnvironment.test(name) || reservedInShell.has(name) || name.startsWith('LC_') || name in Object.prototype;
  return isReserved ? 'is a reserved name' : undefined;
}

/** Says why `env` cannot set this variable; undefined when it can. */
export function whatIsWrongWithVariable(name: string): string | undefined {
  if (!plainName.test(name))
    return 'is not a variable name: use letters, digits and `_`, and do not begin with a digit';
  return reservedInEnvironment.test(name) ? 'is a variable that a job must not set' : undefined;
}

/** `build-image` → `BUILD_IMAGE`, as in FLWD_ARG_… and FLWD_STEP_…. */
export function toVariableName(name: string): string {
  return name.toUpperCase().replace(/[^A-Z0-9]/g, '_');
}

/** Finds each name that becomes the same variable as an earlier one. */
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
