// `flwd failures`: lists what makes jobs fail, how often each failure happened, and since when.

import { revisionWords } from '../../client/revision-words.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { defined } from '../../lib/defined.ts';
import type { Options } from '../command.ts';
import { readCount, readValue } from '../option-values.ts';
import { withSession } from '../session/session.ts';
import { createOutput, flexible, type Output, right } from '../terminal/output.ts';

type List = AnswerOf<'listFailures'>;

const usual = 20;

export async function run(options: Options): Promise<void> {
  const output = createOutput(options);
  const query = defined({
    limit: readCount(options, 'limit') ?? usual,
    state: options.has('all') ? undefined : ('unfixed' as const),
    job_id: readValue(options, 'job'),
    tenant: readValue(options, 'tenant'),
  });
  return withSession(options, async ({ client }) => {
    const list = await client.call('listFailures', { query });
    if (output.isJson) output.json(list);
    else await printFailures(list, output, options.has('all'));
  });
}

async function printFailures({ failures, next_cursor: next }: List, output: Output, hasAll: boolean): Promise<void> {
  if (failures.length === 0) return output.say(hasAll ? 'no failures' : 'no open failures; --all shows fixed ones');
  await output.table(
    [flexible('JOB'), right('TIMES'), 'STATE', 'SINCE', 'AT REVISION', 'LAST', 'LAST RUN', flexible('WHY')],
    failures.map((failure) => [
      failure.job_id,
      String(failure.count),
      { text: failure.state, style: failure.state === 'fixed' ? 'good' : 'bad' },
      output.time(failure.first_run.at),
      failure.first_run.revision === null ? '-' : revisionWords(failure.first_run.revision),
      output.time(failure.last_run.at),
      failure.last_run.run_id,
      failure.sample,
    ]),
  );
  if (next !== null) output.say('--limit shows more');
}
