// `flwd audit verify`: checks the chain of the audit log, and prints what to note elsewhere.

import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { loadConfiguration } from '../session/configuration.ts';
import { assertInstance, assertOfThisMachine } from '../session/session.ts';

export async function run(options: Options): Promise<ExitCode> {
  assertOfThisMachine('audit verify', options);
  const { config } = loadConfiguration(options);
  assertInstance(config);
  const { verifyAudit } = await import('../../operator.ts');
  const { rows, first, last, removedThrough, broken } = await verifyAudit(config);
  if (options.has('json')) {
    process.stdout.write(`${JSON.stringify({ rows, first, last, removed_through: removedThrough, broken })}\n`);
    return broken ? exitCodes.runFailed : exitCodes.done;
  }
  if (removedThrough !== null) process.stdout.write(`rows up to ${removedThrough} were removed by retention\n`);
  if (first && last) {
    process.stdout.write(
      `rows ${first.id} (${first.at}) to ${last.id} (${last.at}) are as they were written: ${rows}\n`,
    );
    process.stdout.write(`the last one, ${last.id}, has the hash ${last.hash}\n`);
  }
  if (!broken) {
    if (!first) process.stdout.write('the audit log is empty\n');
    return exitCodes.done;
  }
  throw new Refusal(`the audit log is broken at row ${broken.id}: ${broken.why}`, exitCodes.runFailed);
}
