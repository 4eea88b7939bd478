// `flwd audit verify`: checks the hash chain of the audit log, and prints the last hash for safekeeping elsewhere.

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
  if (removedThrough !== null)
    process.stdout.write(`entries up to ${removedThrough} were removed when their retention ended\n`);
  if (first && last) {
    process.stdout.write(
      `verified ${rows} entries, ${first.id} (${first.at}) to ${last.id} (${last.at}): nothing was changed or removed\n`,
    );
    process.stdout.write(`entry ${last.id}, the last one, has the hash ${last.hash}\n`);
  }
  if (!broken) {
    if (!first) process.stdout.write('the audit log is empty\n');
    return exitCodes.done;
  }
  throw new Refusal(`the audit log is damaged at entry ${broken.id}: ${broken.why}`, exitCodes.runFailed);
}
