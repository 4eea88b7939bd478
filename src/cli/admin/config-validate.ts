// `flwd config validate`: checks the configuration and the files that it names, and prints every error.

import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { loadConfiguration } from '../session/configuration.ts';

export async function run(options: Options): Promise<ExitCode> {
  const { config, file, warnings } = loadConfiguration(options, warn);
  warn(warnings);
  const { examineFiles } = await import('../../operator.ts');
  const found = (await examineFiles(config)).filter(({ status }) => status !== 'ok');
  for (const { detail, cure } of found)
    process.stderr.write(`flwd: ${cure === null ? detail : `${detail}; ${cure}`}\n`);
  if (found.some(({ status }) => status === 'fail')) return exitCodes.wrongUse;
  if (options.has('json')) process.stdout.write(`${JSON.stringify({ file, warnings })}\n`);
  else process.stdout.write(file ? `${file} is valid\n` : 'no flwd.yaml found; flwd uses its defaults\n');
  return exitCodes.done;
}

function warn(warnings: readonly string[]): void {
  for (const warning of warnings) process.stderr.write(`flwd: ${warning}\n`);
}
