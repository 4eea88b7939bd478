// A line of a run's log, and the marks that keep a script's streams and helpers apart in one spool file.

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export type LogLevel = (typeof logLevels)[number];

export type LogLine = {
  /** Counts from 1 over the whole run, all attempts. */
  readonly seq: number;
  /** RFC 3339 with microseconds, strictly increasing within a run. */
  readonly timestamp: string;
  readonly level: LogLevel;
  readonly message: string;
  readonly step_id: string;
  readonly stream: 'stdout' | 'stderr';
  readonly attempt: number;
  /** Printed while no server ran. The timestamp then says when the run was resumed. */
  readonly recovered?: true;
  /** The other members of a structured line. */
  readonly fields?: Readonly<Record<string, unknown>>;
};

/** Whether a line's step is this step or an instance of it: `test[linux]` is an instance of `test`. */
export function isOfStep(ofLine: string, stepId: string): boolean {
  return ofLine === stepId || ofLine.startsWith(`${stepId}[`);
}

/**
 * A spool line that starts with RS and one of these letters is not plain stdout. A script that prints one itself only
 * mislabels its own line.
 */
export const spoolMark = 0x1e;
export const spoolMarks = {
  E: { stream: 'stderr', level: 'error' },
  /** The engine's own mark: it must not appear in output that a script passes to another program. */
  W: { stream: 'stderr', level: 'warn' },
  t: { stream: 'stdout', level: 'trace' },
  d: { stream: 'stdout', level: 'debug' },
  i: { stream: 'stdout', level: 'info' },
  w: { stream: 'stdout', level: 'warn' },
  e: { stream: 'stdout', level: 'error' },
  f: { stream: 'stdout', level: 'fatal' },
} as const satisfies Record<string, { stream: 'stdout' | 'stderr'; level: LogLevel }>;

/** `RS P 40 copying` is progress, from flwd_progress: announced and kept on the run, but not a line of the log. */
export const progressMark = 'P';

const markLetters = new Set([...Object.keys(spoolMarks), progressMark].map((letter) => letter.charCodeAt(0)));

/** The position of the next RS that a known letter follows; Infinity when there is no such mark. */
export function findMark(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(spoolMark, from); at >= 0; at = bytes.indexOf(spoolMark, at + 1)) {
    if (markLetters.has(bytes[at + 1] ?? 0)) return at;
  }
  return Number.POSITIVE_INFINITY;
}
