// `flwd runs`: lists runs, newest first, or shows one.

import { answerWords, hintOf, whyFailed } from '../../client/answer-words.ts';
import { revisionWords } from '../../client/revision-words.ts';
import { outlookOf } from '../../client/run-outlook.ts';
import { inGroups, isKept, keptWords } from '../../client/shown-steps.ts';
import { soFarMs, spanWords, tookWords, wholeWords, workWords } from '../../client/took.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { byRequester } from '../../domain/outcome/cancel-request.ts';
import { leftBehindWords } from '../../domain/outcome/left-behind.ts';
import { stepAndMessage } from '../../domain/outcome/step-and-message.ts';
import { stepLabel } from '../../domain/outcome/step-label.ts';
import { isFinished, listedStatuses } from '../../domain/run.ts';
import { systemClock } from '../../lib/clock.ts';
import { defined } from '../../lib/defined.ts';
import { shellWord } from '../../lib/shell-word.ts';
import type { Options } from '../command.ts';
import { verbs } from '../command-line.ts';
import { Refusal } from '../exit-code.ts';
import { assertKnownJob } from '../job/find-job.ts';
import { jobsOf } from '../job/known-jobs.ts';
import { readChoice, readCount } from '../option-values.ts';
import { ownName } from '../own-name.ts';
import { warnNoServer } from '../session/no-server.ts';
import { type Session, withSession } from '../session/session.ts';
import { createOutput, flexible, type Output, right } from '../terminal/output.ts';
import type { Style } from '../terminal/table-text.ts';
import { findRunId } from './named-run.ts';
import { runFilter } from './run-commands.ts';
import { readRunFilter } from './run-filter.ts';

type RunSummary = AnswerOf<'listRuns'>['runs'][number];
type Run = AnswerOf<'getRun'>;
type Step = Run['steps'][number];
type Failure = AnswerOf<'listFailures'>['failures'][number];
type Notification = AnswerOf<'listRunNotices'>['notices'][number];

const usual = 20;
const mostOfPage = 1_000;

export async function run(options: Options, operands: readonly string[]): Promise<void> {
  const output = createOutput(options);
  const [word, extra] = [...(options.get('id') ?? []), ...operands];
  if (word !== undefined && extra !== undefined) {
    const meant = verbs.includes(word) ? word : /^(?:show|get|view)$/.test(word) ? 'runs' : undefined;
    const advice = meant
      ? `did you mean ${ownName} ${meant} ${shellWord(extra)}?`
      : `${ownName} runs lists runs, or shows one`;
    throw new Refusal(`unexpected word \`${extra}\`: ${advice}`);
  }
  const query = queryOf(options);
  if (word !== undefined) assertNoFilter(options, word);
  return withSession(options, async (session) => {
    const warnIfLeft = async (runs: readonly Pick<RunSummary, 'status'>[]): Promise<void> => {
      if (!session.isOwn() || runs.every(({ status }) => isFinished(status))) return;
      await warnNoServer(session, 'nothing starts, and flwd does not notice when a run ends,', { options, output });
    };
    if (word !== undefined) {
      const runId = await findRunId(session, word, { output, orLastOf: true });
      const found = await session.client.call('getRun', { path: { run_id: runId } });
      await warnIfLeft([found]);
      if (output.isJson) return output.json(found);
      await describeRun(found, output, {
        failure: await failureOf(session, found),
        late: await lateOf(session, found),
        undelivered: await undeliveredOf(session, found),
      });
      if (found.status === 'failed') output.say(output.paint('faint', `log: ${session.command('logs', runId)}`));
      return;
    }
    const list = await listRuns(session, query, readCount(options, 'limit') ?? usual);
    await warnIfLeft(list.runs);
    if (list.runs.length === 0) await assertKnownJob(jobsOf(session), 'job_id' in query ? query.job_id : undefined);
    if (output.isJson) output.json(list);
    else if (list.runs.length > 0) await printRuns(list, output);
    else output.say('no runs');
  });
}

/** @throws Refusal for options that choose runs of a list, which would have no effect on one run */
function assertNoFilter(options: Options, word: string): void {
  const filter = ['limit', 'job', 'status', ...runFilter.map(({ name }) => name)].find((name) => options.has(name));
  if (filter === undefined) return;
  const of = word.startsWith('run_') ? '' : `; ${ownName} runs --job ${word} lists runs`;
  throw new Refusal(`flwd runs ${word} shows one run, so it takes no --${filter}${of}`);
}

function queryOf(options: Options) {
  return defined({ ...readRunFilter(options), status: readChoice(options, 'status', listedStatuses) });
}

async function listRuns({ client }: Session, query: ReturnType<typeof queryOf>, wanted: number) {
  let page = await client.call('listRuns', { query: { ...query, limit: Math.min(wanted, mostOfPage) } });
  const runs = [...page.runs];
  while (page.next_cursor !== null && runs.length < wanted) {
    const limit = Math.min(wanted - runs.length, mostOfPage);
    page = await client.call('listRuns', { query: { ...query, limit, cursor: page.next_cursor } });
    runs.push(...page.runs);
  }
  return { ...page, runs };
}

function statusStyle(status: string): Style {
  if (status === 'success') return 'good';
  return status === 'failed' || status === 'cancelled' ? 'bad' : 'busy';
}

function whyOf({ waiting, reason, error }: RunSummary): string {
  return waiting ?? (error === null ? (reason ?? '') : stepAndMessage(error));
}

async function printRuns({ runs, total, total_exact: isExact }: AnswerOf<'listRuns'>, output: Output): Promise<void> {
  await output.table(
    ['RUN', flexible('JOB'), 'STATUS', 'CREATED', right('TOOK'), flexible('BY'), flexible('WHY')],
    runs.map((run) => [
      run.run_id,
      run.job_id,
      { text: run.status, style: statusStyle(run.status) },
      output.time(run.created_at),
      (run.finished_at === null ? leftOf(run) : workWords(run, 0)) || '-',
      byOf(run),
      whyOf(run),
    ]),
  );
  if (total > runs.length) {
    output.say(`showing ${runs.length} of ${isExact ? '' : 'at least '}${total}; --limit shows more`);
  }
}

const startsByItself: ReadonlySet<string> = new Set(['schedule', 'backfill', 'job_ended', 'file', 'check']);

/**
 * Says who started a run. If it was no person or program, only the kind of the trigger is shown; `flwd runs RUN` also
 * shows the id of the schedule or trigger.
 */
function byOf({ created_by: by, trigger: { type } }: RunSummary): string {
  return startsByItself.has(type) ? type : `${by} (${type})`;
}

/** For a run that has not ended, says how long it has taken, how far it is, and how much time is probably left. */
function leftOf(run: RunSummary | Run): string {
  const nowMs = Date.now();
  const ms = soFarMs(run, nowMs);
  const isWorking = run.status === 'running' && run.waiting_approval.length === 0;
  const left = isWorking ? outlookOf(run, run.expected_ms, nowMs).words : '';
  const progress = run.progress ? `${Math.round(run.progress.percent)} %` : '';
  return [ms === null ? '' : `${spanWords(ms)} so far`, progress, left].filter(Boolean).join(', ');
}

/** Finds how often, and since when, the job fails as this run did. */
async function failureOf({ client }: Session, { run_id: runId, status }: Run): Promise<Failure | undefined> {
  if (status !== 'failed') return undefined;
  return (await client.call('listFailures', { query: { run_id: runId } })).failures[0];
}

/** Says why the run is late, if it is late. */
async function lateOf({ client }: Session, { run_id: runId, job_id: jobId, status }: Run): Promise<string | undefined> {
  if (status !== 'running') return undefined;
  const { late } = await client.call('listLate', { query: { job_id: jobId } });
  return late.find(({ run_id: id }) => id === runId)?.detail;
}

/** The notifications about the run that could not be sent, whether flwd tries again or has given up. */
async function undeliveredOf({ client }: Session, { run_id: runId }: Run): Promise<readonly Notification[]> {
  const { notices } = await client.call('listRunNotices', { path: { run_id: runId } });
  return notices.filter(({ status, last_error: error }) => status !== 'delivered' && error !== null);
}

function undeliveredWords(
  { event, channel, origin, last_error: error, next_attempt_at: next }: Notification,
  output: Output,
): string {
  const then = next === null ? 'flwd gave up' : `next try ${output.time(next)}`;
  return `the message \`${event}\` was not delivered to ${channel ?? origin}: ${error}; ${then}`;
}

/** Returns an empty text if the failure happened only once. */
function happenedWords({ count, first_run: { at, revision } }: Failure, output: Output): string {
  if (count === 1) return '';
  const first = revision === null ? '' : `, first at revision ${revisionWords(revision)}`;
  return `${count} times since ${output.time(at)}${first}`;
}

/** Returns an empty text for a run with several steps, because each step shows its own attempts. */
function triesOf({ attempt, steps }: Run): string {
  return attempt > 1 && steps.length < 2 ? ` (after ${attempt} attempts)` : '';
}

/** Empty if it is not known who requested the cancel. */
function cancelWords(run: Run, output: Output): string {
  const by = byRequester(run);
  return by === '' ? '' : `requested ${output.time(run.cancel_requested_at)}${by}`;
}

function whyOfStep(step: Step, output: Output): string {
  const { approval, message, reason } = step;
  return approval ? answerWords(approval) : (message ?? reason ?? nextAttemptWords(step, output));
}

/** Returns an empty text unless the step waits for the time of its next attempt. */
function nextAttemptWords({ status, attempt, not_before: notBefore }: Step, output: Output): string {
  if (status !== 'pending' || notBefore === null || Date.parse(notBefore) <= systemClock.now()) return '';
  return `attempt ${attempt} starts ${output.time(notBefore)}`;
}

/** A run with several steps shows for each step why it waits. */
function whyWaiting({ waiting, steps: [only, ...others] }: Run, output: Output): string {
  if (waiting !== null) return waiting;
  return only && others.length === 0 ? nextAttemptWords(only, output) : '';
}

async function describeRun(
  run: Run,
  output: Output,
  {
    failure,
    late,
    undelivered,
  }: {
    readonly failure: Failure | undefined;
    readonly late: string | undefined;
    readonly undelivered: readonly Notification[];
  },
): Promise<void> {
  const error = whyFailed(run);
  output.fields([
    ['run', run.run_id],
    ['job', `${run.job_id} at ${revisionWords(run.source.revision)} of ${run.source.name}`],
    ['status', { text: `${run.status}${run.reason ? ` (${run.reason})` : ''}`, style: statusStyle(run.status) }],
    ['error', error === '' ? '' : `${error}${triesOf(run)}`],
    ['hint', hintOf(run) ?? ''],
    ['happened', failure ? happenedWords(failure, output) : ''],
    ['late', late === undefined ? '' : { text: late, style: 'bad' }],
    ...undelivered.map((one) => ['notify', { text: undeliveredWords(one, output), style: 'bad' }] as const),
    ['waiting', whyWaiting(run, output)],
    ['cancel', cancelWords(run, output)],
    ['exit code', run.exit_code === null ? '' : String(run.exit_code)],
    ['arguments', JSON.stringify(run.args)],
    [
      'created',
      `${output.time(run.created_at)} by ${run.created_by}${run.trigger.type === 'schedule' ? '' : ` (${run.trigger.type})`}`,
    ],
    ['started', output.time(run.started_at)],
    ['finished', output.time(run.finished_at)],
    ['took', run.finished_at === null ? leftOf(run) : wholeWords(run)],
    ['usual', run.expected_ms === null ? '' : `${spanWords(run.expected_ms)} of work`],
    [
      'profile',
      `${run.security.profile}${run.security.isolation.pid_namespace ? '' : ' without a sandbox'}, network ${run.security.isolation.network}${run.security.isolation.user === undefined ? '' : `, as ${run.security.isolation.user}`}`,
    ],
    [
      'labels',
      Object.entries(run.labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(' '),
    ],
    ['rerun of', run.rerun_of ?? ''],
    ['result', run.result ? JSON.stringify(run.result.value) : ''],
    ['not kept', run.left_behind ? leftBehindWords(run.left_behind) : ''],
  ]);
  if (run.steps.length < 2) return;
  output.text('\n');
  await output.table(
    ['STEP', 'STATUS', right('TRY'), right('TOOK'), flexible('WHY')],
    inGroups(run.steps).map((step) => [
      stepLabel(step),
      { text: step.status, style: statusStyle(step.status) },
      String(step.attempt),
      isKept(run, step) || !step.finished_at ? '-' : tookWords(step, 0) || '-',
      isKept(run, step) ? keptWords : whyOfStep(step, output),
    ]),
  );
}
