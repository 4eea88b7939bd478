// `flwd secrets rm NAME`: removes a stored secret. Runs that already received it keep their copy.

import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { oneOperand } from '../option-values.ts';
import { everyPage } from '../session/pages.ts';
import { withSession } from '../session/session.ts';
import { createOutput } from '../terminal/output.ts';

const pageSize = 1_000;

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const name = oneOperand(operands, 'flwd secrets rm NAME; flwd secrets list shows the names');
  const output = createOutput(options);
  const [tenant] = options.get('tenant') ?? [];
  const query = { ...(tenant !== undefined && { tenant }) };
  const users = await withSession(options, async ({ client }) => {
    const pages = await everyPage((from) =>
      client.call('listSecrets', { query: { limit: pageSize, ...query, ...from } }),
    );
    await client.request('deleteSecret', { path: { name }, query });
    const removed = pages.flatMap(({ secrets }) => secrets).find((secret) => secret.name === name);
    return [...(removed?.used_by ?? []).map((id) => `job ${id}`), ...(removed?.also_used_by ?? [])];
  });
  output.say(`removed ${name}${tenant === undefined ? '' : ` of tenant ${tenant}`}`);
  if (users.length > 0) output.say(`until it is stored again, these lack it: ${users.join(', ')}`);
  return exitCodes.done;
}
