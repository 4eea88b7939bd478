// `flwd config validate`: says that the configuration can be used, or every error of it, and of the files that it
// names.

import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { loadConfiguration } from '../session/configuration.ts';

export async function run(options: Options): Promise<ExitCode> {
  const { config, file, warnings } = loadConfiguration(options);
  for (const warning of warnings) process.stderr.write(`flwd: ${warning}\n`);
  const { examineFiles } = await import('../../operator.ts');
  const errors = (await examineFiles(config)).filter(({ status }) => status === 'fail');
  for (const { detail, cure } of errors)
    process.stderr.write(`flwd: ${cure === null ? detail : `${detail}; ${cure}`}\n`);
  if (errors.length > 0) return exitCodes.wrongUse;
  if (options.has('json')) process.stdout.write(`${JSON.stringify({ file, warnings })}\n`);
  else process.stdout.write(file ? `${file} is valid\n` : 'there is no flwd.yaml; the defaults are in force\n');
  return exitCodes.done;
}
