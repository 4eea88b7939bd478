// `flwd webhooks add JOB`: makes a webhook, and prints its address. flwd never shows the address again.

import type { BodyOf } from '../../contract/operations.ts';
import { argumentFields } from '../../domain/argument-fields.ts';
import type { JsonObject } from '../../domain/job.ts';
import { webhookSchemes } from '../../domain/trigger/webhook.ts';
import { defined } from '../../lib/defined.ts';
import { withoutEndSlash } from '../../lib/http/http-url.ts';
import type { Options } from '../command.ts';
import { Refusal } from '../exit-code.ts';
import type { WordError } from '../job/argument-words.ts';
import { findJob } from '../job/find-job.ts';
import { type Job, jobsOf } from '../job/known-jobs.ts';
import { readChoice, readCount, readPairs, readValue } from '../option-values.ts';
import { ownName } from '../own-name.ts';
import { assertSound, missingFields } from '../run/run-request.ts';
import { withSession } from '../session/session.ts';
import { createOutput } from '../terminal/output.ts';

export async function run(options: Options, operands: readonly string[]): Promise<void> {
  if (operands.length === 0)
    throw new Refusal(
      `${ownName} webhooks add needs a job: ${ownName} webhooks add JOB; ${ownName} jobs lists the jobs`,
    );
  const output = createOutput(options);
  const terms = readTerms(options);
  return withSession(options, async (session) => {
    const { client, url, isEphemeral } = session;
    const job = await findJob(jobsOf(session), operands, false);
    const create = () => client.call('createWebhook', { body: { job_id: job.id, ...terms } });
    await assertSound(missingArguments(job, terms.args), create);
    const made = await create();
    const base = isEphemeral() ? '' : withoutEndSlash(url);
    const address = made.url ?? base + made.hook;
    if (output.isJson) output.json(made);
    else output.text(`${address}\n`);
    output.say(`created ${made.job_id}/${made.name} (${made.id}). Save the address: it is not shown again`);
    if (made.scheme === 'token') {
      output.say(
        `everybody who knows the address can start ${made.job_id}, at most ${made.per_minute} times per minute; ` +
          'if the service can sign, give --scheme and --secret',
      );
    }
    if (isEphemeral()) output.say(`it accepts deliveries when a server is running: ${ownName} serve`);
  });
}

/** The required arguments that the webhook would not give. The server refuses a webhook without them, too. */
function missingArguments(job: Job, given: JsonObject = {}): WordError[] {
  return missingFields(argumentFields(job.args), given, []).map(({ kind, path }) => {
    const words = `${path[0]} is missing: take it from the delivery with --arg ${path[0]}=EXPRESSION`;
    const stored = ', or give it a stored secret in config.yaml with `default: {secret: NAME}`';
    return { path, message: kind === 'secret' ? words + stored : words };
  });
}

/** @throws Refusal */
function readTerms(options: Options): Omit<BodyOf<'createWebhook'>, 'job_id'> {
  return defined({
    name: readValue(options, 'name'),
    scheme: readChoice(options, 'scheme', webhookSchemes),
    secret: options.get('secret')?.slice(),
    header: readValue(options, 'header'),
    if: readValue(options, 'if'),
    args: readPairs(options, 'arg'),
    headers: options.get('read-header')?.slice(),
    wait: readValue(options, 'wait'),
    per_minute: readCount(options, 'per-minute'),
    tenant: readValue(options, 'tenant'),
  });
}
