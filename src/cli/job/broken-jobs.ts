// Names the jobs whose config.yaml has errors, for lists that lack them: flwd reads no schedules and no webhooks from a
// broken job.

import { defined } from '../../lib/defined.ts';
import { listSome } from '../../lib/list-some.ts';
import type { Options } from '../command.ts';
import { readValue } from '../option-values.ts';
import type { Session } from '../session/session.ts';
import type { Output } from '../terminal/output.ts';

/** With `--job`, names only that job. @param what the list that lacks the jobs */
export async function noteBrokenJobs(
  { client, command }: Session,
  what: 'schedules' | 'webhooks',
  { options, output }: { readonly options: Options; readonly output: Output },
): Promise<void> {
  const query = defined({ ids: readValue(options, 'job'), limit: 1 });
  const ids = (await client.call('listJobs', { query })).invalid.map(({ id }) => id);
  const [only] = ids;
  if (only === undefined) return;
  if (ids.length === 1) {
    output.say(`The job ${only} is broken, so its ${what} start nothing: ${command('jobs', only)} shows its errors.`);
    return;
  }
  output.say(
    `${ids.length} jobs are broken, so their ${what} start nothing (${listSome(ids)}): ${command('jobs')} shows their errors.`,
  );
}
