// The commands for operators of an instance; part of the table in commands.ts.

import { auditActions, auditResults } from '../../domain/audit.ts';
import { scopes } from '../../domain/principal.ts';
import {
  type Command,
  configFile,
  dataDir,
  instance,
  instantForms,
  jobsDir,
  json,
  type Option,
  onInstance,
  quietTables,
} from '../command.ts';

const secretTenant: Option = {
  name: 'tenant',
  value: 'TENANT',
  about: 'the tenant to use; default: the token’s tenant, otherwise the default tenant',
};
const overrides: readonly Option[] = [
  { name: 'bind', value: 'HOST:PORT', about: 'listen here; overrides server.bind' },
  dataDir,
  jobsDir,
  {
    name: 'profile',
    value: 'PROFILE',
    choices: ['secure', 'permissive', 'disabled'],
    about: 'secure, permissive or disabled; overrides security.default_profile',
  },
  { name: 'log', value: 'FORMAT', choices: ['text', 'json'], about: 'text or json; overrides logging.format' },
];

export const instanceCommands = [
  {
    name: 'serve',
    about: 'run jobs, and serve the API and the console in the browser, until SIGTERM or Ctrl-C',
    options: [
      configFile,
      ...overrides,
      {
        name: 'dev',
        about:
          'for development on loopback: the token dev-token allows everything; pages on localhost may call the API with a token',
      },
      {
        name: 'stop-runs',
        about:
          'on SIGTERM or Ctrl-C, cancel the runs in progress and wait until they end; a second signal kills their scripts',
      },
    ],
  },
  {
    name: 'config validate',
    about: 'check flwd.yaml and print every error in it',
    options: [json, configFile],
  },
  {
    name: 'config show',
    about: 'print every setting and where it comes from',
    options: [json, configFile, ...overrides],
  },
  {
    name: 'doctor',
    about:
      'check the host and the instance, and say how to fix problems; exits with 0 if a server could start and isolate jobs',
    options: [json, configFile, dataDir],
  },
  {
    name: 'gc',
    about: 'remove data whose retention period has ended; works with or without a running server',
    options: onInstance({ name: 'dry-run', about: 'only print what would be removed' }),
    examples: ['flwd gc --dry-run'],
  },
  {
    name: 'notify',
    about: 'list the channels for notifications, and whether the last message to each arrived',
    options: onInstance(),
  },
  {
    name: 'notify test',
    about: 'send a test message to a channel, and print whether the receiver accepted it; exits with 1 if not',
    options: onInstance(),
    operands: 'CHANNEL',
    examples: ['flwd notify test team'],
  },
  {
    name: 'secrets set',
    about: 'store a secret; reads its value from standard input, or asks for it without showing it',
    examples: ['flwd secrets set registry-token', 'flwd secrets set deploy-key --tenant team-a < id_ed25519'],
    options: onInstance(secretTenant),
    operands: 'NAME',
  },
  {
    name: 'secrets list',
    about: 'list the names of stored secrets, and what uses them',
    options: onInstance(secretTenant),
  },
  {
    name: 'secrets rm',
    about: 'remove a stored secret',
    options: onInstance(secretTenant, { name: 'yes', about: 'do not ask, even if something uses the secret' }),
    operands: 'NAME',
  },
  {
    name: 'secrets rotate',
    about: 'encrypt all secrets with a new key, and remove the old key',
    options: onInstance(),
  },
  {
    name: 'tokens create',
    about: 'create a token and print it; flwd shows it only once',
    examples: [
      'flwd tokens create --name ci --scopes runs:write,jobs:read --expires 90d',
      "flwd tokens create --name claude --scopes jobs:read,runs:write --agent --only 'reports/**' --only tag:agent",
      "flwd tokens create --name prometheus --scopes metrics:read --tenant '*'",
    ],
    options: onInstance(
      { name: 'name', value: 'NAME', about: 'a name that no other active token has' },
      { name: 'scopes', value: 'A,B', choices: scopes, about: `what the token allows: ${scopes.join(', ')}` },
      {
        name: 'tenant',
        value: 'TENANT',
        about: 'the tenant whose runs the token can access, * for all; default: the default tenant',
      },
      {
        name: 'expires',
        value: 'TIME',
        about: 'when the token expires, from 1m to 3650d, such as 90d; default: never',
      },
      {
        name: 'only',
        value: 'JOBS',
        isRepeatable: true,
        about:
          'limit the token to these jobs and their runs: a pattern of ids such as reports/**, or tag:NAME; repeatable',
      },
      {
        name: 'secrets',
        value: 'A,B',
        about:
          'the stored secrets that arguments of its runs may name; default: all; if you use --only: only those that are defaults of a job',
      },
      { name: 'agent', about: 'an agent uses the token: jobs with `agents: {approval: true}` ask a person first' },
      {
        name: 'approval',
        value: 'WHEN',
        choices: ['always'],
        about: 'with always, each run that this token starts waits for a person',
      },
    ),
  },
  {
    name: 'tokens list',
    about: 'list all tokens, including revoked and expired ones',
    options: onInstance(),
  },
  {
    name: 'tokens revoke',
    about: 'revoke a token at once and for good, by its id, or by its name if the token is active',
    options: onInstance(),
    operands: 'ID',
  },
  {
    name: 'audit',
    about: 'print the audit log, newest first',
    options: [
      {
        name: 'since',
        value: 'TIME',
        about: `entries since ${instantForms}`,
      },
      { name: 'until', value: 'TIME', about: 'entries before this time' },
      { name: 'actor', value: 'NAME', about: 'entries caused by this principal' },
      { name: 'action', value: 'ACTION', choices: auditActions, about: 'entries of this action, such as token.create' },
      { name: 'object', value: 'ID', about: 'entries about this run, token or schedule' },
      { name: 'result', value: 'RESULT', choices: auditResults, about: 'done, refused or failed' },
      { name: 'tenant', value: 'TENANT', about: 'entries of this tenant; * for those of the whole instance' },
      { name: 'limit', value: 'N', about: 'how many entries to print; default: 100, or all with --json' },
      { name: 'json', about: 'print one JSON object per line' },
      quietTables,
      ...instance,
    ],
    examples: [
      'flwd audit --since 7d --action token.create',
      'flwd audit --object run_01KJ…',
      'flwd audit --tenant acme --json',
    ],
  },
  {
    name: 'audit verify',
    about: 'check the hash chain of the audit log, and print its last id and hash; the server may be running',
    options: [json, configFile, dataDir],
  },
  {
    name: 'backup',
    about: 'copy database, logs, artifacts and snapshots into a new folder; the server may be running',
    options: [
      {
        name: 'include-key',
        about: 'copy the keys too: anyone who has the backup can then read the secrets; without the keys, nobody can',
      },
      json,
      configFile,
      dataDir,
    ],
    operands: 'DEST',
    examples: ['flwd backup /mnt/backup/flwd-today', 'flwd backup /mnt/backup/flwd-today --include-key'],
    isLikelyNamespace: true,
  },
  {
    name: 'restore',
    about: 'check a backup and restore it; the server must be stopped',
    options: [{ name: 'force', about: 'replace the contents of the data dir' }, json, configFile, dataDir],
    operands: 'SOURCE',
    examples: ['flwd restore /mnt/backup/flwd-today', 'flwd restore /mnt/backup/flwd-today --force'],
  },
  {
    name: 'completion',
    about: 'print the completion script for bash, zsh, fish or powershell',
    options: [],
    operands: 'SHELL',
    examples: [
      'eval "$(flwd completion bash)"         # in ~/.bashrc',
      'eval "$(flwd completion zsh)"          # in ~/.zshrc',
      'flwd completion fish | source          # in ~/.config/fish/config.fish',
      'flwd completion powershell | Out-String | Invoke-Expression   # in $PROFILE',
    ],
  },
  { name: 'version', about: 'print the version', options: [json] },
  {
    name: 'help',
    about: 'list all commands, or print the options of one',
    options: [],
    operands: '[COMMAND]',
  },
] as const satisfies readonly Command[];
