// `flwd secrets list`: the names of a tenant's secrets; never what is in them.

import type { AnswerOf } from '../contract/operations.ts';
import { toTimestamp } from '../lib/clock.ts';
import type { Options } from './command.ts';
import { loadConfiguration } from './configuration.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import { onInstance } from './owner-client.ts';
import { toMinute, toTable } from './table.ts';

type Secret = Pick<AnswerOf<'listSecrets'>['secrets'][number], 'name' | 'updated_at' | 'updated_by'>;

const pageSize = 1_000;

export async function run(options: Options): Promise<ExitCode> {
  const { config } = loadConfiguration(options);
  const tenant = options.get('tenant')?.[0] ?? config.instance.defaultTenant;
  const { manageSecrets } = await import('../operator.ts');
  const secrets = await onInstance(config, {
    alone: () =>
      manageSecrets(config, ({ page }) =>
        everyPage(async (offset) => {
          const found = await page(tenant, { limit: pageSize, offset });
          return found.secrets.map((secret) => ({ ...secret, updated_at: toTimestamp(secret.updated_at) }));
        }),
      ),
    byOwner: (client) =>
      everyPage(
        async (offset) => (await client.call('listSecrets', { query: { tenant, limit: pageSize, offset } })).secrets,
      ),
  });
  process.stdout.write(toTable([heading, ...secrets.map(toRow)]));
  return exitCodes.done;
}

async function everyPage(list: (offset: number) => Promise<readonly Secret[]>): Promise<Secret[]> {
  const secrets: Secret[] = [];
  for (let isWhole = false; !isWhole; ) {
    const page = await list(secrets.length);
    secrets.push(...page);
    isWhole = page.length < pageSize;
  }
  return secrets;
}

const heading = ['NAME', 'UPDATED', 'BY'];

function toRow({ name, updated_at: updatedAt, updated_by: updatedBy }: Secret): string[] {
  return [name, toMinute(updatedAt), updatedBy];
}
