// `flwd webhooks deliveries WEBHOOK`: lists what became of the last deliveries.

import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { oneOperand } from '../option-values.ts';
import { withSession } from '../session/session.ts';
import { createOutput } from '../terminal/output.ts';
import { type Delivery, findWebhook, resultOf } from './webhooks.ts';

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const named = oneOperand(operands, 'flwd webhooks deliveries JOB/NAME; flwd webhooks lists the webhooks');
  const output = createOutput(options);
  return withSession(options, async ({ client }) => {
    const { id } = await findWebhook(client, named);
    const list = await client.call('listDeliveries', { path: { webhook_id: id } });
    if (output.isJson) output.json(list);
    else if (list.deliveries.length === 0) output.say('no delivery with a valid signature yet');
    else {
      await output.table(
        [
          { name: 'ID' },
          { name: 'RESULT' },
          { name: 'EVENT' },
          { name: 'RUN' },
          { name: 'ARGUMENTS', isFlexible: true },
          { name: 'WHY', isFlexible: true },
        ],
        list.deliveries.map((delivery) => [
          delivery.id,
          resultOf(delivery, output),
          delivery.event ?? '',
          delivery.run_id ?? '-',
          delivery.args === null ? '' : JSON.stringify(delivery.args),
          whyOf(delivery),
        ]),
      );
    }
    return exitCodes.done;
  });
}

function whyOf({ problem, detail, repeats }: Delivery): string {
  const again = repeats === 0 ? [] : [`came again: ${repeats}`];
  return [...(problem === null ? [] : [detail ?? problem]), ...again].join('; ');
}
