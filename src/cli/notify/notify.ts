// `flwd notify`: the channels of notifications.

import type { AnswerOf } from '../../contract/operations.ts';
import { waitingWords } from '../../domain/notification.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { oneOperand } from '../option-values.ts';
import { ownName } from '../own-name.ts';
import { withSession } from '../session/session.ts';
import { createOutput, flexible, type Output } from '../terminal/output.ts';

type ChannelList = AnswerOf<'listChannels'>;
type Waiting = ChannelList['job_addresses'][number]['waiting'];

/** `flwd notify`: lists the channels, each with the outcome of its last message, and addresses whose messages wait. */
export async function list(options: Options): Promise<void> {
  const output = createOutput(options);
  return withSession(options, async ({ client }) => {
    const found = await client.call('listChannels', {});
    if (output.isJson) output.json(found);
    else if (found.channels.length + found.job_addresses.length === 0)
      output.say('flwd.yaml has no channels (notify.channels)');
    else await printChannels(found, output);
  });
}

/** `flwd notify test CHANNEL`: sends a test message, and says what the receiver answered. */
export async function test(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const name = oneOperand(operands, `${ownName} notify test CHANNEL; ${ownName} notify lists the channels`);
  const output = createOutput(options);
  return withSession(options, async ({ client }) => {
    const { origin, delivered, error, ...channel } = await client.call('testChannel', { path: { name } });
    if (output.isJson) output.json({ ...channel, origin, delivered, error });
    else if (delivered) output.say(`${name}: ${origin} accepted the message`);
    else output.say(`${name}: the message was not delivered${origin === null ? '' : ` to ${origin}`}: ${error}`);
    return delivered ? exitCodes.done : exitCodes.runFailed;
  });
}

async function printChannels({ channels, job_addresses: addresses }: ChannelList, output: Output): Promise<void> {
  const ofChannels = channels.map(({ name, type, origin, problem, last_delivery: last, waiting }) => [
    name,
    type,
    origin ?? '-',
    last
      ? ({
          text: `${last.status} ${output.time(last.at)}`,
          style: last.status === 'delivered' ? 'good' : 'bad',
        } as const)
      : '-',
    problem ?? (waiting ? wordsOf(waiting, output) : (last?.error ?? '')),
  ]);
  const ofJobs = addresses.map(({ origin, job_id: job, waiting }) => [
    job,
    'notify.webhook',
    origin,
    '-',
    wordsOf(waiting, output),
  ]);
  await output.table(
    ['NAME', 'TYPE', flexible('ORIGIN'), 'LAST DELIVERY', flexible('PROBLEM')],
    [...ofChannels, ...ofJobs],
  );
}

function wordsOf({ messages, since, error, next_attempt_at: next }: Waiting, output: Output): string {
  return waitingWords({ messages, since: output.time(since), error, next: output.time(next) });
}
