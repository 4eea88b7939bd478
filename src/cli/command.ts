// Describes a command: its name, its operands and its options. Also has the options that several commands share.

export type Option = {
  /** The name of the option, without its dashes. */
  readonly name: string;
  /** A single letter for the option. */
  readonly short?: string;
  /** A placeholder for the value, in capitals, such as `FILE`. An option without it is a switch. */
  readonly value?: string;
  /** All possible values, for completion. */
  readonly choices?: readonly string[];
  readonly isRepeatable?: true;
  readonly about: string;
};

/** The values of the given options, by name. A switch has one empty text. */
export type Options = ReadonlyMap<string, readonly string[]>;

export type Command = {
  readonly name: string;
  readonly about: string;
  readonly options: readonly Option[];
  /** The operands after the command's name, as --help shows them. Left out if the command takes no operands. */
  readonly operands?: string;
  /**
   * The first operand is a job or a run. The words after it are arguments of the job, and are read once the job is
   * known.
   */
  readonly argumentsOf?: 'job' | 'run';
  /** A namespace of jobs may have the same name: `flwd backup daily` runs the job `backup/daily` if there is one. */
  readonly isLikelyNamespace?: true;
  /** Words that another implementation of flwd takes after the name, and what to write here instead. */
  readonly instead?: Readonly<Record<string, string>>;
  /** Examples for --help, each a complete command line. */
  readonly examples?: readonly string[];
};

export const configFile: Option = {
  name: 'config',
  value: 'FILE',
  about: 'use this flwd.yaml instead of the one in ./, ~/.config/flwd/ or /etc/flwd/',
};
export const dataDir: Option = {
  name: 'data-dir',
  value: 'DIR',
  about: 'where flwd keeps its data; overrides instance.data_dir',
};
export const jobsDir: Option = {
  name: 'jobs',
  value: 'DIR',
  isRepeatable: true,
  about: 'take jobs from this folder instead of the configured sources; repeatable',
};
/** The options that say which instance a command is for. */
export const instance: readonly Option[] = [
  {
    name: 'remote',
    value: 'NAME',
    about: 'use another instance: its name under remotes in flwd.yaml, or its address; default: FLWD_REMOTE',
  },
  configFile,
  dataDir,
  jobsDir,
];
export const json: Option = { name: 'json', about: 'print JSON; streams print one object per line' };
export const quiet: Option = { name: 'quiet', short: 'q', about: 'print only the data' };
/** An option for commands that may print a table. */
export const quietTables: Option = { ...quiet, about: 'print only the data; tables have no heading' };
/** The options that say how a command prints. */
export const printing: readonly Option[] = [
  json,
  quietTables,
  { name: 'verbose', short: 'v', about: 'print more details' },
];
/**
 * The options of a command that works on an instance: its own options, and those that say how it prints and which
 * instance it is for.
 */
export function onInstance(...own: readonly Option[]): readonly Option[] {
  return [...own, ...printing, ...instance];
}

export const idempotencyKey: Option = {
  name: 'idempotency-key',
  value: 'KEY',
  about: 'create the run only once: for 24 hours, the same request with this key returns the first run',
};
export const tenant: Option = {
  name: 'tenant',
  value: 'TENANT',
  about: 'act in this tenant, if the token can access more than one',
};
/** The forms of a time that `readInstant` accepts. */
export const instantForms = 'a time (RFC 3339), a day (2026-11-30, today, yesterday), or an age such as 2d';
export const limit: Option = { name: 'limit', value: 'N', about: 'how many to list; default: 20' };
/**
 * The options that give all arguments of a job at once.
 * @param note how these arguments combine with those that are given one by one
 */
export function wholeArguments(note: string): readonly Option[] {
  return [
    { name: 'args', value: 'JSON', about: `arguments as a JSON object; - reads it from standard input; ${note}` },
    { name: 'args-file', value: 'FILE', about: 'arguments from a JSON or YAML file; - is standard input' },
  ];
}
