// `flwd config`: shows or checks the configuration.

import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../../config/config.ts';
import { showSettings } from '../../config/show.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { loadConfiguration } from '../session/configuration.ts';
import { askServer } from '../session/owner.ts';
import { realPaths } from '../session/source-paths.ts';

const widest = 60;

/** `flwd config show`: prints each setting on a line of its own, with the place where it was set. */
export async function show(options: Options): Promise<void> {
  const { config, settings, file, warnings } = loadConfiguration(options);
  warn(warnings);
  const rows = showSettings(settings);
  if (options.has('json')) {
    const shown = rows.map(([key, value, from]) => ({ key, value, from }));
    process.stdout.write(`${JSON.stringify({ file, settings: shown })}\n`);
    return;
  }
  // A long value, such as a list of folders, must not move the last column of all other lines.
  const width = (column: 0 | 1) => Math.max(...rows.map((row) => row[column].length).filter((of) => of <= widest));
  const lines = rows.map(([key, value, from]) => `${key.padEnd(width(0))}  ${value.padEnd(width(1))}  ${from}\n`);
  process.stdout.write(`# ${file ?? 'no flwd.yaml found'}\n${lines.join('')}`);
  await warnIfServedOtherwise(config);
}

/** Warns if a server has the data dir, but was started in another folder or with another flwd.yaml. */
async function warnIfServedOtherwise({ instance, sources }: Config): Promise<void> {
  const served = await askServer(instance.dataDir, async (server) => (await server.call('listSources')).sources);
  if (!served) return;
  if (isDeepStrictEqual(realPaths(served), realPaths(sources))) return;
  const paths = served.flatMap(({ path }) => path ?? []);
  warn([
    `the running server has other settings: ${paths.length === 0 ? 'it has no sources' : `its jobs are in ${paths.join(', ')}`}. ` +
      'It was started in another folder, or before the settings changed; to give it the settings above, restart it here',
  ]);
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
