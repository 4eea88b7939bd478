// The commands for the key-value store; part of the table in commands.ts.

import { type Command, type Option, onInstance } from '../command.ts';

const tenant: Option = {
  name: 'tenant',
  value: 'TENANT',
  about: 'the tenant to use; default: the token’s tenant, otherwise the default tenant',
};

export const kvCommands = [
  {
    name: 'kv get',
    about: 'print the value of a key, as it was stored; exits with 1 if there is no such key',
    options: onInstance(tenant),
    operands: 'NAMESPACE KEY',
    examples: ['flwd kv get backup/daily last-id', 'flwd kv get backup/daily state > state.bin'],
  },
  {
    name: 'kv set',
    about: 'store a value under a key; without VALUE, read the value from standard input',
    options: onInstance(
      { name: 'ttl', value: 'TIME', about: 'the key expires after this time, from 1s to 3650d; default: never' },
      {
        name: 'if-version',
        value: 'N',
        about: 'store only if the key has this version (0: only if it does not exist); otherwise exit with 6',
      },
      tenant,
    ),
    operands: 'NAMESPACE KEY [VALUE]',
    examples: [
      'flwd kv set backup/daily last-id 1041',
      'flwd kv set backup/daily paused yes --ttl 2h',
      'flwd kv set backup/daily state < state.bin',
    ],
  },
  {
    name: 'kv delete',
    about: 'delete a key; exits with 1 if there is no such key',
    options: onInstance(tenant),
    operands: 'NAMESPACE KEY',
  },
  {
    name: 'kv list',
    about: 'list the keys of a namespace, or the namespaces; a job’s own namespace is its id',
    options: onInstance({ name: 'prefix', value: 'PREFIX', about: 'only keys that begin with this' }, tenant),
    operands: '[NAMESPACE]',
    examples: ['flwd kv list', 'flwd kv list backup/daily --prefix seen/'],
  },
] as const satisfies readonly Command[];
