// `flwd approvals`, `flwd approve` and `flwd deny`: lists the steps that wait for an approval, and approves or denies
// one.

import { setTimeout as delay } from 'node:timers/promises';
import { ApiProblem } from '../../client/api-problem.ts';
import type { AnswerOf, BodyOf } from '../../contract/operations.ts';
import { whoMayAnswer } from '../../domain/access/who-may-answer.ts';
import { systemClock } from '../../lib/clock.ts';
import { defined } from '../../lib/defined.ts';
import type { Options } from '../command.ts';
import type { Call } from '../command-line.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { readCount, readValue } from '../option-values.ts';
import { ownName } from '../own-name.ts';
import { type Session, withSession } from '../session/session.ts';
import { createOutput, flexible, type Output } from '../terminal/output.ts';
import { continueRun } from './continue-run.ts';
import { findRunId, namedStep } from './named-run.ts';

type Run = AnswerOf<'getRun'>;
type Approvals = AnswerOf<'listApprovals'>;
type Approval = Approvals['approvals'][number];

/** An instance that has just started needs a moment to resume its runs. */
const readyWithinMs = 10_000;
const againMs = 50;

/** `flwd approvals`: lists the approvals of all runs. */
export async function list(options: Options, operands: readonly string[]): Promise<void> {
  const output = createOutput(options);
  if (operands.length > 0)
    throw new Refusal(`${ownName} approvals takes no operands: it lists what waits for an approval`);
  const state = options.has('answered') ? 'answered' : 'waiting';
  const query = {
    state,
    ...defined({ job_id: readValue(options, 'job'), tenant: readValue(options, 'tenant') }),
    limit: readCount(options, 'limit') ?? 20,
  } as const;
  return withSession(options, async ({ client }) => {
    const found = await client.call('listApprovals', { query });
    if (output.isJson) output.json(found);
    else if (found.approvals.length > 0) await printApprovals(found, state, output);
    else output.say(state === 'waiting' ? 'nothing waits for an approval' : 'no approvals');
  });
}

/**
 * `flwd approve RUN [STEP]` and `flwd deny RUN [STEP]`: answers an approval. If no server has the data dir, the command
 * then continues the run itself.
 */
export async function decide(options: Options, operands: readonly string[], { command }: Call): Promise<ExitCode> {
  const decision = command.name === 'deny' ? 'deny' : 'approve';
  const [word, given, extra] = operands;
  if (word === undefined || extra !== undefined)
    throw new Refusal(`flwd ${decision} needs a run and takes a step: flwd ${decision} RUN [STEP]`);
  const output = createOutput(options);
  const comment = readValue(options, 'comment');
  return withSession(options, async (session) => {
    const runId = await findRunId(session, word, { output, decision });
    const before = await session.client.call('getRun', { path: { run_id: runId } });
    const step = given === undefined ? stepThatWaits(before, decision, session) : namedStep(before, given);
    const answer = await sendDecision(session, runId, { step_id: step, decision, ...defined({ comment }) });
    if (output.isJson) output.json(answer);
    else output.text(`${decision === 'deny' ? 'denied' : 'approved'} ${step} of ${runId}\n`);
    return session.isEphemeral() ? continueRun(session, before, output) : exitCodes.done;
  });
}

/** @throws Refusal unless exactly one step waits */
function stepThatWaits(
  { run_id: runId, status, steps }: Run,
  decision: 'approve' | 'deny',
  { command }: Session,
): string {
  const waiting = steps.filter((step) => step.status === 'waiting_approval');
  const [first, second] = waiting;
  if (first && !second) return first.step_id;
  if (first) {
    const lines = waiting.map(({ step_id: id, message }) => `  ${command(decision, runId, id)}    ${message ?? ''}`);
    throw new Refusal(`several steps of ${runId} are waiting; choose one:\n${lines.join('\n')}`);
  }
  const children = steps.flatMap(({ step_id: id, status: is, child_run_id: child }) =>
    is === 'running' && child !== null ? [`; its step ${id} started the run ${child}`] : [],
  );
  throw new Refusal(
    `no step of ${runId} is waiting for approval: the run is ${status}${children.join('')}`,
    exitCodes.refused,
  );
}

async function sendDecision({ client, isEphemeral }: Session, runId: string, body: BodyOf<'approveRun'>) {
  const untilMs = systemClock.monotonicMs() + readyWithinMs;
  for (;;) {
    try {
      return await client.call('approveRun', { path: { run_id: runId }, body });
    } catch (error) {
      const isEarly = error instanceof ApiProblem && error.slug === 'not-ready' && isEphemeral();
      if (!isEarly || systemClock.monotonicMs() > untilMs) throw error;
      await delay(againMs);
    }
  }
}

async function printApprovals(
  { approvals, total, total_exact: isExact }: Approvals,
  state: 'answered' | 'waiting',
  output: Output,
): Promise<void> {
  const isWaiting = state === 'waiting';
  const hasTimes = approvals.some(({ nominal_at: at }) => at !== null);
  await output.table(
    [
      'RUN',
      'STEP',
      flexible('JOB'),
      ...(hasTimes ? ['FOR'] : []),
      flexible('QUESTION'),
      isWaiting ? 'WAITING SINCE' : 'ENDED',
      flexible(isWaiting ? 'WHO MAY ANSWER' : 'ANSWER'),
    ],
    approvals.map(({ answer, finished_at: finishedAt, ...asked }) => [
      asked.run_id,
      asked.step_id,
      asked.job_id,
      ...(hasTimes ? [asked.nominal_at ?? ''] : []),
      asked.question ?? '',
      output.time(finishedAt ?? asked.since),
      finishedAt === null ? whoMayAnswer(asked) : answerWords(answer),
    ]),
  );
  if (total > approvals.length)
    output.say(`showing ${approvals.length} of ${isExact ? '' : 'at least '}${total}; --limit shows more`);
}

function answerWords(answer: Approval['answer']): string {
  if (!answer) return 'nobody answered';
  const comment = answer.comment === null ? '' : `: ${answer.comment}`;
  return `${answer.decision === 'approve' ? 'approved' : 'denied'} by ${answer.by}${comment}`;
}
