// `flwd config`: shows or checks the configuration.

import { showSettings } from '../../config/show.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { loadConfiguration } from '../session/configuration.ts';

/** `flwd config show`: prints each setting on a line of its own, with the place where it was set. */
export async function show(options: Options): Promise<void> {
  const { settings, file, warnings } = loadConfiguration(options);
  warn(warnings);
  const rows = showSettings(settings);
  if (options.has('json')) {
    const shown = rows.map(([key, value, from]) => ({ key, value, from }));
    process.stdout.write(`${JSON.stringify({ file, settings: shown })}\n`);
    return;
  }
  const width = (column: 0 | 1) => Math.max(...rows.map((row) => row[column].length));
  const lines = rows.map(([key, value, from]) => `${key.padEnd(width(0))}  ${value.padEnd(width(1))}  ${from}\n`);
  process.stdout.write(`# ${file ?? 'no flwd.yaml found'}\n${lines.join('')}`);
}

/** `flwd config validate`: checks the configuration and the files that it names, and prints every error. */
export async function validate(options: Options): Promise<ExitCode> {
  const { config, file, warnings } = loadConfiguration(options, warn);
  warn(warnings);
  const { examineFiles } = await import('../../operator.ts');
  const found = (await examineFiles(config)).filter(({ status }) => status !== 'ok');
  warn(found.map(({ detail, fix }) => (fix === null ? detail : `${detail}; ${fix}`)));
  if (found.some(({ status }) => status === 'fail')) return exitCodes.wrongUse;
  if (options.has('json')) process.stdout.write(`${JSON.stringify({ file, warnings })}\n`);
  else process.stdout.write(file ? `${file} is valid\n` : 'no flwd.yaml found; flwd uses its defaults\n');
  return exitCodes.done;
}

function warn(warnings: readonly string[]): void {
  for (const warning of warnings) process.stderr.write(`flwd: ${warning}\n`);
}
