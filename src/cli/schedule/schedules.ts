// `flwd schedules`: lists the schedules and when each one starts its next run.

import { heartbeatState } from '../../client/heartbeat-words.ts';
import { denialWords } from '../../client/schedule-denial.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { startWords } from '../../lib/cron/start-words.ts';
import { shellWord } from '../../lib/shell-word.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { type Session, withSession } from '../session/session.ts';
import { createOutput, type Output } from '../terminal/output.ts';

type ScheduleList = AnswerOf<'listSchedules'>;
type Schedule = ScheduleList['schedules'][number];

export async function run(options: Options): Promise<ExitCode> {
  const output = createOutput(options);
  const one = (name: string) => options.get(name)?.[0];
  const [job, tenant] = [one('job'), one('tenant')];
  const query = { ...(job !== undefined && { job_id: job }), ...(tenant !== undefined && { tenant }) };
  return withSession(options, async (session) => {
    const list = await session.client.call('listSchedules', { query });
    if (output.isJson) output.json(list);
    else await printSchedules(list, output);
    if (list.schedules.some(({ enabled, held, paused, denied }) => enabled && !held && !paused && !denied))
      noteNoServer(session, output);
    return exitCodes.done;
  });
}

/** Schedules start runs only while a server is running. */
export function noteNoServer({ isEphemeral, where, command }: Session, output: Output): void {
  if (isEphemeral())
    output.say(`No server is running on ${where}: schedules start nothing until you run \`${command('serve')}\`.`);
}

async function printSchedules({ schedules }: ScheduleList, output: Output): Promise<void> {
  if (schedules.length === 0) {
    output.say('no schedules');
    return;
  }
  const hasNames = schedules.some(({ name }) => name !== null);
  const hasArguments = schedules.some(({ args }) => Object.keys(args).length > 0);
  const hasHeartbeats = schedules.some(({ heartbeat }) => heartbeat !== null);
  const columns = [
    { name: 'ID' },
    { name: 'JOB', isFlexible: true as const },
    ...(hasNames ? [{ name: 'NAME', isFlexible: true as const }] : []),
    ...(hasArguments ? [{ name: 'ARGUMENTS', isFlexible: true as const }] : []),
    { name: 'CRON' },
    { name: 'WHEN', isFlexible: true as const },
    { name: 'ZONE' },
    { name: 'NEXT' },
    { name: 'LAST RUN' },
    { name: 'STATE' },
    ...(hasHeartbeats ? [{ name: 'HEARTBEAT', isFlexible: true as const }] : []),
    { name: 'WHY', isFlexible: true as const },
  ];
  await output.table(
    columns,
    schedules.map((schedule) => [
      schedule.id,
      schedule.job_id,
      ...(hasNames ? [schedule.name ?? ''] : []),
      ...(hasArguments ? [argumentsOf(schedule)] : []),
      schedule.cron ?? schedule.at ?? '',
      schedule.sentence,
      schedule.timezone,
      nextOf(schedule),
      lastOf(schedule, output),
      stateOf(schedule),
      ...(hasHeartbeats ? [heartbeatOf(schedule, output)] : []),
      (schedule.denied ?? schedule.last_error)?.detail ?? '',
    ]),
  );
}

function argumentsOf({ args }: Schedule): string {
  return Object.entries(args)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? shellWord(value) : JSON.stringify(value)}`)
    .join(' ');
}

const styles = { success: 'good', failed: 'bad', running: 'busy', pending: 'faint', cancelled: 'faint' } as const;

function lastOf({ last_run: last }: Schedule, output: Output) {
  if (last === null) return '-';
  return { text: `${last.status} ${output.time(last.created_at)}`, style: styles[last.status] };
}

function heartbeatOf({ heartbeat }: Schedule, output: Output) {
  if (heartbeat === null) return '-';
  const state = heartbeatState(heartbeat);
  if (state.kind === 'none') return 'not yet called';
  if (state.kind === 'called') return { text: `called ${output.time(state.at)}`, style: 'good' } as const;
  return { text: `failed ${output.time(state.at)}: ${state.why}`, style: 'bad' } as const;
}

/** In the time zone of the schedule, which is in the column before. */
function nextOf({ cron, enabled, held, paused, denied, next_fires: [next] }: Schedule): string {
  if (!enabled || held || paused || denied) return '-';
  return next?.local ?? startWords.get(cron ?? '') ?? '-';
}

function stateOf({ enabled, held, paused, done, denied, last_error: lastError }: Schedule) {
  if (!enabled) return { text: 'disabled', style: 'faint' } as const;
  if (denied) return { text: denialWords(denied).toLowerCase(), style: 'bad' } as const;
  if (paused) return { text: 'paused', style: 'busy' } as const;
  if (held) return { text: 'held', style: 'faint' } as const;
  if (lastError !== null) return { text: 'failing', style: 'bad' } as const;
  return done ? ({ text: 'done', style: 'faint' } as const) : ({ text: 'on', style: 'good' } as const);
}
