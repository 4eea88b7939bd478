// `flwd webhooks replay WEBHOOK DELIVERY`: starts a run with the arguments of a delivery, and prints its output.

import type { Options } from '../command.ts';
import { type ExitCode, Refusal } from '../exit-code.ts';
import { startAndWatch, startHeaders } from '../run/started-run.ts';
import { withSession } from '../session/session.ts';
import { createOutput } from '../terminal/output.ts';
import { findWebhook } from './webhooks.ts';

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const [named, delivery, more] = operands;
  if (named === undefined || delivery === undefined || more !== undefined) {
    throw new Refusal('write flwd webhooks replay JOB/NAME DELIVERY; flwd webhooks deliveries lists the deliveries');
  }
  const output = createOutput(options);
  const headers = startHeaders(options);
  return withSession(options, async (session) => {
    const { client } = session;
    const { id, job_id: jobId } = await findWebhook(client, named);
    const path = { webhook_id: id, delivery_id: delivery };
    const start = async () => (await client.call('replayDelivery', { path, headers })).run_id;
    return startAndWatch(session, { jobId, start }, { options, output });
  });
}
