// `flwd approve RUN [STEP]` and `flwd deny RUN [STEP]`: decides about a step that waits for approval. If no server has
// the data dir, the command then drives the run itself.

import { setTimeout as delay } from 'node:timers/promises';
import { ApiProblem } from '../../client/api-problem.ts';
import type { AnswerOf, BodyOf } from '../../contract/operations.ts';
import { systemClock } from '../../lib/clock.ts';
import type { Options } from '../command.ts';
import { type Call, hint } from '../command-line.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { type Session, withSession } from '../session/session.ts';
import { createOutput } from '../terminal/output.ts';
import { attendRun } from './attend-run.ts';
import { findRunId } from './named-run.ts';

type Run = AnswerOf<'getRun'>;

/** An instance that has just started needs a moment to resume its runs. */
const readyWithinMs = 10_000;
const againMs = 50;

export async function run(options: Options, operands: readonly string[], { command }: Call): Promise<ExitCode> {
  const decision = command.name === 'deny' ? 'deny' : 'approve';
  const [word, given, extra] = operands;
  if (word === undefined || extra !== undefined)
    throw new Refusal(`flwd ${decision} needs a run and takes a step: flwd ${decision} RUN [STEP]`);
  const output = createOutput(options);
  const [comment] = options.get('comment') ?? [];
  return withSession(options, async (session) => {
    const runId = await findRunId(session, word, { output });
    const before = await session.client.call('getRun', { path: { run_id: runId } });
    const step = given === undefined ? stepThatWaits(before, decision, session) : stepOf(before, given);
    const answer = await decide(session, runId, {
      step_id: step,
      decision,
      ...(comment !== undefined && { comment }),
    });
    if (output.isJson) output.json(answer);
    else output.text(`${decision === 'deny' ? 'denied' : 'approved'} ${step} of ${runId}\n`);
    return session.isEphemeral() ? attendRun(session, before, output) : exitCodes.done;
  });
}

/** @throws Refusal if the run has no such step */
function stepOf({ run_id: runId, steps }: Run, given: string): string {
  const names = steps.map(({ step_id: id }) => id);
  if (names.includes(given)) return given;
  const there = hint(given, names) ?? `; its steps are ${names.join(', ')}`;
  throw new Refusal(`${runId} has no step \`${given}\`${there}`, exitCodes.notFound);
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

async function decide({ client, isEphemeral }: Session, runId: string, body: BodyOf<'approveRun'>) {
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
