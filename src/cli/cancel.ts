// `flwd cancel RUN…`: ends runs.

import type { Options } from './command.ts';
import { type ExitCode, exitCodes, Refusal } from './exit-code.ts';
import { explained } from './explained.ts';
import { createOutput } from './output.ts';
import { withSession } from './session.ts';

/** One that cannot be cancelled keeps none of the others from it. */
export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  if (operands.length === 0) throw new Refusal('which run? flwd cancel RUN…; flwd runs --status running lists them');
  const output = createOutput(options);
  return withSession(options, async ({ client, attend }) => {
    let exitCode: ExitCode = exitCodes.done;
    for (const runId of operands) {
      attend(runId);
      try {
        const query = { force: options.has('force') };
        const answer = await client.call('cancelRun', { path: { run_id: runId }, query });
        if (output.isJson) output.json(answer);
        else output.text(answer.status === 'cancelled' ? `cancelled ${runId}\n` : `${runId} is still ending\n`);
      } catch (error) {
        const known = explained(error);
        if (!(known instanceof Refusal)) throw error;
        output.warn(known.message);
        exitCode = known.exitCode;
      }
    }
    return exitCode;
  });
}
