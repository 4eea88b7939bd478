// `flwd backfill` and `flwd backfills`: starts, lists and cancels backfills.

import type { AnswerOf } from '../../contract/operations.ts';
import { holdsScope } from '../../domain/principal.ts';
import { backfillLabel, backfillStatuses } from '../../domain/schedule.ts';
import { defined } from '../../lib/defined.ts';
import type { Options } from '../command.ts';
import { exitCodes, Refusal } from '../exit-code.ts';
import { findJob } from '../job/find-job.ts';
import { jobsOf } from '../job/known-jobs.ts';
import { oneOperand, readChoice, readCount, readInstant, readValue } from '../option-values.ts';
import { ownName } from '../own-name.ts';
import { type Session, withSession } from '../session/session.ts';
import { createOutput, flexible, type Output } from '../terminal/output.ts';
import { scheduleIdOf, withName } from './find-schedule.ts';
import { noteNoServer } from './schedules.ts';

type Schedule = AnswerOf<'listSchedules'>['schedules'][number];
type Preview = AnswerOf<'previewBackfill'>;
type Backfill = AnswerOf<'getBackfill'>;

const usual = 20;

/** `flwd backfill JOB`: starts the runs that a schedule would have started between two times, or prints these times. */
export async function start(options: Options, operands: readonly string[]): Promise<void> {
  if (operands.length === 0 || !options.has('from'))
    throw new Refusal(`${ownName} backfill needs a job and a time: ${ownName} backfill JOB --from 2026-11-02`);
  const output = createOutput(options);
  const atOnce = readCount(options, 'at-once') ?? 1;
  return withSession(options, async (session) => {
    const { client } = session;
    const job = await findJob(jobsOf(session), operands, false);
    const schedule = await findSchedule(session, job.id, options);
    const path = { schedule_id: schedule.id };
    // A day such as `yesterday` is a day in the time zone of the schedule.
    const [from = '', until] = ['from', 'until'].map((name) => readInstant(options, name, schedule.timezone));
    const span = { from, ...(until !== undefined && { until }) };
    const preview = await client.call('previewBackfill', { path, body: span });
    noteForgotten(preview, output);
    if (options.has('dry-run')) {
      if (output.isJson) output.json(preview);
      else output.text(preview.times.map(({ local }) => `${local}\n`).join(''));
      output.say(`${runs(preview.times.length)} would start${leftOut(preview)}; nothing was started`);
      return noteLackingScopes(session, output);
    }
    if (preview.times.length === 0 && !output.isJson) {
      output.say(`${job.id} has no times to start in this span${leftOut(preview)}; nothing was started`);
      return;
    }
    const made = await client.call('createBackfill', { path, body: { ...span, at_once: atOnce } });
    if (output.isJson) output.json(made);
    else output.text(`${made.id}\n`);
    const toStart = made.in_span - made.left_out;
    output.say(`${job.id} gets ${runs(toStart)}, ${made.at_once} at a time, oldest first${leftOut(made)}`);
    output.say(`watch it with ${session.command('backfills')}, and its runs with ${runsCommand(session, made.id)}`);
    if (made.paused) output.warn('all schedules are paused: the backfill starts nothing until they are resumed');
    noteNoServer(session, output);
  });
}

/** `flwd backfills` */
export async function list(options: Options): Promise<void> {
  const output = createOutput(options);
  const within = defined({ job_id: readValue(options, 'job'), tenant: readValue(options, 'tenant') });
  const status = readChoice(options, 'status', backfillStatuses);
  const limit = readCount(options, 'limit') ?? usual;
  return withSession(options, async (session) => {
    const asked = readValue(options, 'schedule');
    const scheduleId = asked === undefined ? undefined : await findScheduleId(session, asked, within);
    const query = defined({ ...within, limit, schedule_id: scheduleId, status });
    const found = await session.client.call('listBackfills', { query });
    if (output.isJson) output.json(found);
    else if (found.backfills.length === 0) output.say('no backfills');
    else await printBackfills(found, output);
  });
}

/** `flwd backfills cancel BACKFILL`: the backfill starts no more runs. */
export async function cancel(options: Options, operands: readonly string[]): Promise<void> {
  const output = createOutput(options);
  const id = oneOperand(operands, `${ownName} backfills cancel BACKFILL; ${ownName} backfills lists the backfills`);
  return withSession(options, async ({ client }) => {
    const backfill = await client.call('cancelBackfill', { path: { backfill_id: id } });
    if (output.isJson) output.json(backfill);
    else output.text(`${id} ${backfill.status}\n`);
  });
}

/** @throws Refusal */
async function findSchedule({ client, command }: Session, jobId: string, options: Options): Promise<Schedule> {
  const { schedules } = await client.call('listSchedules', { query: { job_id: jobId } });
  const asked = readValue(options, 'schedule');
  const found = asked === undefined ? schedules : withName(schedules, asked);
  const [one, other] = found;
  if (one && !other) return one;
  const listed = `${command('schedules', '--job', jobId)} lists its schedules`;
  if (one) throw new Refusal(`choose one of the ${found.length} schedules of ${jobId} with --schedule; ${listed}`);
  const what = asked === undefined ? 'no schedule' : `no schedule \`${asked}\``;
  throw new Refusal(`${jobId} has ${what}${schedules.length > 0 ? `; ${listed}` : ''}`, exitCodes.notFound);
}

/**
 * Finds a schedule by its name or id. The id of a removed schedule is accepted as long as its backfills are kept.
 * @throws Refusal
 */
async function findScheduleId(
  session: Session,
  asked: string,
  within: { readonly job_id?: string; readonly tenant?: string },
): Promise<string> {
  const { total } = await session.client.call('listBackfills', { query: { ...within, schedule_id: asked, limit: 1 } });
  if (total > 0) return asked;
  return scheduleIdOf(session, asked, within);
}

function noteForgotten({ runs_known_since: since, times }: Preview, output: Output): void {
  if (since === null || !times.some(({ nominal_at: at }) => at < since)) return;
  output.warn(`runs that ended before ${output.time(since)} were removed: earlier times may have had a run`);
}

/** A dry run needs fewer scopes than the backfill. */
async function noteLackingScopes({ client }: Session, output: Output): Promise<void> {
  const { caller } = await client.call('getSystemInfo');
  const lacking = (['schedules:write', 'runs:write'] as const).filter((scope) => !holdsScope(caller, scope));
  if (lacking.length === 0) return;
  const scopes = `${lacking.length === 1 ? 'the scope' : 'the scopes'} ${lacking.join(' and ')}`;
  output.warn(`you may not start this backfill: that needs ${scopes}`);
}

function runs(count: number): string {
  return count === 1 ? '1 run' : `${count} runs`;
}

function leftOut({ left_out: count }: { readonly left_out: number }): string {
  if (count === 0) return '';
  return count === 1 ? '; 1 time has a run already' : `; ${count} times have a run already`;
}

function runsCommand({ command }: Session, id: string): string {
  return command('runs', '--label', `${backfillLabel}=${id}`);
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
