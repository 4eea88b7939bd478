// `flwd schedules`: lists, runs, holds, pauses and removes schedules.

import { heartbeatState } from '../../client/heartbeat-words.ts';
import { denialWords } from '../../client/schedule-denial.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { lacksWords } from '../../domain/trigger/webhook-notes.ts';
import { startWords } from '../../lib/cron/start-words.ts';
import { defined } from '../../lib/defined.ts';
import { shellWord } from '../../lib/shell-word.ts';
import type { Options } from '../command.ts';
import type { Call } from '../command-line.ts';
import { type ExitCode, Refusal } from '../exit-code.ts';
import { noteBrokenJobs } from '../job/broken-jobs.ts';
import { assertKnownJob } from '../job/find-job.ts';
import { jobsOf } from '../job/known-jobs.ts';
import { oneOperand, readInstant, readValue } from '../option-values.ts';
import { ownName } from '../own-name.ts';
import { startAndWatch, startHeaders } from '../run/started-run.ts';
import { type Session, withSession } from '../session/session.ts';
import { createOutput, flexible, type Output } from '../terminal/output.ts';
import { scheduleIdOf } from './find-schedule.ts';

type Schedule = AnswerOf<'listSchedules'>['schedules'][number];

/** `flwd schedules`: lists the schedules and when each one starts its next run. */
export async function list(options: Options): Promise<void> {
  const output = createOutput(options);
  const query = defined({ job_id: readValue(options, 'job'), tenant: readValue(options, 'tenant') });
  return withSession(options, async (session) => {
    const found = await session.client.call('listSchedules', { query });
    if (found.schedules.length === 0) await assertKnownJob(jobsOf(session), query.job_id);
    if (output.isJson) output.json(found);
    else {
      await printSchedules(found.schedules, output);
      await noteBrokenJobs(session, 'schedules', { options, output });
    }
    if (found.schedules.some(({ enabled, held, paused, denied }) => enabled && !held && !paused && !denied))
      noteNoServer(session, output);
  });
}

/** `flwd schedules run SCHEDULE`: runs the job of a schedule now, and prints its output until it ends. */
export async function start(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const asked = oneOperand(operands, `${ownName} schedules run SCHEDULE; ${ownName} schedules lists the schedules`);
  const output = createOutput(options);
  const headers = startHeaders(options);
  return withSession(options, async (session) => {
    const { client } = session;
    const path = { schedule_id: await scheduleIdOf(session, asked) };
    const create = async () => (await client.call('runSchedule', { path, headers })).run_id;
    return startAndWatch(session, create, { options, output });
  });
}

/** `flwd schedules rm SCHEDULE` */
export async function remove(options: Options, operands: readonly string[]): Promise<void> {
  const asked = oneOperand(operands, `${ownName} schedules rm SCHEDULE; ${ownName} schedules lists the schedules`);
  const output = createOutput(options);
  return withSession(options, async (session) => {
    const id = await scheduleIdOf(session, asked);
    await session.client.request('deleteSchedule', { path: { schedule_id: id } });
    output.say(`removed ${id}`);
  });
}

/** `flwd schedules hold SCHEDULE` */
export async function hold(options: Options, operands: readonly string[]): Promise<void> {
  const asked = oneOperand(operands, `${ownName} schedules hold SCHEDULE; ${ownName} schedules lists the schedules`);
  const output = createOutput(options);
  return withSession(options, async (session) => {
    const id = await scheduleIdOf(session, asked);
    const held = await session.client.call('holdSchedule', { path: { schedule_id: id } });
    if (output.isJson) output.json(held);
    else output.text(`held ${id}\n`);
  });
}

/** `flwd schedules release SCHEDULE` */
export async function release(options: Options, operands: readonly string[]): Promise<void> {
  const asked = oneOperand(operands, `${ownName} schedules release SCHEDULE; ${ownName} schedules lists the schedules`);
  const body = defined({ after: readInstant(options, 'after') });
  const output = createOutput(options);
  return withSession(options, async (session) => {
    const id = await scheduleIdOf(session, asked);
    const released = await session.client.call('releaseSchedule', { path: { schedule_id: id }, body });
    const [next] = released.next_fires;
    if (output.isJson) output.json(released);
    else output.text(`released ${id}\n`);
    if (next) output.say(`${released.job_id} runs next at ${next.local}`);
    if (!released.enabled) output.warn(`${id} still starts nothing: it is disabled`);
    if (released.denied) output.warn(`${id} still starts nothing: ${released.denied.detail}`);
    noteNoServer(session, output);
  });
}

/** `flwd schedules pause --all` and `flwd schedules resume --all` */
export async function pauseOrResume(options: Options, _: readonly string[], { command }: Call): Promise<void> {
  const isPause = command.name === 'schedules pause';
  if (!options.has('all')) {
    const single = isPause ? 'hold' : 'release';
    throw new Refusal(
      `flwd ${command.name} needs --all; for one schedule, use ${ownName} schedules ${single} SCHEDULE`,
    );
  }
  const output = createOutput(options);
  return withSession(options, async (session) => {
    const operation = isPause ? 'pauseSchedules' : 'resumeSchedules';
    const answer = await session.client.call(operation, {
      body: defined({ tenant: readValue(options, 'tenant') }),
    });
    const which = answer.tenant === '*' ? 'all schedules' : `all schedules of ${answer.tenant}`;
    if (output.isJson) output.json(answer);
    else output.text(`${isPause ? 'paused' : 'resumed'} ${which}\n`);
    if (!isPause && answer.paused) {
      const by = answer.by_operator ? 'scheduler.schedules_paused in flwd.yaml' : 'a pause of every tenant';
      output.warn(`the schedules still start nothing: ${by} is in force`);
    }
    if (!isPause) noteNoServer(session, output);
  });
}

/** Schedules start runs only while a server is running. */
export function noteNoServer({ isEphemeral, where, command }: Session, output: Output): void {
  if (isEphemeral())
    output.say(`No server is running on ${where}: schedules start nothing until you run \`${command('serve')}\`.`);
}

async function printSchedules(schedules: readonly Schedule[], output: Output): Promise<void> {
  if (schedules.length === 0) return output.say('no schedules');
  const hasNames = schedules.some(({ name }) => name !== null);
  const hasArguments = schedules.some(({ args }) => Object.keys(args).length > 0);
  const hasHeartbeats = schedules.some(({ heartbeat }) => heartbeat !== null);
  const columns = [
    'ID',
    flexible('JOB'),
    ...(hasNames ? [flexible('NAME')] : []),
    ...(hasArguments ? [flexible('ARGUMENTS')] : []),
    'CRON',
    flexible('WHEN'),
    'ZONE',
    'NEXT',
    'LAST RUN',
    'STATE',
    ...(hasHeartbeats ? [flexible('HEARTBEAT')] : []),
    flexible('WHY'),
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
      whyOf(schedule),
    ]),
  );
}

function argumentsOf({ args }: Schedule): string {
  return Object.entries(args)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? shellWord(value) : JSON.stringify(value)}`)
    .join(' ');
}

/** A missing secret comes before the last error: it can be stored before it makes a run fail. */
function whyOf(schedule: Schedule): string {
  const { denied, enabled, missing_secrets: missing, last_error: lastError } = schedule;
  if (denied) return denied.detail;
  return lacksWords(enabled ? missing : [], schedule) || (lastError?.detail ?? '');
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

/** The next time, in the time zone that the column before it shows. */
function nextOf({ cron, enabled, held, paused, denied, next_fires: [next] }: Schedule): string {
  if (!enabled || held || paused || denied) return '-';
  return next?.local ?? startWords.get(cron ?? '') ?? '-';
}

function stateOf({ enabled, held, paused, done, denied, missing_secrets: missing, last_error: lastError }: Schedule) {
  if (!enabled) return { text: 'disabled', style: 'faint' } as const;
  if (denied) return { text: denialWords(denied).toLowerCase(), style: 'bad' } as const;
  if (paused) return { text: 'paused', style: 'busy' } as const;
  if (held) return { text: 'held', style: 'faint' } as const;
  if (lastError !== null) return { text: 'failing', style: 'bad' } as const;
  if (missing.length > 0 && !done) return { text: 'no secret', style: 'bad' } as const;
  return done ? ({ text: 'done', style: 'faint' } as const) : ({ text: 'on', style: 'good' } as const);
}
