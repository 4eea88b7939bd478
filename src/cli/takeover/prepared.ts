// Decides for each imported line what a takeover does with it, by what the server says about its job.

import { ApiProblem } from '../../client/api-problem.ts';
import type { Client } from '../../client/client.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import type { JsonObject } from '../../domain/job.ts';
import { everyPage } from '../session/pages.ts';
import type { ImportedLine } from './imported-lines.ts';

type Schedule = AnswerOf<'listSchedules'>['schedules'][number];

export type Prepared = {
  readonly line: ImportedLine;
  readonly schedules: readonly Schedule[];
  /** The next times by flwd. */
  readonly nextTimes: readonly string[];
  /** `release`: an earlier takeover commented the line out and was interrupted. */
  readonly step: 'take-over' | 'release' | 'taken' | 'left';
  /** Why it is left to cron. */
  readonly reason: string | null;
  /** flwd has run the job with success at least once. */
  readonly hasSucceeded: boolean;
};

/** How long after a change cron may still act on the crontab that it read before. */
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
    };
  }
  if (schedules.length === 0) return left('the server does not have its schedule');
  if (record.not_carried_over !== null) return left(`not carried over: ${record.not_carried_over}`);
  if (schedules.some(({ enabled }) => !enabled)) return left('its schedule is disabled');
  const refusal = await refusalOf(jobId, schedules, client);
  if (refusal !== undefined) return left(`its runs would be refused: ${refusal}`);
  const { runs } = await client.call('listRuns', { query: { job_id: jobId, status: 'success', limit: 1 } });
  const nextTimes = await nextTimesOf(schedules, client);
  return { line, schedules, nextTimes, step: 'take-over', reason: null, hasSucceeded: runs.length > 0 };
}

/** Empty if the server does not know the job. */
async function schedulesOf(jobId: string, client: Client): Promise<Schedule[]> {
  const pages = await everyPage((from) =>
    client.call('listSchedules', { query: { job_id: jobId, source: 'job', ...from } }),
  );
  return pages.flatMap(({ schedules }) => schedules);
}

async function refusalOf(jobId: string, schedules: readonly Schedule[], client: Client): Promise<string | undefined> {
  try {
    for (const { args } of schedules) {
      const { denied } = await client.call('createPlan', { body: { job_id: jobId, args: toJson(args) } });
      if (denied) return denied.detail;
    }
    return undefined;
  } catch (error) {
    if (error instanceof ApiProblem) return error.message;
    throw error;
  }
}

async function nextTimesOf(schedules: readonly Schedule[], client: Client): Promise<string[]> {
  const previews = await Promise.all(
    schedules.map(({ job_id, cron, timezone, args }) =>
      client.call('previewSchedule', {
        query: { fires: shownTimes },
        body: { job_id, cron, timezone, args: toJson(args) },
      }),
    ),
  );
  return previews.flatMap(({ next_fires: fires }) => fires.map(({ local }) => local));
}

function toJson(args: object): JsonObject {
  const copy: JsonObject = JSON.parse(JSON.stringify(args));
  return copy;
}

/** Once this resolves, flwd starts none of these jobs by a schedule. */
export async function holdAll(all: readonly { readonly line: ImportedLine }[], client: Client): Promise<void> {
  for (const { line } of all) {
    if (line.jobId === null) continue;
    for (const { id, held } of await schedulesOf(line.jobId, client))
      if (!held) await client.call('holdSchedule', { path: { schedule_id: id } });
  }
}

/** From the first time on at which cron certainly knows that it no longer has the line. */
export async function releaseAll(all: readonly Prepared[], client: Client): Promise<void> {
  const after = new Date(Date.now() + reloadMs).toISOString();
  for (const { id } of all.flatMap(({ schedules }) => schedules))
    await client.call('releaseSchedule', { path: { schedule_id: id }, body: { after } });
}
