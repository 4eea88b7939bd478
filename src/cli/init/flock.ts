// Reads the words of flock(1): the lock, what a second run does while the first one has the lock, and the command that
// needs it.

export type Flock = {
  /** A file, or the number of a descriptor that the shell has opened; as in the script. */
  readonly lock: string;
  /** undefined: the lock is shared, or flock only releases it. */
  readonly onConflict: 'reject' | 'queue' | undefined;
  /** How many seconds flock waits, as in the script; undefined if it waits without a limit or not at all. */
  readonly waits: string | undefined;
  /** The command that flock runs; empty if flock only takes the lock, and the next commands of the script need it. */
  readonly command: readonly string[];
};

/** @param words after the name of the program, as written */
export function readFlock(words: readonly string[]): Flock {
  let at = 0;
  const seen = new Set<string>();
  let waits: string | undefined;
  for (; words[at]?.startsWith('-'); at++) {
    const word = words[at] ?? '';
    const [, long, joined] = /^--([\w-]+)(?:=(.*))?$/s.exec(word) ?? [];
    const letters = long === undefined ? (/^-([a-zA-Z]*?[wE]|[a-zA-Z]+)/.exec(word)?.[1] ?? '') : '';
    const name = long ?? letters.at(-1) ?? '';
    for (const one of long === undefined ? letters : [long]) seen.add(one);
    if (!/^(?:w|E|wait|timeout|conflict-exit-code)$/.test(name)) continue;
    const rest = long === undefined ? word.slice(letters.length + 1) || undefined : joined;
    const value = rest ?? words[++at] ?? '';
    if (!/^(?:E|conflict-exit-code)$/.test(name)) waits = value;
  }
  const has = (...names: readonly string[]): boolean => names.some((name) => seen.has(name));
  const isAtOnce = has('n', 'nb', 'nonblock', 'nonblocking') || (waits !== undefined && Number(waits) === 0);
  return {
    lock: words[at] ?? '',
    onConflict: has('s', 'shared', 'u', 'unlock') ? undefined : isAtOnce ? 'reject' : 'queue',
    waits: isAtOnce ? undefined : waits,
    command: words.slice(at + 1),
  };
}
