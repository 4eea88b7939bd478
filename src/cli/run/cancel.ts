// `flwd cancel RUN…`: cancels runs, by their ids or by options.

import { ApiProblem } from '../../client/api-problem.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { explained } from '../explained.ts';
import { ownName } from '../own-name.ts';
import { type Session, withSession } from '../session/session.ts';
import { createOutput } from '../terminal/output.ts';
import { cancelMatching } from './cancel-matching.ts';
import { findRunId } from './named-run.ts';
import { runFilter } from './run-commands.ts';

const choosing: readonly string[] = ['job', 'status', 'tenant', ...runFilter.map(({ name }) => name)];

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const chosenBy = choosing.find((name) => options.has(name));
  if (operands.length === 0 && chosenBy !== undefined) return cancelMatching(options);
  if (operands.length === 0)
    throw new Refusal(
      `${ownName} cancel needs a run, ${ownName} cancel RUN…, or --job JOB for all runs of a job; ${ownName} runs --status running lists them`,
    );
  if (chosenBy !== undefined)
    throw new Refusal(`flwd cancel takes runs, or options such as --${chosenBy} that choose them, but not both`);
  return cancelNamed(options, operands);
}

/** If one run cannot be cancelled, the others still are. */
async function cancelNamed(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const output = createOutput(options);
  return withSession(options, async (session) => {
    const { client } = session;
    let exitCode: ExitCode = exitCodes.done;
    for (const word of operands) {
      try {
        const runId = await findRunId(session, word, { output, mayCancelAll: true });
        const before = await statusOf(session, runId);
        const query = { force: options.has('force') };
        const answer = await client.call('cancelRun', { path: { run_id: runId }, query });
        if (output.isJson) output.json(answer);
        else if (before === 'cancelled') output.text(`${runId} was already cancelled\n`);
        else output.text(answer.status === 'cancelled' ? `cancelled ${runId}\n` : `${runId} is still ending\n`);
      } catch (error) {
        const known = explained(error);
        if (!(known instanceof Refusal)) throw error;
        for (const line of known.message.split('\n')) output.warn(line);
        exitCode = known.exitCode;
      }
    }
    return exitCode;
  });
}

/**
 * undefined if the token may cancel runs but not read them, or if the run does not exist. The request to cancel it then
 * reports the error.
 */
async function statusOf({ client }: Session, runId: string): Promise<string | undefined> {
  try {
    return (await client.call('getRun', { path: { run_id: runId } })).status;
  } catch (error) {
    if (error instanceof ApiProblem) return undefined;
    throw error;
  }
}
