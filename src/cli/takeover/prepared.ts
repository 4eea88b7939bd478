// Decides what a takeover does with each imported line. This depends on what the server says about the job.

import { ApiProblem } from '../../client/api-problem.ts';
import type { Client } from '../../client/client.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import type { JsonObject } from '../../domain/job.ts';
import { readHostUsers } from '../import/host-users.ts';
import type { ImportRecord } from '../import/record.ts';
import { ownName } from '../own-name.ts';
import { everyPage } from '../session/pages.ts';
import type { Session } from '../session/session.ts';
import type { ImportedLine } from './imported-lines.ts';

type Schedule = AnswerOf<'listSchedules'>['schedules'][number];

export type Prepared = {
  readonly line: ImportedLine;
  readonly schedules: readonly Schedule[];
  /** The next times of the job under flwd. */
  readonly nextTimes: readonly string[];
  /**
   * `release`: an earlier takeover was interrupted after it had commented the line out, so only the schedules have to
   * be released.
   */
  readonly step: 'take-over' | 'release' | 'taken' | 'left';
  /** Why the line stays with cron. */
  readonly reason: string | null;
  /** Why the job may fail under flwd; null if its newest run has succeeded, and its files have not changed since. */
  readonly warning: string | null;
  /** The user that the job's `run_as` names. */
  readonly runAs: string | null;
};

/** How long cron may still use the old crontab after a change. */
const reloadMs = 75_000;
const shownTimes = 3;

type Server = Pick<Session, 'client' | 'command'>;

export async function prepare(
  lines: readonly ImportedLine[],
  server: Server,
  unfinished: readonly string[],
): Promise<Prepared[]> {
  const prepared: Prepared[] = [];
  for (const line of lines) prepared.push(await prepareOne(line, server, unfinished));
  return prepared;
}

async function prepareOne(line: ImportedLine, server: Server, unfinished: readonly string[]): Promise<Prepared> {
  const left = (reason: string, schedules: readonly Schedule[] = []): Prepared => ({
    line,
    schedules,
    nextTimes: [],
    step: 'left',
    reason,
    warning: null,
    runAs: null,
  });
  const { client } = server;
  const { jobId, record } = line;
  if (line.kind === 'left') return left(line.reason);
  if (jobId === null) return left(`flwd cannot read the job: ${ownName} jobs validate DIR says why`);
  const schedules = await schedulesOf(jobId, client);
  if (line.kind === 'taken') {
    const isInterrupted = unfinished.includes(jobId) && schedules.some(({ held }) => held);
    return {
      line,
      schedules,
      nextTimes: [],
      step: isInterrupted ? 'release' : 'taken',
      reason: null,
      warning: null,
      runAs: null,
    };
  }
  if (schedules.length === 0) return left('the server does not have its schedule');
  if (schedules.some(({ enabled }) => !enabled)) return left('its schedule is disabled');
  const plan = await planOf(jobId, schedules, client);
  if ('refusal' in plan) return left(`its runs would be refused: ${plan.refusal}`);
  const { isolation } = plan.security;
  const lost = lostUser(record, isolation);
  if (lost !== undefined) return left(lost);
  const nextTimes = await nextTimesOf(schedules, client);
  const warning = await warningOf(plan, server);
  return { line, schedules, nextTimes, step: 'take-over', reason: null, warning, runAs: isolation.user ?? null };
}

/** Says why it may be too early to let flwd start the job. */
async function warningOf({ job_id: jobId, revision }: Plan, { client, command }: Server): Promise<string | null> {
  const tryIt = `try ${command('run', jobId)} first`;
  const { runs } = await client.call('listRuns', { query: { job_id: jobId, limit: 1 } });
  const [last] = runs;
  if (!last) return `${jobId} has not run here yet: ${tryIt}`;
  if (last.finished_at === null) return `the run ${last.run_id} of ${jobId} has not ended yet`;
  if (last.status !== 'success')
    return `the last run of ${jobId} did not succeed: ${command('logs', last.run_id)} says why`;
  const { source } = await client.call('getRun', { path: { run_id: last.run_id } });
  return source.revision === revision ? null : `${jobId} has changed since its last run: ${tryIt}`;
}

/** Returns an empty list if the server does not know the job. */
async function schedulesOf(jobId: string, client: Client): Promise<Schedule[]> {
  const pages = await everyPage((from) =>
    client.call('listSchedules', { query: { job_id: jobId, source: 'job', ...from } }),
  );
  return pages.flatMap(({ schedules }) => schedules);
}

type Plan = AnswerOf<'createPlan'>;
type Isolation = Plan['security']['isolation'];

async function planOf(
  jobId: string,
  schedules: readonly Schedule[],
  client: Client,
): Promise<Plan | { readonly refusal: string }> {
  try {
    const plans = await Promise.all(
      schedules.map(({ args }) => client.call('createPlan', { body: { job_id: jobId, args: toJson(args) } })),
    );
    const [first] = plans;
    const denied = plans.find((plan) => plan.denied !== null)?.denied;
    if (denied || !first) return { refusal: denied?.detail ?? 'it has no schedule' };
    return first;
  } catch (error) {
    if (error instanceof ApiProblem) return { refusal: error.message };
    throw error;
  }
}

/**
 * Says why the job would run as another user than under cron; undefined if it would not. With `run_as`, another user is
 * what the author wants.
 */
function lostUser({ user }: ImportRecord, { uid, user: runAs }: Isolation): string | undefined {
  if (user === null || runAs !== undefined || readHostUsers().get(user)?.uid === uid) return undefined;
  return `not carried over: ran as ${user}, and flwd would run it as uid ${uid}`;
}

async function nextTimesOf(schedules: readonly Schedule[], client: Client): Promise<string[]> {
  const previews = await Promise.all(
    schedules.map(({ job_id, cron, at, timezone, args }) =>
      client.call('previewSchedule', {
        query: { fires: shownTimes },
        body: { job_id, ...(cron !== null && { cron }), ...(at !== null && { at }), timezone, args: toJson(args) },
      }),
    ),
  );
  return previews.flatMap(({ next_fires: fires }) => fires.map(({ local }) => local));
}

function toJson(args: object): JsonObject {
  const copy: JsonObject = JSON.parse(JSON.stringify(args));
  return copy;
}

/** Holds all schedules of these jobs. Once this resolves, none of them starts a job. */
export async function holdAll(jobIds: readonly string[], client: Client): Promise<void> {
  for (const jobId of jobIds)
    for (const { id, held } of await schedulesOf(jobId, client))
      if (!held) await client.call('holdSchedule', { path: { schedule_id: id } });
}

/** Releases the schedules, but they start no run before cron has certainly noticed that the lines are comments. */
export async function releaseAll(all: readonly Prepared[], client: Client): Promise<void> {
  const after = new Date(Date.now() + reloadMs).toISOString();
  for (const { id } of all.flatMap(({ schedules }) => schedules))
    await client.call('releaseSchedule', { path: { schedule_id: id }, body: { after } });
}
