// Continues a run that no server drives, until it ends or only waits for people.

import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '../../client/client.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { stepLabel } from '../../domain/outcome/step-label.ts';
import { isFinished } from '../../domain/run.ts';
import { oneLine } from '../../lib/plain-text.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { lostRun, onLost } from '../session/lost-data-dir.ts';
import type { Session } from '../session/session.ts';
import { untilInterrupted } from '../session/stop-signal.ts';
import type { Output } from '../terminal/output.ts';
import { describeEnd } from './run-watch.ts';

type Run = AnswerOf<'getRun'>;
type Step = Run['steps'][number];
type Question = { readonly runId: string; readonly stepId: string; readonly text: string };

const everyMs = 200;
const questionChars = 200;

/**
 * Continues the run until it ends or waits for people. On Ctrl-C, the command ends and the run's processes continue.
 * `before` is the run as it was when the command started.
 */
export async function continueRun(session: Session, before: Run, output: Output): Promise<ExitCode> {
  const { client, where } = session;
  const { run_id: runId } = before;
  session.ensureStarted(runId);
  output.say(
    `no server is running on ${where}, so this command continues ${runId} until it ends or waits for approval`,
  );
  let isLost = false;
  const endLook = onLost(session, runId, () => {
    isLost = true;
  });
  const exitCode = await untilInterrupted(async (signal) => {
    const known = new Map(before.steps.map(({ step_id: id, status }) => [id, status]));
    for (;;) {
      if (isLost) throw lostRun(session, runId);
      const run = await client.call('getRun', { path: { run_id: runId } });
      for (const step of run.steps) {
        const { step_id: id, status } = step;
        if (known.get(id) !== status) output.say(`${stepLabel(step)}: ${status.replaceAll('_', ' ')}`);
        known.set(id, status);
      }
      const questions = isFinished(run.status) ? [] : await questionsOf(client, run);
      if (questions) {
        if (questions.length === 0) await describeEnd(session, run, output);
        for (const { runId: of, stepId, text } of questions)
          output.say(
            `${stepId} waits for approval: ${oneLine(text, questionChars)}: ${session.command('approve', of, stepId)}`,
          );
        return;
      }
      await delay(everyMs, undefined, { signal });
    }
  }).finally(endLook);
  if (exitCode === exitCodes.interrupted)
    output.say(
      `${runId} continues in the background. The next flwd command on ${where}, or \`${session.command('serve')}\`, finishes it.`,
    );
  return exitCode;
}

/** The approvals that a run and its sub-runs wait for; undefined while anything else happens in these runs. */
async function questionsOf(client: Client, run: Run): Promise<readonly Question[] | undefined> {
  if (run.status !== 'running' || run.cancel_requested_at !== null) return undefined;
  const open = run.steps.filter((step) => !hasEnded(step));
  const openIds = new Set(open.map(({ step_id: id }) => id));
  const questions: Question[] = [];
  for (const step of open) {
    if (step.status === 'waiting_approval')
      questions.push({ runId: run.run_id, stepId: step.step_id, text: step.message ?? '' });
    else if (step.status === 'pending' && step.needs.some((id) => openIds.has(id))) continue;
    else if (step.status === 'running' && step.kind === 'group') continue;
    else if (step.child_run_id === null) return undefined;
    else {
      const child = await client.call('getRun', { path: { run_id: step.child_run_id } });
      const inner = await questionsOf(client, child);
      if (!inner) return undefined;
      questions.push(...inner);
    }
  }
  return questions.length > 0 ? questions : undefined;
}

function hasEnded({ status }: Step): boolean {
  return status !== 'pending' && status !== 'running' && status !== 'waiting_approval';
}
