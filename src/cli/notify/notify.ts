// `flwd notify`: lists the channels of notifications, and what became of their last message.

import type { AnswerOf } from '../../contract/operations.ts';
import { waitingWords } from '../../domain/notification.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { withSession } from '../session/session.ts';
import { createOutput, type Output } from '../terminal/output.ts';

type Channel = AnswerOf<'listChannels'>['channels'][number];
type Waiting = NonNullable<Channel['waiting']>;

export async function run(options: Options): Promise<ExitCode> {
  const output = createOutput(options);
  return withSession(options, async ({ client }) => {
    const list = await client.call('listChannels', {});
    if (output.isJson) output.json(list);
    else if (list.channels.length === 0) output.say('flwd.yaml has no channels (notify.channels)');
    else await printChannels(list.channels, output);
    return exitCodes.done;
  });
}

async function printChannels(channels: readonly Channel[], output: Output): Promise<void> {
  await output.table(
    [
      { name: 'NAME' },
      { name: 'TYPE' },
      { name: 'ORIGIN', isFlexible: true },
      { name: 'LAST DELIVERY' },
      { name: 'PROBLEM', isFlexible: true },
    ],
    channels.map(({ name, type, origin, problem, last_delivery: last, waiting }) => [
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
    ]),
  );
}

function wordsOf({ messages, since, error, next_attempt_at: next }: Waiting, output: Output): string {
  return waitingWords({ messages, since: output.time(since), error, next: output.time(next) });
}
