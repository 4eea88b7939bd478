// `flwd backfills` lists backfills. `flwd backfills cancel BACKFILL` ends one.

import type { AnswerOf } from '../../contract/operations.ts';
import { defined } from '../../lib/defined.ts';
import type { Options } from '../command.ts';
import type { Call } from '../command-line.ts';
import { oneOperand, readCount, readValue } from '../option-values.ts';
import { withSession } from '../session/session.ts';
import { createOutput, flexible, type Output } from '../terminal/output.ts';

type Backfill = AnswerOf<'getBackfill'>;

const usual = 20;

export async function run(options: Options, operands: readonly string[], { command }: Call): Promise<void> {
  const output = createOutput(options);
  if (command.name === 'backfills cancel') return cancel(options, operands, output);
  const query = defined({
    limit: readCount(options, 'limit') ?? usual,
    job_id: readValue(options, 'job'),
    tenant: readValue(options, 'tenant'),
  });
  return withSession(options, async ({ client }) => {
    const list = await client.call('listBackfills', { query });
    if (output.isJson) output.json(list);
    else if (list.backfills.length === 0) output.say('no backfills');
    else await printBackfills(list, output);
  });
}

async function cancel(options: Options, operands: readonly string[], output: Output): Promise<void> {
  const id = oneOperand(operands, 'flwd backfills cancel BACKFILL; flwd backfills lists the backfills');
  return withSession(options, async ({ client }) => {
    const backfill = await client.call('cancelBackfill', { path: { backfill_id: id } });
    if (output.isJson) output.json(backfill);
    else output.text(`${id} ${backfill.status}\n`);
  });
}

async function printBackfills({ backfills, total }: AnswerOf<'listBackfills'>, output: Output): Promise<void> {
  await output.table(
    ['ID', flexible('JOB'), 'FROM', 'UNTIL', 'STATE', 'STARTED', 'LEFT OUT', 'FAILED', flexible('BY'), flexible('WHY')],
    backfills.map((backfill) => [
      backfill.id,
      backfill.job_id,
      output.time(backfill.from),
      output.time(backfill.until),
      stateOf(backfill),
      `${backfill.started} of ${backfill.in_span - backfill.left_out}`,
      String(backfill.left_out),
      backfill.failed_runs === null ? '-' : String(backfill.failed_runs),
      backfill.created_by,
      backfill.error?.detail ?? '',
    ]),
  );
  if (total > backfills.length) output.say(`showing ${backfills.length} of ${total}; --limit shows more`);
}

const styles = { running: 'busy', done: 'good', failed: 'bad', cancelled: 'faint' } as const;

function stateOf({ status, paused }: Backfill) {
  return { text: paused ? 'paused' : status, style: styles[status] };
}
