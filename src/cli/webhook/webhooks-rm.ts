// `flwd webhooks rm WEBHOOK`: removes a webhook that was made at run time.

import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { oneOperand } from '../option-values.ts';
import { withSession } from '../session/session.ts';
import { createOutput } from '../terminal/output.ts';
import { findWebhook } from './webhooks.ts';

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const named = oneOperand(operands, 'flwd webhooks rm JOB/NAME; flwd webhooks lists the webhooks');
  const output = createOutput(options);
  return withSession(options, async ({ client }) => {
    const { id, job_id: jobId, name } = await findWebhook(client, named);
    await client.request('deleteWebhook', { path: { webhook_id: id } });
    output.say(`removed ${jobId}/${name} (${id})`);
    return exitCodes.done;
  });
}
