// `flwd backup DEST`: a whole copy of the instance, whether its server runs or not.

import { resolve } from 'node:path';
import { formatSize } from '../lib/units.ts';
import type { Options } from './commands.ts';
import { loadConfiguration } from './configuration.ts';
import { type ExitCode, exitCodes, Refusal } from './exit-code.ts';
import { explainedStart } from './start-failure.ts';

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const [given, extra] = operands;
  if (given === undefined || extra !== undefined) throw new Refusal('flwd backup takes one folder: flwd backup DEST');
  const { config } = loadConfiguration(options);
  const includesKey = options.has('include-key');
  const { backUp } = await import('../operator.ts');
  const { files, bytes, missing } = await backUp(config, { destination: resolve(given), includesKey }).catch(
    (error: unknown) => {
      throw explainedStart(error);
    },
  );
  const lines = [`${given} has ${files} files, ${formatSize(bytes)}; flwd restore ${given} puts them back`];
  if (missing > 0) lines.push(`${missing} were removed by retention meanwhile and are not in it`);
  lines.push(
    includesKey
      ? 'secret.key and notify.key are in it: whoever has them can read the secrets, and sign notices'
      : 'secret.key and notify.key are not in it (--include-key): keep a copy elsewhere, or stored secrets and secret arguments are lost, and receivers of notices need a new key',
    'the sources are not in it: they are yours to keep',
  );
  process.stdout.write(`${lines.join('\n')}\n`);
  return exitCodes.done;
}
