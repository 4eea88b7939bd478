// `flwd restore SOURCE`: checks a backup and puts it in the place of a stopped instance.

import { resolve } from 'node:path';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { loadConfiguration } from '../session/configuration.ts';
import { assertOfThisMachine } from '../session/session.ts';

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const [given, extra] = operands;
  if (given === undefined || extra !== undefined)
    throw new Refusal('flwd restore takes one folder: flwd restore SOURCE');
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
  const lines = [`restored ${files} files as they were at ${createdAt}`];
  if (running > 0) lines.push(`runs that were running then, and end as lost at the next start: ${running}`);
  if (pending > 0)
    lines.push(`runs that were waiting then, and start at the next start even if they have run since: ${pending}`);
  const shut = [
    ...(unopened.secrets > 0 ? [`stored secrets: ${unopened.secrets}`] : []),
    ...(unopened.runs > 0 ? [`runs that have not ended, with their secret arguments: ${unopened.runs}`] : []),
  ];
  if (shut.length > 0) {
    lines.push(
      `sealed by a key that is not among the keys here, and not to be read without it: ${shut.join('; ')}`,
      'put the key file of that time in place before the next start, or add its lines to the one that is there',
    );
  }
  if (tokens > 0) lines.push(`tokens as they were then, to be revoked again where they have been since: ${tokens}`);
  process.stdout.write(`${lines.join('\n')}\n`);
  if (damaged.length === 0) return exitCode;
  for (const what of damaged) process.stderr.write(`${what}\n`);
  throw new Refusal(
    `${damaged.length === 1 ? '1 file was' : `${damaged.length} files were`} already damaged or missing when the backup was taken. ` +
      'Everything else was restored. An earlier backup may have intact copies.',
    exitCode,
  );
}
