// `flwd secrets rm NAME`: removes a stored secret; runs that were given it keep their own copy.

import type { Options } from './command.ts';
import { loadConfiguration } from './configuration.ts';
import { type ExitCode, exitCodes, Refusal } from './exit-code.ts';
import { onInstance } from './owner-client.ts';

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const [name, ...others] = operands;
  if (name === undefined || others.length > 0)
    throw new Refusal('flwd secrets rm needs one NAME; flwd secrets list shows them');
  const { config } = loadConfiguration(options);
  const tenant = options.get('tenant')?.[0] ?? config.instance.defaultTenant;
  const { manageSecrets } = await import('../operator.ts');
  await onInstance<unknown>(config, {
    alone: () => manageSecrets(config, (secrets) => secrets.remove(tenant, name)),
    byOwner: (client) => client.request('deleteSecret', { path: { name }, query: { tenant } }),
  });
  process.stdout.write(`removed ${name} of tenant ${tenant}\n`);
  return exitCodes.done;
}
