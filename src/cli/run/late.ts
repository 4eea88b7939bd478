// `flwd late`: lists runs that take too long, successes that did not come, and missed times of schedules.

import type { AnswerOf } from '../../contract/operations.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { readCount } from '../option-values.ts';
import { withSession } from '../session/session.ts';
import { createOutput, type Output } from '../terminal/output.ts';

type List = AnswerOf<'listLate'>;

const usual = 20;

export async function run(options: Options): Promise<ExitCode> {
  const output = createOutput(options);
  const [job] = options.get('job') ?? [];
  const [tenant] = options.get('tenant') ?? [];
  const hasAll = options.has('all');
  const query = {
    limit: readCount(options, 'limit') ?? usual,
    ...(hasAll && { state: 'all' as const }),
    ...(job !== undefined && { job_id: job }),
    ...(tenant !== undefined && { tenant }),
  };
  return withSession(options, async ({ client }) => {
    const list = await client.call('listLate', { query });
    if (output.isJson) output.json(list);
    else await printLate(list, output, hasAll);
    return exitCodes.done;
  });
}

async function printLate({ late }: List, output: Output, hasAll: boolean): Promise<void> {
  if (late.length === 0) return output.say(hasAll ? 'nothing was late' : 'nothing is late; --all shows what is over');
  await output.table(
    [{ name: 'JOB', isFlexible: true }, { name: 'SINCE' }, { name: 'OVER' }, { name: 'WHY', isFlexible: true }],
    late.map((one) => [
      one.job_id,
      output.time(one.at),
      one.over_at === null ? { text: 'no', style: 'bad' } : output.time(one.over_at),
      one.detail,
    ]),
  );
}
