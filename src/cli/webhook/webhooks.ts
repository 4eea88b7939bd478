// `flwd webhooks`: lists the webhooks, their addresses and what became of their last delivery.

import type { Client } from '../../client/client.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { shellWord } from '../../lib/shell-word.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { withSession } from '../session/session.ts';
import { createOutput, type Output } from '../terminal/output.ts';

type Webhook = AnswerOf<'getWebhook'>;
export type Delivery = AnswerOf<'listDeliveries'>['deliveries'][number];

export async function run(options: Options): Promise<ExitCode> {
  const output = createOutput(options);
  const one = (name: string) => options.get(name)?.[0];
  const [job, tenant] = [one('job'), one('tenant')];
  const query = { ...(job !== undefined && { job_id: job }), ...(tenant !== undefined && { tenant }) };
  return withSession(options, async ({ client }) => {
    const list = await client.call('listWebhooks', { query });
    if (output.isJson) output.json(list);
    else if (list.webhooks.length === 0) output.say('no webhooks');
    else await printWebhooks(list.webhooks, output);
    return exitCodes.done;
  });
}

async function printWebhooks(webhooks: readonly Webhook[], output: Output): Promise<void> {
  await output.table(
    [
      { name: 'WEBHOOK', isFlexible: true },
      { name: 'ADDRESS', isFlexible: true },
      { name: 'SCHEME' },
      { name: 'IF', isFlexible: true },
      { name: 'LAST DELIVERY' },
      { name: 'WHY', isFlexible: true },
    ],
    webhooks.map((webhook) => [
      `${webhook.job_id}/${webhook.name}`,
      webhook.hook ?? 'has a token',
      webhook.scheme,
      webhook.if ?? '',
      stateOf(webhook, output),
      webhook.denied?.detail ?? lackOf(webhook),
    ]),
  );
}

/** The secrets that it lacks, with the commands that store them; empty if it has all of them. */
export function lackOf({ missing_secrets: missing, source, tenant }: Webhook): string {
  // Those of job files belong to the default tenant.
  const of = source === 'job' ? '' : ` --tenant ${shellWord(tenant)}`;
  return missing.map((secret) => `lacks the secret ${secret}: flwd secrets set ${secret}${of}`).join('; ');
}

function stateOf({ denied, last_delivery: last }: Webhook, output: Output) {
  if (denied) return { text: 'not allowed', style: 'bad' } as const;
  return last ? resultOf(last, output) : '-';
}

const styles = { started: 'good', refused: 'bad', skipped: 'faint', tested: 'faint' } as const;

export function resultOf({ result, at }: Pick<Delivery, 'result' | 'at'>, output: Output) {
  return { text: `${result} ${output.time(at)}`, style: styles[result] };
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
  throw new Refusal(`there is no webhook '${named}'; flwd webhooks lists the webhooks`, exitCodes.notFound);
}
