// `flwd config validate`: says that the configuration can be used, or every fault of it.

import type { Options } from './command.ts';
import { loadConfiguration } from './configuration.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';

export function run(options: Options): ExitCode {
  const { file, warnings } = loadConfiguration(options);
  for (const warning of warnings) process.stderr.write(`flwd: ${warning}\n`);
  process.stdout.write(file ? `${file} is valid\n` : 'there is no flwd.yaml; the defaults are in force\n');
  return exitCodes.done;
}
