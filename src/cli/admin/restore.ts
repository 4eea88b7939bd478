// `flwd restore SOURCE`: checks a backup and restores it. The server must be stopped.

import { resolve } from 'node:path';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { loadConfiguration } from '../session/configuration.ts';
import { assertOfThisMachine } from '../session/session.ts';

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const [given, extra] = operands;
  if (given === undefined || extra !== undefined)
    throw new Refusal('flwd restore needs one folder: flwd restore SOURCE');
  assertOfThisMachine('restore', options);
  const { config } = loadConfiguration(options);
  const { restore } = await import('../../operator.ts');
  const restored = await restore(config, {
    source: resolve(given),
    force: options.has('force'),
    onProgress: (message) => process.stderr.write(`${message}\n`),
  });
  const { files, createdAt, running, pending, unopened, tokens, damaged } = restored;
  const exitCode = damaged.length > 0 ? exitCodes.runFailed : exitCodes.done;
  if (options.has('json')) {
    const shown = { files, created_at: createdAt, running, pending, unopened, tokens, damaged };
    process.stdout.write(`${JSON.stringify(shown)}\n`);
    return exitCode;
  }
  const lines = [`restored ${files} files from ${createdAt}`];
  if (running > 0) lines.push(`runs that were running at that time, which the next start marks as lost: ${running}`);
  if (pending > 0)
    lines.push(
      `runs that were waiting at that time, which the next start starts even if they have run since: ${pending}`,
    );
  const shut = [
    ...(unopened.secrets > 0 ? [`stored secrets: ${unopened.secrets}`] : []),
    ...(unopened.runs > 0 ? [`unfinished runs with secret arguments: ${unopened.runs}`] : []),
  ];
  if (shut.length > 0) {
    lines.push(
      `no key here can decrypt some of the data (${shut.join('; ')})`,
      'before the next start, put the key file of that time in place, or add its lines to the current key file',
    );
  }
  if (tokens > 0)
    lines.push(`tokens as they were at that time: ${tokens}; revoke again any that you have revoked since`);
  process.stdout.write(`${lines.join('\n')}\n`);
  if (damaged.length === 0) return exitCode;
  for (const what of damaged) process.stderr.write(`${what}\n`);
  throw new Refusal(
    `${damaged.length === 1 ? '1 file was' : `${damaged.length} files were`} already damaged or missing when the backup was taken. ` +
      'Everything else was restored. An earlier backup may have intact copies.',
    exitCode,
  );
}
