// `flwd late`: lists runs that take too long, jobs that have not succeeded in time, and missed times of schedules.

import type { AnswerOf } from '../../contract/operations.ts';
import { defined } from '../../lib/defined.ts';
import type { Options } from '../command.ts';
import { readCount, readValue } from '../option-values.ts';
import { warnNoServer } from '../session/no-server.ts';
import { withSession } from '../session/session.ts';
import { createOutput, flexible, type Output } from '../terminal/output.ts';

type List = AnswerOf<'listLate'>;

const usual = 20;

export async function run(options: Options): Promise<void> {
  const output = createOutput(options);
  const hasAll = options.has('all');
  const query = defined({
    limit: readCount(options, 'limit') ?? usual,
    state: hasAll ? ('all' as const) : undefined,
    job_id: readValue(options, 'job'),
    tenant: readValue(options, 'tenant'),
  });
  return withSession(options, async (session) => {
    const list = await session.client.call('listLate', { query });
    const isChecked = !session.isEphemeral();
    // Only a server notices what is late, so without a server, an empty list means nothing.
    if (!isChecked) await warnNoServer(session, 'nothing starts or is checked', { options, output });
    if (output.isJson) output.json(list);
    else await printLate(list, output, { hasAll, isChecked });
  });
}

async function printLate(
  { late }: List,
  output: Output,
  { hasAll, isChecked }: { readonly hasAll: boolean; readonly isChecked: boolean },
): Promise<void> {
  if (late.length === 0) {
    const words = !isChecked ? 'nothing was recorded as late' : hasAll ? 'nothing was late' : 'nothing is late';
    return output.say(hasAll ? words : `${words}; --all also shows what is no longer late`);
  }
  await output.table(
    [flexible('JOB'), 'SINCE', 'OVER', flexible('WHY')],
    late.map((one) => [
      one.job_id,
      output.time(one.at),
      one.over_at === null ? { text: 'no', style: 'bad' } : output.time(one.over_at),
      one.detail,
    ]),
  );
}
