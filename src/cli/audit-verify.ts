// `flwd audit verify`: checks the chain of the audit log, and prints what to note elsewhere.

import type { Options } from './commands.ts';
import { loadConfiguration } from './configuration.ts';
import { type ExitCode, exitCodes, Refusal } from './exit-code.ts';
import { explainedStart } from './start-failure.ts';

export async function run(options: Options): Promise<ExitCode> {
  const { config } = loadConfiguration(options);
  const { withAudit } = await import('../main.ts');
  const verdict = withAudit(config, ({ verify }) => verify());
  const { rows, first, last, removedThrough, broken } = await verdict.catch((error: unknown) => {
    throw explainedStart(error);
  });
  if (removedThrough !== null) process.stdout.write(`rows up to ${removedThrough} were removed by retention\n`);
  if (first && last) {
    process.stdout.write(
      `rows ${first.id} (${first.at}) to ${last.id} (${last.at}) are as they were written: ${rows}\n` +
        `the last one, ${last.id}, has the hash ${last.hash}\n`,
    );
  }
  if (broken) throw new Refusal(`the audit log is broken at row ${broken.id}: ${broken.why}`, exitCodes.runFailed);
  if (!first) process.stdout.write('the audit log is empty\n');
  return exitCodes.done;
}
