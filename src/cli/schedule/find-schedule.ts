// Finds the schedules that a command names, by id or by name.

import type { AnswerOf } from '../../contract/operations.ts';
import { exitCodes, Refusal } from '../exit-code.ts';
import type { Session } from '../session/session.ts';

type Schedule = AnswerOf<'listSchedules'>['schedules'][number];

export function withName(schedules: readonly Schedule[], asked: string): readonly Schedule[] {
  return schedules.filter(({ id, name }) => id === asked || name === asked);
}

/**
 * Returns an id as it is, without reading the list of schedules, because the caller may not be allowed to read it.
 * @throws Refusal
 */
export async function scheduleIdOf(
  { client, command }: Pick<Session, 'client' | 'command'>,
  asked: string,
  within: { readonly job_id?: string; readonly tenant?: string } = {},
): Promise<string> {
  if (/^schedule_[0-9A-Z]{26}$/.test(asked)) return asked;
  const { schedules } = await client.call('listSchedules', { query: within });
  const found = withName(schedules, asked);
  const [one, other] = found;
  if (one && !other) return one.id;
  const listed = `${command('schedules')} lists the schedules`;
  if (one) throw new Refusal(`${found.length} schedules have the name \`${asked}\`: give the id of one; ${listed}`);
  const ofJob = schedules.filter(({ job_id: jobId }) => jobId === asked).map(({ id }) => id);
  const more = ofJob.length > 0 ? `, but the job ${asked} has ${ofJob.join(', ')}` : '';
  throw new Refusal(`there is no schedule \`${asked}\`${more}; ${listed}`, exitCodes.notFound);
}
