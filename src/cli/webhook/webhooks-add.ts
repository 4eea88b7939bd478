// `flwd webhooks add JOB`: makes a webhook, and prints its address, which nothing shows again.

import type { BodyOf } from '../../contract/operations.ts';
import { webhookSchemes } from '../../domain/trigger/webhook.ts';
import { withoutEndSlash } from '../../lib/http-url.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { findJob } from '../job/find-job.ts';
import { jobsOf } from '../job/known-jobs.ts';
import { readChoice, readCount, readPairs } from '../option-values.ts';
import { withSession } from '../session/session.ts';
import { createOutput } from '../terminal/output.ts';

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  if (operands.length === 0)
    throw new Refusal('flwd webhooks add needs a job: flwd webhooks add JOB; flwd jobs lists the jobs');
  const output = createOutput(options);
  const terms = readTerms(options);
  return withSession(options, async (session) => {
    const { client, url, isEphemeral } = session;
    const job = await findJob(jobsOf(session), operands, false);
    const made = await client.call('createWebhook', { body: { job_id: job.id, ...terms } });
    const base = isEphemeral() ? '' : withoutEndSlash(url);
    const address = made.url ?? base + made.hook;
    if (output.isJson) output.json(made);
    else output.text(`${address}\n`);
    output.say(`made ${made.job_id}/${made.name} (${made.id}). Keep the address: it is not shown again`);
    if (made.scheme === 'token') {
      output.say(
        `everybody who knows the address can start ${made.job_id}, at most ${made.per_minute} times a minute; ` +
          'if the service can sign, give --scheme and --secret',
      );
    }
    if (isEphemeral()) output.say('it takes deliveries once a server runs: flwd serve');
    return exitCodes.done;
  });
}

/** @throws Refusal */
function readTerms(options: Options): Omit<BodyOf<'createWebhook'>, 'job_id'> {
  const one = (name: string) => options.get(name)?.[0];
  const [name, header, condition, wait, tenant] = [one('name'), one('header'), one('if'), one('wait'), one('tenant')];
  const scheme = readChoice(options, 'scheme', webhookSchemes);
  const perMinute = readCount(options, 'per-minute');
  const args = readPairs(options, 'arg');
  const [secrets, headers] = [options.get('secret'), options.get('read-header')];
  return {
    ...(name !== undefined && { name }),
    ...(scheme !== undefined && { scheme }),
    ...(secrets && { secret: [...secrets] }),
    ...(header !== undefined && { header }),
    ...(condition !== undefined && { if: condition }),
    ...(args && { args }),
    ...(headers && { headers: [...headers] }),
    ...(wait !== undefined && { wait }),
    ...(perMinute !== undefined && { per_minute: perMinute }),
    ...(tenant !== undefined && { tenant }),
  };
}
