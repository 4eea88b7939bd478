// `flwd webhooks`: lists and removes webhooks, and shows and replays their deliveries.

import type { Client } from '../../client/client.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { isTriggersPaused } from '../../domain/trigger/paused.ts';
import { reasonOf, whyOf } from '../../domain/trigger/webhook-notes.ts';
import { defined } from '../../lib/defined.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { noteBrokenJobs } from '../job/broken-jobs.ts';
import { assertKnownJob } from '../job/find-job.ts';
import { jobsOf } from '../job/known-jobs.ts';
import { oneOperand, readValue } from '../option-values.ts';
import { ownName } from '../own-name.ts';
import { startAndWatch, startHeaders } from '../run/started-run.ts';
import { withSession } from '../session/session.ts';
import { createOutput, flexible, type Output } from '../terminal/output.ts';

type Webhook = AnswerOf<'getWebhook'>;
type Delivery = AnswerOf<'listDeliveries'>['deliveries'][number];

/** `flwd webhooks`: lists the webhooks, each with its address and the outcome of its last delivery. */
export async function list(options: Options): Promise<void> {
  const output = createOutput(options);
  const query = defined({ job_id: readValue(options, 'job'), tenant: readValue(options, 'tenant') });
  return withSession(options, async (session) => {
    const found = await session.client.call('listWebhooks', { query });
    if (found.webhooks.length === 0) await assertKnownJob(jobsOf(session), query.job_id);
    if (output.isJson) return output.json(found);
    if (found.webhooks.length === 0) output.say('no webhooks');
    else await printWebhooks(found.webhooks, output);
    await noteBrokenJobs(session, 'webhooks', { options, output });
  });
}

/** `flwd webhooks deliveries WEBHOOK`: lists the last deliveries with their outcomes. */
export async function deliveries(options: Options, operands: readonly string[]): Promise<void> {
  const named = oneOperand(operands, `${ownName} webhooks deliveries JOB/NAME; ${ownName} webhooks lists the webhooks`);
  const output = createOutput(options);
  return withSession(options, async ({ client }) => {
    const { id } = await findWebhook(client, named);
    const found = await client.call('listDeliveries', { path: { webhook_id: id } });
    if (output.isJson) output.json(found);
    else if (found.deliveries.length === 0) output.say('no delivery with a valid signature yet');
    else {
      await output.table(
        ['ID', 'RESULT', 'EVENT', 'RUN', flexible('ARGUMENTS'), flexible('WHY')],
        found.deliveries.map((delivery) => [
          delivery.id,
          resultOf(delivery, output),
          delivery.event ?? '',
          delivery.run_id ?? '-',
          delivery.args === null ? '' : JSON.stringify(delivery.args),
          noteOf(delivery),
        ]),
      );
    }
  });
}

/** `flwd webhooks rm WEBHOOK`: removes a webhook that was made at run time. */
export async function remove(options: Options, operands: readonly string[]): Promise<void> {
  const named = oneOperand(operands, `${ownName} webhooks rm JOB/NAME; ${ownName} webhooks lists the webhooks`);
  const output = createOutput(options);
  return withSession(options, async ({ client }) => {
    const { id, job_id: jobId, name } = await findWebhook(client, named);
    await client.request('deleteWebhook', { path: { webhook_id: id } });
    output.say(`removed ${jobId}/${name} (${id})`);
  });
}

/** `flwd webhooks replay WEBHOOK DELIVERY`: starts a run with the arguments of a delivery, and prints its output. */
export async function replay(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const [named, delivery, more] = operands;
  if (named === undefined || delivery === undefined || more !== undefined) {
    throw new Refusal(
      `write ${ownName} webhooks replay JOB/NAME DELIVERY; ${ownName} webhooks deliveries lists the deliveries`,
    );
  }
  const output = createOutput(options);
  const headers = startHeaders(options);
  return withSession(options, async (session) => {
    const { client } = session;
    const { id } = await findWebhook(client, named);
    const path = { webhook_id: id, delivery_id: delivery };
    const start = async () => (await client.call('replayDelivery', { path, headers })).run_id;
    return startAndWatch(session, start, { options, output });
  });
}

async function printWebhooks(webhooks: readonly Webhook[], output: Output): Promise<void> {
  await output.table(
    [flexible('WEBHOOK'), flexible('ADDRESS'), 'SCHEME', flexible('IF'), 'LAST DELIVERY', flexible('WHY')],
    webhooks.map((webhook) => [
      `${webhook.job_id}/${webhook.name}`,
      webhook.hook ?? 'has a token',
      webhook.scheme,
      webhook.if ?? '',
      stateOf(webhook, output),
      whyOf(webhook),
    ]),
  );
}

function stateOf({ denied, last_delivery: last }: Webhook, output: Output) {
  if (denied && isTriggersPaused(denied)) return { text: 'paused', style: 'busy' } as const;
  if (denied) return { text: 'not allowed', style: 'bad' } as const;
  return last ? resultOf(last, output) : '-';
}

const styles = { started: 'good', refused: 'bad', skipped: 'faint', tested: 'faint' } as const;

function resultOf({ result, at }: Pick<Delivery, 'result' | 'at'>, output: Output) {
  return { text: `${result} ${output.time(at)}`, style: styles[result] };
}

/** Says why a delivery started no run, and how often it came again. */
function noteOf(delivery: Delivery): string {
  const again = delivery.repeats === 0 ? '' : `came again: ${delivery.repeats}`;
  return [reasonOf(delivery), again].filter(Boolean).join('; ');
}

/**
 * Finds a webhook by its id, by `JOB/NAME`, or by an address without a token: `/hooks/JOB/NAME` or a URL.
 * @throws Refusal
 */
export async function findWebhook(client: Client, named: string): Promise<Webhook> {
  const { webhooks } = await client.call('listWebhooks', {});
  const address = named.replace(/^https?:\/\/[^/]+/, '').replace(/^(?:\/api\/v1)?\/hooks\//, '');
  const found = webhooks.filter(({ id, job_id: job, name }) => id === named || `${job}/${name}` === address);
  if (found.length > 1) {
    const ids = found.map(({ id, tenant }) => `${id} of the tenant ${tenant}`).join(', ');
    throw new Refusal(`'${named}' names several webhooks; use an id: ${ids}`);
  }
  const [webhook] = found;
  if (webhook) return webhook;
  throw new Refusal(`there is no webhook '${named}'; ${ownName} webhooks lists the webhooks`, exitCodes.notFound);
}
