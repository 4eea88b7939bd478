// Finds the run that the user named by its id or by a unique part of the id. Commands that only read also accept a job,
// and use its last run. Finds the steps of a run, too.

import { ApiProblem } from '../../client/api-problem.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { oneLine } from '../../lib/plain-text.ts';
import { hint } from '../command-line.ts';
import { exitCodes, Refusal } from '../exit-code.ts';
import type { Session } from '../session/session.ts';
import type { Output } from '../terminal/output.ts';

type FindOptions = {
  readonly output: Output;
  /** The word may be a job; its last run is used, and the user is told. */
  readonly orLastOf?: boolean;
  /** Passes over runs of the job that were cancelled before they started, because they have no log. */
  readonly hasLog?: boolean;
  /** The command can cancel all runs of a job. */
  readonly mayCancelAll?: boolean;
  /** The command answers an approval. If the word is a job, the error lists its runs that wait for one. */
  readonly decision?: 'approve' | 'deny';
};

const wholeId = /^run_[0-9A-Z]{26}$/;
const partOfId = /^(?:run_)?[0-9A-Z]+$/i;
const shortestPart = 8;
/** Only this many of the newest runs are searched for a part of an id. */
const recent = 1_000;
/**
 * How many of the newest runs are read to find the last run of a job. It is the one with the highest id, because ids
 * rise even if the clock of the server is set back.
 */
const newest = 50;
const questionChars = 100;

/**
 * An id that matches nothing is returned unchanged, and the API says what is wrong with it.
 * @throws Refusal if several runs match, if a job is named where only a run will do, or if a job has no runs
 */
export async function findRunId(
  session: Session,
  word: string,
  { output, orLastOf = false, hasLog = false, mayCancelAll = false, decision }: FindOptions,
): Promise<string> {
  const { client, command } = session;
  if (wholeId.test(word)) return word;
  if (partOfId.test(word) && word.length >= shortestPart) {
    const { runs } = await client.call('listRuns', { query: { limit: recent } });
    const part = word.toLowerCase();
    const [first, ...others] = runs.filter(({ run_id: id }) => isPartOf(part, id.toLowerCase()));
    if (first && others.length > 0) {
      const lines = [first, ...others.slice(0, 4)].map((run) => `  ${run.run_id}  ${run.job_id}  ${run.status}`);
      const more = others.length > 4 ? ['  …'] : [];
      throw new Refusal([`${others.length + 1} runs match ${word}; choose one:`, ...lines, ...more].join('\n'));
    }
    if (first) return first.run_id;
  }
  const { runs } = await client.call('listRuns', { query: { job_id: word, limit: newest } });
  const sorted = runs.toSorted((a, b) => (a.run_id < b.run_id ? 1 : -1));
  const logged = hasLog ? sorted.find((run) => run.status !== 'cancelled' || run.started_at !== null) : undefined;
  const last = logged ?? sorted[0];
  if (!last && !word.startsWith('run_'))
    throw new Refusal(await noRunOf(word, { client, command }), exitCodes.notFound);
  if (!last) return word;
  if (!orLastOf) {
    const asked = decision === undefined ? undefined : await approvalsOf(word, decision, session);
    if (asked !== undefined) throw new Refusal(asked, exitCodes.notFound);
    const what = `\`${word}\` is a job, but an id of a run is needed: its last run is ${last.run_id} (${last.status})`;
    const all = mayCancelAll ? `, ${command('cancel', '--job', word)} cancels all that have not ended` : '';
    throw new Refusal(`${what}; ${command('runs', '--job', word)} lists them${all}`, exitCodes.notFound);
  }
  const passedOver = last === sorted[0] ? '' : ' that was not cancelled before it started';
  output.say(`using ${last.run_id}, the last run of ${last.job_id}${passedOver}`);
  return last.run_id;
}

/** Lists the approvals that runs of the job wait for; undefined if no run of the job waits. */
async function approvalsOf(
  job: string,
  decision: 'approve' | 'deny',
  { client, command }: Session,
): Promise<string | undefined> {
  const { approvals } = await client.call('listApprovals', { query: { state: 'waiting', job_id: job, limit: 6 } });
  if (approvals.length === 0) return undefined;
  const lines = approvals
    .slice(0, 5)
    .map(
      ({ run_id: id, step_id: step, question }) =>
        `  ${command(decision, id, step)}    ${oneLine(question ?? '', questionChars)}`,
    );
  const more = approvals.length > 5 ? ['  …'] : [];
  return [
    `\`${job}\` is a job, but an id of a run is needed; these runs wait for an approval:`,
    ...lines,
    ...more,
  ].join('\n');
}

async function noRunOf(word: string, { client, command }: Pick<Session, 'client' | 'command'>): Promise<string> {
  const ids = await jobIds(client);
  if (ids.includes(word)) return `the job \`${word}\` has no runs yet; ${command('run', word)} starts one`;
  const there = hint(word, ids) ?? `; ${command('runs')} lists the runs`;
  return `there is no run \`${word}\`, and no run of a job \`${word}\`${there}`;
}

/** Some tokens can read runs, but lack the scope to list jobs. */
async function jobIds(client: Session['client']): Promise<readonly string[]> {
  try {
    return (await client.call('listJobs', { query: {} })).jobs.map(({ id }) => id);
  } catch (error) {
    if (error instanceof ApiProblem && error.slug === 'permission-denied') return [];
    throw error;
  }
}

/** The beginning of the id, with or without `run_`, or its end. */
function isPartOf(part: string, id: string): boolean {
  return id.startsWith(part) || id.slice('run_'.length).startsWith(part) || id.endsWith(part);
}

/** @throws Refusal if the run has no such step */
export function namedStep({ run_id: runId, steps }: AnswerOf<'getRun'>, given: string): string {
  const names = steps.map(({ step_id: id }) => id);
  if (names.includes(given)) return given;
  const there = hint(given, names) ?? `; its steps are ${names.join(', ')}`;
  throw new Refusal(`${runId} has no step \`${given}\`${there}`, exitCodes.notFound);
}
