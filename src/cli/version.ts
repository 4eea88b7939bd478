// `flwd version`.

import { packageVersion } from '../lib/version.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';

export function run(): ExitCode {
  process.stdout.write(`flwd ${packageVersion()}\n`);
  return exitCodes.done;
}
