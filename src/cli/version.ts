// `flwd version`: prints the version.

import { packageVersion } from '../instance/version.ts';
import type { Options } from './command.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';

export function run(options?: Options): ExitCode {
  const version = packageVersion();
  process.stdout.write(options?.has('json') ? `${JSON.stringify({ version })}\n` : `flwd ${version}\n`);
  return exitCodes.done;
}
