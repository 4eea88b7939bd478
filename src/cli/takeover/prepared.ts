// Decides what a takeover does with each imported line. This depends on what the server says about the job.

import { ApiProblem } from '../../client/api-problem.ts';
import type { Client } from '../../client/client.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import type { JsonObject } from '../../domain/job.ts';
import { readHostUsers } from '../import/host-users.ts';
import type { ImportRecord } from '../import/record.ts';
import { everyPage } from '../session/pages.ts';
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
  /** flwd has run the job with success at least once. */
  readonly hasSucceeded: boolean;
  /** The user that the job's `run_as` names. */
  readonly runAs: string | null;
};

/** How long cron may still use the old crontab after a change. */
const reloadMs = 75_000;
const shownTimes = 3;

export async function prepare(
  lines: readonly ImportedLine[],
  client: Client,
  unfinished: readonly string[],
): Promise<Prepared[]> {
  const prepared: Prepared[] = [];
  for (const line of lines) prepared.push(await prepareOne(line, client, unfinished));
  return prepared;
}

async function prepareOne(line: ImportedLine, client: Client, unfinished: readonly string[]): Promise<Prepared> {
  const left = (reason: string, schedules: readonly Schedule[] = []): Prepared => ({
    line,
    schedules,
    nextTimes: [],
    step: 'left',
    reason,
    hasSucceeded: true,
    runAs: null,
  });
  const { jobId, record } = line;
  if (line.kind === 'left') return left(line.reason);
  if (jobId === null) return left('flwd cannot read the job: flwd jobs validate DIR says why');
  const schedules = await schedulesOf(jobId, client);
  if (line.kind === 'taken') {
    const isInterrupted = unfinished.includes(jobId) && schedules.some(({ held }) => held);
    return {
      line,
      schedules,
      nextTimes: [],
      step: isInterrupted ? 'release' : 'taken',
      reason: null,
      hasSucceeded: true,
      runAs: null,
    };
  }
  if (schedules.length === 0) return left('the server does not have its schedule');
  if (schedules.some(({ enabled }) => !enabled)) return left('its schedule is disabled');
  const plan = await planOf(jobId, schedules, client);
  if ('refusal' in plan) return left(`its runs would be refused: ${plan.refusal}`);
  const lost = lostUser(record, plan);
  if (lost !== undefined) return left(lost);
  const { runs } = await client.call('listRuns', { query: { job_id: jobId, status: 'success', limit: 1 } });
  const nextTimes = await nextTimesOf(schedules, client);
  const hasSucceeded = runs.length > 0;
  return { line, schedules, nextTimes, step: 'take-over', reason: null, hasSucceeded, runAs: plan.user ?? null };
}

/** Returns an empty list if the server does not know the job. */
async function schedulesOf(jobId: string, client: Client): Promise<Schedule[]> {
  const pages = await everyPage((from) =>
    client.call('listSchedules', { query: { job_id: jobId, source: 'job', ...from } }),
  );
  return pages.flatMap(({ schedules }) => schedules);
}

type Isolation = AnswerOf<'createPlan'>['security']['isolation'];

async function planOf(
  jobId: string,
  schedules: readonly Schedule[],
  client: Client,
): Promise<Isolation | { readonly refusal: string }> {
  try {
    const plans = await Promise.all(
      schedules.map(({ args }) => client.call('createPlan', { body: { job_id: jobId, args: toJson(args) } })),
    );
    const [first] = plans;
    const denied = plans.find((plan) => plan.denied !== null)?.denied;
    if (denied || !first) return { refusal: denied?.detail ?? 'it has no schedule' };
    return first.security.isolation;
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
