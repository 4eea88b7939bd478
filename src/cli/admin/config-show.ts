// `flwd config show`: prints every setting and where it comes from, one per line.

import { showSettings } from '../../config/show.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { loadConfiguration } from '../session/configuration.ts';

export function run(options: Options): ExitCode {
  const { settings, file, warnings } = loadConfiguration(options);
  for (const warning of warnings) process.stderr.write(`flwd: ${warning}\n`);
  const rows = showSettings(settings);
  if (options.has('json')) {
    const shown = rows.map(([key, value, from]) => ({ key, value, from }));
    process.stdout.write(`${JSON.stringify({ file, settings: shown })}\n`);
    return exitCodes.done;
  }
  const width = (column: 0 | 1) => Math.max(...rows.map((row) => row[column].length));
  const lines = rows.map(([key, value, from]) => `${key.padEnd(width(0))}  ${value.padEnd(width(1))}  ${from}\n`);
  process.stdout.write(`# ${file ?? 'no flwd.yaml found'}\n${lines.join('')}`);
  return exitCodes.done;
}
