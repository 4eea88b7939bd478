// `flwd webhooks test WEBHOOK`: says what a delivery with this body would do, and starts nothing.

import type { AnswerOf } from '../../contract/operations.ts';
import { lackOf } from '../../domain/trigger/webhook-notes.ts';
import { defined } from '../../lib/defined.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { readGivenFile } from '../given-file.ts';
import { oneOperand, readPairs, readValue } from '../option-values.ts';
import { ownName } from '../own-name.ts';
import { withSession } from '../session/session.ts';
import { createOutput, type Output } from '../terminal/output.ts';
import { findWebhook } from './webhooks.ts';

type WebhookTest = AnswerOf<'testWebhook'>;

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const named = oneOperand(
    operands,
    `${ownName} webhooks test JOB/NAME --body FILE; ${ownName} webhooks lists the webhooks`,
  );
  const output = createOutput(options);
  const body = defined({
    event: readValue(options, 'event'),
    headers: readPairs(options, 'header'),
    query: readPairs(options, 'query'),
    // The body comes last, because reading it may wait for standard input, and the other options may have errors.
    body: await readBody(options),
  });
  return withSession(options, async ({ client }) => {
    const webhook = await findWebhook(client, named);
    const { id, job_id: jobId, secrets, missing_secrets: missing } = webhook;
    const test = await client.call('testWebhook', { path: { webhook_id: id }, body });
    if (output.isJson) output.json(test);
    else describe(test, jobId, output);
    if (!output.isJson && secrets.length > 0 && missing.length === secrets.length)
      output.text(`but no delivery can be signed now, so each gets 403: the webhook ${lackOf(webhook)}\n`);
    return test.result === 'refused' ? exitCodes.runFailed : exitCodes.done;
  });
}

function describe(
  { result, event, args, asks_person: asks, problem, detail }: WebhookTest,
  jobId: string,
  output: Output,
): void {
  const words = {
    starts: `it would start a run of ${jobId}${asks ? ', which would wait until a person approves it' : ''}`,
    skipped: 'it would start no run: the condition of the webhook (`if`) is false',
    tested: 'it would start no run: it only tests the address',
    refused: `${output.paint('bad', 'it would be refused')}: ${detail ?? problem}`,
  };
  output.fields([
    ['event', event],
    ['arguments', args === null ? '' : JSON.stringify(args)],
  ]);
  output.text(`${words[result]}\n`);
}

/** Returns undefined without `--body`. @throws Refusal */
async function readBody(options: Options): Promise<unknown> {
  const path = readValue(options, 'body');
  if (path === undefined) return undefined;
  const name = path === '-' ? 'the body on standard input' : path;
  const content = await readGivenFile(path, name);
  try {
    return JSON.parse(content);
  } catch {
    throw new Refusal(`${name} is not JSON`);
  }
}
