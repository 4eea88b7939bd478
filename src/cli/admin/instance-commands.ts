// The commands for who runs an instance, a part of the table in commands.ts.

import { auditActions, auditResults } from '../../domain/audit.ts';
import { scopes } from '../../domain/principal.ts';
import {
  type Command,
  configFile,
  dataDir,
  instance,
  jobsDir,
  json,
  type Option,
  printing,
  quiet,
} from '../command.ts';

const secretTenant: Option = {
  name: 'tenant',
  value: 'TENANT',
  about: 'whose it is; without it the token’s own tenant, else the default one',
};
const overrides: readonly Option[] = [
  { name: 'bind', value: 'HOST:PORT', about: 'where to listen, for server.bind' },
  dataDir,
  jobsDir,
  {
    name: 'profile',
    value: 'PROFILE',
    choices: ['secure', 'permissive', 'disabled'],
    about: 'secure, permissive or disabled, for security.default_profile',
  },
  { name: 'log', value: 'FORMAT', choices: ['text', 'json'], about: 'text or json, for logging.format' },
];

export const instanceCommands = [
  {
    name: 'serve',
    about: 'serve the API and run jobs, until SIGTERM or Ctrl-C',
    options: [
      configFile,
      ...overrides,
      {
        name: 'dev',
        about: 'on loopback alone: the token dev-token may do everything, and pages of localhost may call with a token',
      },
      {
        name: 'stop-runs',
        about: 'when told to stop, cancel what runs and wait for its end; a second signal kills it',
      },
    ],
  },
  {
    name: 'config validate',
    about: 'check flwd.yaml and say all that is wrong with it',
    options: [json, configFile],
  },
  {
    name: 'config show',
    about: 'print every setting that would be in force, and where it comes from',
    options: [json, configFile, ...overrides],
  },
  {
    name: 'doctor',
    about:
      'say what this host can enforce, what it lacks and what to do; exits with 0 if the default profile can be had',
    options: [json, configFile, dataDir],
  },
  {
    name: 'gc',
    about: 'remove what is past its retention now, on a stopped or a running instance',
    options: [{ name: 'dry-run', about: 'only say what would be removed' }, ...printing, ...instance],
    examples: ['flwd gc --dry-run'],
  },
  {
    name: 'secrets set',
    about: 'store a secret: its value is what standard input has, or is typed unseen',
    examples: ['flwd secrets set registry-token', 'flwd secrets set deploy-key --tenant team-a < id_ed25519'],
    options: [secretTenant, ...printing, ...instance],
    operands: 'NAME',
  },
  {
    name: 'secrets list',
    about: 'list the names of stored secrets',
    options: [secretTenant, ...printing, ...instance],
  },
  {
    name: 'secrets rm',
    about: 'remove a stored secret',
    options: [secretTenant, ...printing, ...instance],
    operands: 'NAME',
  },
  {
    name: 'secrets rotate',
    about: 'seal everything with a new key, and drop the old one',
    options: [...printing, ...instance],
  },
  {
    name: 'tokens create',
    about: 'make a token and print it; it is not shown again',
    examples: [
      'flwd tokens create --name ci --scopes runs:write,jobs:read --expires 90d',
      "flwd tokens create --name prometheus --scopes metrics:read --tenant '*'",
    ],
    options: [
      { name: 'name', value: 'NAME', about: 'what it is shown as; no other token in force has it' },
      { name: 'scopes', value: 'A,B', choices: scopes, about: `what it may do: ${scopes.join(', ')}` },
      { name: 'tenant', value: 'TENANT', about: 'whose runs it reaches, * everybody’s; else the default tenant' },
      {
        name: 'expires',
        value: 'TIME',
        about: 'how long it is of use, from 1m to 3650d, such as 90d; else until it is revoked',
      },
      ...printing,
      ...instance,
    ],
  },
  {
    name: 'tokens list',
    about: 'print every token, those that are revoked or expired too',
    options: [...printing, ...instance],
  },
  {
    name: 'tokens revoke',
    about: 'revoke a token, at once and for good; its name will do where no other in force has it',
    options: [...printing, ...instance],
    operands: 'ID',
  },
  {
    name: 'audit',
    about: 'print the audit log, newest first',
    options: [
      { name: 'since', value: 'TIME', about: 'since this time (RFC 3339), or this long ago, such as 2d' },
      { name: 'until', value: 'TIME', about: 'before this time' },
      { name: 'actor', value: 'NAME', about: 'what this principal did' },
      { name: 'action', value: 'ACTION', choices: auditActions, about: 'this action, such as token.create' },
      { name: 'object', value: 'ID', about: 'what was done to this run, token or schedule' },
      { name: 'result', value: 'RESULT', choices: auditResults, about: 'done, refused or failed' },
      { name: 'tenant', value: 'TENANT', about: 'rows of this tenant; * those of the whole instance' },
      { name: 'limit', value: 'N', about: 'so many rows at most; 100 without it, as JSON all' },
      { name: 'json', about: 'one JSON object a line' },
      quiet,
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
    about: 'check the chain of the audit log, on a stopped or a running instance, and print its last id and hash',
    options: [json, configFile, dataDir],
  },
  {
    name: 'backup',
    about: 'copy database, logs, artifacts and snapshots of a stopped or a running instance into a new folder',
    options: [
      { name: 'include-key', about: 'copy the keys too: whoever has the backup can then read the secrets' },
      json,
      configFile,
      dataDir,
    ],
    operands: 'DEST',
    isLikelyNamespace: true,
  },
  {
    name: 'restore',
    about: 'check a backup and put it in the place of a stopped instance',
    options: [{ name: 'force', about: 'replace what is in the data dir' }, json, configFile, dataDir],
    operands: 'SOURCE',
  },
  {
    name: 'completion',
    about: 'print the script that completes flwd in bash, zsh, fish or powershell',
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
    about: 'print this, or all of one command',
    options: [],
    operands: '[COMMAND]',
  },
] as const satisfies readonly Command[];
