// `flwd tokens revoke ID`: from now on the token lets nobody in.

import type { Options } from './command.ts';
import { loadConfiguration } from './configuration.ts';
import { type ExitCode, exitCodes, Refusal } from './exit-code.ts';
import { onInstance } from './owner-client.ts';

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const [id, ...others] = operands;
  if (id === undefined || others.length > 0) {
    throw new Refusal('flwd tokens revoke needs one ID, such as token_01…; flwd tokens list shows them');
  }
  const { config } = loadConfiguration(options);
  const { manageTokens } = await import('../operator.ts');
  await onInstance<unknown>(config, {
    alone: () => manageTokens(config, (tokens) => tokens.revoke(id)),
    byOwner: (client) => client.request('revokeToken', { path: { token_id: id } }),
  });
  process.stdout.write(`revoked ${id}\n`);
  return exitCodes.done;
}
