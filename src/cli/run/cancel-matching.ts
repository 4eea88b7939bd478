// `flwd cancel --job JOB …`: cancels all runs that match the options and have not ended.

import { setTimeout as delay } from 'node:timers/promises';
import { ApiProblem } from '../../client/api-problem.ts';
import type { QueryOf } from '../../contract/operations.ts';
import { cancellableStatuses } from '../../domain/run.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { explained } from '../explained.ts';
import { findJob, isKnownJob } from '../job/find-job.ts';
import { jobsOf } from '../job/known-jobs.ts';
import { readChoice, readValue } from '../option-values.ts';
import { ownName } from '../own-name.ts';
import { everyPage } from '../session/pages.ts';
import { type Session, withSession } from '../session/session.ts';
import { abortOnStop } from '../session/stop-signal.ts';
import { confirmed } from '../terminal/confirm.ts';
import { createOutput, type Output } from '../terminal/output.ts';
import { createStatusLine } from '../terminal/status-line.ts';
import { readRunFilter } from './run-filter.ts';

type Found = {
  readonly pending: readonly string[];
  readonly running: readonly string[];
  /** The runs of both lists that were started by another run, the oldest first. */
  readonly subRuns: readonly string[];
};

const pageRuns = 1_000;
/** How many runs are cancelled at the same time. Cancelling a running run takes until its processes have ended. */
const atOnce = 16;
const mostReasons = 10;

export async function cancelMatching(options: Options): Promise<ExitCode> {
  const output = createOutput(options);
  const filter = readRunFilter(options);
  const status = readChoice(options, 'status', cancellableStatuses);
  return withSession(options, async (session) => {
    const found = await findRuns(session, { filter, status });
    const count = found.pending.length + found.running.length;
    if (count === 0) {
      await assertJob(session, readValue(options, 'job'));
      output.say('no runs to cancel');
      return exitCodes.done;
    }
    const instead = `add --yes to cancel the runs; ${ownName} runs with the same options lists them`;
    await confirmed(questionOf(found, options), { options, instead, unchanged: 'nothing was cancelled' });
    return cancelAll(found, { session, output, isForced: options.has('force') });
  });
}

/**
 * Also accepts the name of a removed job, if the job has runs. @throws Refusal if no such job exists and the name has
 * no runs
 */
async function assertJob(session: Session, job: string | undefined): Promise<void> {
  if (job === undefined) return;
  const prefix = job.endsWith('/') ? job.slice(0, -1) : undefined;
  const query = prefix === undefined ? { job_id: job } : { prefix };
  const { total } = await untilAllowed(() => session.client.call('listRuns', { query: { ...query, limit: 1 } }));
  if (total > 0) return;
  const jobs = jobsOf(session);
  if (prefix !== undefined) {
    const found = await jobs.list({ prefix });
    if (found.jobs.length + found.invalid.length > 0) return;
    throw new Refusal(`there is no job in \`${job}\`; ${session.command('jobs')} lists all`, exitCodes.notFound);
  }
  if (!(await isKnownJob(jobs, [job]))) await findJob(jobs, [job], false);
}

/**
 * Finds the runs once, so that exactly those that the user agrees to are cancelled: runs that start later are left
 * alone.
 */
async function findRuns(
  { client }: Session,
  o: {
    readonly filter: ReturnType<typeof readRunFilter>;
    readonly status: (typeof cancellableStatuses)[number] | undefined;
  },
): Promise<Found> {
  const list = async (also: QueryOf<'listRuns'>): Promise<string[]> => {
    const query = { ...o.filter, ...also, limit: pageRuns };
    const pages = await everyPage((from) =>
      untilAllowed(() => client.call('listRuns', { query: { ...query, ...from } })),
    );
    return pages.flatMap(({ runs }) => runs.map(({ run_id: id }) => id));
  };
  const found: Record<'pending' | 'running' | 'topLevel', string[]> = { pending: [], running: [], topLevel: [] };
  for (const status of o.status === undefined ? (['pending', 'running'] as const) : [o.status]) {
    const kind = status === 'pending' ? 'pending' : 'running';
    found.topLevel.push(...(await list({ status, top_level: true })));
    found[kind].push(...(await list({ status })));
  }
  // A run that started between the two requests is in both lists.
  const started = new Set(found.running);
  const pending = found.pending.filter((id) => !started.has(id));
  const topLevel = new Set(found.topLevel);
  // Sorted by id, runs are in the order in which they were created.
  const subRuns = [...pending, ...found.running].filter((id) => !topLevel.has(id)).toSorted();
  return { pending, running: found.running, subRuns };
}

function questionOf({ pending, running }: Found, options: Options): string {
  const job = readValue(options, 'job');
  const where = job === undefined ? '' : job.endsWith('/') ? ` in ${job}` : ` of ${job}`;
  const [a, b] = [pending.length, running.length];
  const kind = a === 0 ? 'running ' : b === 0 ? 'pending ' : '';
  const both = a > 0 && b > 0 ? ` (${counted(a)} pending, ${counted(b)} running)` : '';
  return `cancel ${counted(a + b)} ${kind}${a + b === 1 ? 'run' : 'runs'}${where}${both}?`;
}

type Outcome = 'cancelled' | 'ending' | 'ended' | 'failed';

async function cancelAll(
  { pending, running, subRuns }: Found,
  o: { readonly session: Session; readonly output: Output; readonly isForced: boolean },
): Promise<ExitCode> {
  const { session, output } = o;
  const { client } = session;
  const count = pending.length + running.length;
  const outcomes: Record<Outcome, number> = { cancelled: 0, ending: 0, ended: 0, failed: 0 };
  let exitCode: ExitCode = exitCodes.done;
  const stop = new AbortController();
  const interrupted = abortOnStop();
  const signal = AbortSignal.any([stop.signal, interrupted]);
  const line = createStatusLine(!output.isQuiet);

  function fail(error: unknown): void {
    if (signal.aborted) return;
    const known = explained(error);
    if (!(known instanceof Refusal)) throw error;
    exitCode = known.exitCode;
    outcomes.failed++;
    // All other runs would fail with the same error.
    const isOfAll = exitCode === exitCodes.notAllowed || exitCode === exitCodes.unreachable;
    if (isOfAll) stop.abort();
    if (isOfAll || outcomes.failed <= mostReasons) line.above(() => output.warn(known.message));
  }

  async function cancel(runId: string): Promise<void> {
    try {
      const input = { path: { run_id: runId }, query: { force: o.isForced }, signal };
      const answer = await untilAllowed(() => client.call('cancelRun', input), signal);
      if (output.isJson) line.above(() => output.json(answer));
      outcomes[answer.status === 'cancelled' ? 'cancelled' : 'ending']++;
    } catch (error) {
      if (error instanceof ApiProblem && error.slug === 'run-already-finished') outcomes.ended++;
      else fail(error);
    }
    line.show(`cancelled ${counted(outcomes.cancelled)} of ${counted(count)}`);
  }

  try {
    const below = new Set(subRuns);
    // Pending runs are cancelled first. Otherwise each running run that ends would make room for a pending one.
    await inParallel(
      pending.filter((id) => !below.has(id)),
      cancel,
      signal,
    );
    await inParallel(
      running.filter((id) => !below.has(id)),
      cancel,
      signal,
    );
    // Sub-runs come last: a run cancels its sub-runs itself, and would fail if one of them were cancelled before it.
    await inParallel(subRuns, cancel, signal);
  } finally {
    line.close();
    const summary = summaryOf(outcomes, count);
    if (output.isJson) output.say(summary);
    else output.text(`${summary}\n`);
  }
  return interrupted.aborted ? exitCodes.interrupted : exitCode;
}

function summaryOf({ cancelled, ending, ended, failed }: Record<Outcome, number>, count: number): string {
  const left = count - cancelled - ending - ended - failed;
  const parts = [
    `cancelled ${counted(cancelled)} ${cancelled === 1 ? 'run' : 'runs'}`,
    ...(ending > 0 ? [`${counted(ending)} still ending`] : []),
    ...(ended > 0 ? [`${counted(ended)} had already ended`] : []),
    ...(failed > 0 ? [`${counted(failed)} could not be cancelled`] : []),
    ...(left > 0 ? [`${counted(left)} left`] : []),
  ];
  return parts.join(', ');
}

function counted(n: number): string {
  return n.toLocaleString('en');
}

/** Works on several runs at once. Whenever one is done, the next one begins. */
async function inParallel(
  all: readonly string[],
  work: (one: string) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const next = all.values();
  const worker = async (): Promise<void> => {
    for (const one of next) {
      if (signal.aborted) return;
      await work(one);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** Waits as long as the rate limit of the caller says. */
async function untilAllowed<T>(call: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof ApiProblem && error.slug === 'rate-limited')) throw error;
      await delay(Number(error.members.retry_after ?? 1) * 1_000, undefined, { ...(signal && { signal }) });
    }
  }
}
