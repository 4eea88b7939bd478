// What a command of flwd is to the command line: its words and its options. Whatever several commands share is here.

export type Option = {
  /** Without its dashes. */
  readonly name: string;
  /** The letter that is short for it. */
  readonly short?: string;
  /** What the value is, in capitals; without it the option is a switch. */
  readonly value?: string;
  /** The values there are, for completion. */
  readonly choices?: readonly string[];
  readonly isRepeatable?: true;
  readonly about: string;
};

/** What was given, by the option's name; a switch has one empty text. */
export type Options = ReadonlyMap<string, readonly string[]>;

export type Command = {
  readonly name: string;
  readonly about: string;
  readonly options: readonly Option[];
  /** What follows the name, for --help; without it nothing may. */
  readonly operands?: string;
  /** A job and its arguments follow, which are read once the job is known. */
  readonly isJobCall?: true;
  /** A namespace of jobs is likely to have the same name: `flwd backup daily` is the job `backup/daily` where there is one. */
  readonly isLikelyNamespace?: true;
  /** Lines as one would type them. */
  readonly examples?: readonly string[];
};

export const configFile: Option = {
  name: 'config',
  value: 'FILE',
  about: 'flwd.yaml to use, in place of the one in ./, ~/.config/flwd/ or /etc/flwd/',
};
export const dataDir: Option = {
  name: 'data-dir',
  value: 'DIR',
  about: 'where everything is kept, for instance.data_dir',
};
export const jobsDir: Option = {
  name: 'jobs',
  value: 'DIR',
  isRepeatable: true,
  about: 'a folder of jobs, in place of all sources; repeatable',
};
/** Which instance a command is for. */
export const instance: readonly Option[] = [
  {
    name: 'remote',
    value: 'NAME',
    about: 'an instance elsewhere, by its name under remotes in flwd.yaml, or its address; else FLWD_REMOTE',
  },
  configFile,
  dataDir,
  jobsDir,
];
export const json: Option = { name: 'json', about: 'print JSON; of a stream an object a line' };
export const quiet: Option = { name: 'quiet', short: 'q', about: 'print the data alone' };
/** How a command prints. */
export const printing: readonly Option[] = [
  json,
  quiet,
  { name: 'verbose', short: 'v', about: 'print more of what happens' },
];
export const tenant: Option = {
  name: 'tenant',
  value: 'TENANT',
  about: 'the tenant, where a token reaches more than one',
};
export const limit: Option = { name: 'limit', value: 'N', about: 'so many at most; 20 without it' };
/** Arguments that are not flags. @param note what becomes of them */
export function wholeArguments(note: string): readonly Option[] {
  return [
    { name: 'args', value: 'JSON', about: `arguments as a JSON object, - for standard input; ${note}` },
    { name: 'args-file', value: 'FILE', about: 'the same from a file, as JSON or YAML' },
  ];
}
