// `flwd failures`: lists what makes jobs fail, with how often and since when.

import { revisionWords } from '../../client/revision-words.ts';
import type { AnswerOf, QueryOf } from '../../contract/operations.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { readCount } from '../option-values.ts';
import { withSession } from '../session/session.ts';
import { createOutput, type Output } from '../terminal/output.ts';

type List = AnswerOf<'listFailures'>;

const usual = 20;

export async function run(options: Options): Promise<ExitCode> {
  const output = createOutput(options);
  const query = queryOf(options);
  return withSession(options, async ({ client }) => {
    const list = await client.call('listFailures', { query });
    if (output.isJson) output.json(list);
    else await printFailures(list, output, options.has('all'));
    return exitCodes.done;
  });
}

function queryOf(options: Options): QueryOf<'listFailures'> {
  const [job] = options.get('job') ?? [];
  const [tenant] = options.get('tenant') ?? [];
  return {
    limit: readCount(options, 'limit') ?? usual,
    ...(!options.has('all') && { state: 'unfixed' as const }),
    ...(job !== undefined && { job_id: job }),
    ...(tenant !== undefined && { tenant }),
  };
}

async function printFailures({ failures, next_cursor: next }: List, output: Output, hasAll: boolean): Promise<void> {
  if (failures.length === 0) return output.say(hasAll ? 'no failures' : 'no open failures; --all shows fixed ones');
  await output.table(
    [
      { name: 'JOB', isFlexible: true },
      { name: 'TIMES', isRight: true },
      { name: 'STATE' },
      { name: 'SINCE' },
      { name: 'AT REVISION' },
      { name: 'LAST' },
      { name: 'LAST RUN' },
      { name: 'WHY', isFlexible: true },
    ],
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
