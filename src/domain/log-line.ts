// A line of a run's log, and the marks in a spool file. A spool file contains the stdout of a script, its stderr, and
// what it prints with flwd's helper programs. A line without a mark is plain stdout. A mark at the beginning of any
// other line says where the line comes from.

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export type LogLevel = (typeof logLevels)[number];

export type LogLine = {
  /** The number of the line in the run, over all attempts. The first line has the number 1. */
  readonly seq: number;
  /** RFC 3339 with microseconds. Each line has a later timestamp than the line before it. */
  readonly timestamp: string;
  readonly level: LogLevel;
  readonly message: string;
  readonly step_id: string;
  readonly stream: 'stdout' | 'stderr';
  readonly attempt: number;
  /** True if the line was printed while no server ran. Its timestamp is then the time when the run was resumed. */
  readonly recovered?: true;
  /** The members of a structured line besides its level and message. */
  readonly fields?: Readonly<Record<string, unknown>>;
};

/** Whether the line belongs to this step or to an instance of it: `test[linux]` is an instance of `test`. */
export function isOfStep(ofLine: string, stepId: string): boolean {
  return ofLine === stepId || ofLine.startsWith(`${stepId}[`);
}

/**
 * A spool line that starts with RS (byte 0x1E) and one of these letters is not plain stdout. If a script prints such a
 * mark itself, only that line gets a wrong label.
 */
export const spoolMark = 0x1e;
export const spoolMarks = {
  E: { stream: 'stderr', level: 'error' },
  /** Only the server uses this mark, for the lines that it adds to a log. */
  W: { stream: 'stderr', level: 'warn' },
  t: { stream: 'stdout', level: 'trace' },
  d: { stream: 'stdout', level: 'debug' },
  i: { stream: 'stdout', level: 'info' },
  w: { stream: 'stdout', level: 'warn' },
  e: { stream: 'stdout', level: 'error' },
  f: { stream: 'stdout', level: 'fatal' },
} as const satisfies Record<string, { stream: 'stdout' | 'stderr'; level: LogLevel }>;

/**
 * `RS P 40 copying` is progress, which flwd_progress prints. flwd announces the progress and stores it with the run,
 * but does not write it to the log.
 */
export const progressMark = 'P';

const markLetters = new Set([...Object.keys(spoolMarks), progressMark].map((letter) => letter.charCodeAt(0)));

/** Returns the position of the next RS that is followed by a known letter; Infinity if there is no such mark. */
export function findMark(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(spoolMark, from); at >= 0; at = bytes.indexOf(spoolMark, at + 1)) {
    if (markLetters.has(bytes[at + 1] ?? 0)) return at;
  }
  return Number.POSITIVE_INFINITY;
}
