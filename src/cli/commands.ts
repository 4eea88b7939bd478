// The commands of flwd, in one table: --help prints it, the command line is read by it.

export type CommandName = 'serve' | 'config validate' | 'config show' | 'version' | 'help';

export type Option = {
  /** Without its dashes. */
  readonly name: string;
  /** What the value is, in capitals; without it the option is a switch. */
  readonly value?: string;
  readonly isRepeatable?: true;
  readonly about: string;
};

/** The values given to each option, in order; a switch has the value ''. */
export type Options = ReadonlyMap<string, readonly string[]>;

export type Command = {
  readonly name: CommandName;
  readonly about: string;
  readonly options: readonly Option[];
  /** What follows the name, for --help; without it nothing may. */
  readonly operands?: string;
};

const configFile: Option = {
  name: 'config',
  value: 'FILE',
  about: 'the flwd.yaml to use; else ./flwd.yaml, ~/.config/flwd/flwd.yaml, /etc/flwd/flwd.yaml',
};
const overrides: readonly Option[] = [
  { name: 'bind', value: 'HOST:PORT', about: 'where to listen, for server.bind' },
  { name: 'data-dir', value: 'DIR', about: 'where everything is kept, for instance.data_dir' },
  {
    name: 'jobs',
    value: 'DIR',
    isRepeatable: true,
    about: 'a folder of jobs, in place of all sources; more than once',
  },
  { name: 'profile', value: 'PROFILE', about: 'secure, permissive or disabled, for security.default_profile' },
  { name: 'log', value: 'FORMAT', about: 'text or json, for logging.format' },
];

export const commands: readonly Command[] = [
  {
    name: 'serve',
    about: 'serve the API and run jobs, until SIGTERM or Ctrl-C',
    options: [configFile, ...overrides],
  },
  {
    name: 'config validate',
    about: 'check flwd.yaml and say all that is wrong with it',
    options: [configFile],
  },
  {
    name: 'config show',
    about: 'print every setting that would be in force, and where it comes from',
    options: [configFile, ...overrides],
  },
  { name: 'version', about: 'print the version', options: [] },
  {
    name: 'help',
    about: 'print this, or all of one command',
    options: [],
    operands: '[COMMAND]',
  },
];
