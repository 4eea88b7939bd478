// `flwd restore SOURCE`: checks a backup and restores it. The server must be stopped.

import { resolve } from 'node:path';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { ownName } from '../own-name.ts';
import { loadConfiguration } from '../session/configuration.ts';
import { assertOfThisMachine } from '../session/session.ts';
import { forTerminal } from '../terminal/terminal-text.ts';

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const [given, extra] = operands;
  if (given === undefined || extra !== undefined)
    throw new Refusal(`${ownName} restore needs one folder: ${ownName} restore SOURCE`);
  assertOfThisMachine('restore', options);
  const { config } = loadConfiguration(options);
  const { restore } = await import('../../operator.ts');
  const restored = await restore(config, {
    source: resolve(given),
    force: options.has('force'),
    onProgress: (message) => process.stderr.write(`${message}\n`),
  });
  const { files, createdAt, running, pending, unopened, tokens, damaged, damagedSince } = restored;
  const isDamaged = damaged.length > 0 || damagedSince.length > 0;
  const exitCode = isDamaged ? exitCodes.runFailed : exitCodes.done;
  if (options.has('json')) {
    const rest = { running, pending, unopened, tokens, damaged, damaged_since: damagedSince };
    const shown = { files, created_at: createdAt, ...rest };
    process.stdout.write(`${JSON.stringify(shown)}\n`);
    return exitCode;
  }
  const lines = [`restored ${files} files from ${createdAt}`];
  if (running > 0) lines.push(`runs that were running at that time: ${running}; the next start marks them as lost`);
  if (pending > 0)
    lines.push(
      `runs that were waiting at that time: ${pending}; the next start runs them again, even if they have run since`,
    );
  const shut = [
    ...(unopened.secrets > 0 ? [`stored secrets: ${unopened.secrets}`] : []),
    ...(unopened.runs > 0 ? [`unfinished runs with secret arguments: ${unopened.runs}`] : []),
  ];
  if (shut.length > 0) {
    lines.push(
      `no key here can decrypt some of the data (${shut.join('; ')})`,
      'before the next start, put back the key file from that time, or add its lines to the current key file, which is ' +
        config.persistence.secretKeyFile,
    );
  }
  if (tokens > 0)
    lines.push(`tokens as they were at that time: ${tokens}; revoke again any that you have revoked since`);
  if (!config.scheduler.schedulesPaused || !config.scheduler.triggersPaused)
    lines.push(
      'the next server also starts runs of schedules, triggers and webhooks; to prevent this, first set ' +
        'scheduler.schedules_paused: true and scheduler.triggers_paused: true in flwd.yaml',
    );
  process.stdout.write(`${lines.join('\n')}\n`);
  if (!isDamaged) return exitCode;
  for (const what of [...damaged, ...damagedSince]) process.stderr.write(`${forTerminal(what, false)}\n`);
  const counts = [
    ...(damaged.length > 0
      ? [`${count(damaged, 'was', 'were')} already damaged or missing when the backup was taken.`]
      : []),
    ...(damagedSince.length > 0 ? [`${count(damagedSince, 'does', 'do')} not match the checksums of the backup.`] : []),
  ];
  throw new Refusal(
    `${counts.join(' ')} Everything else was restored. An earlier backup may have intact copies.`,
    exitCode,
  );
}

function count(files: readonly string[], one: string, many: string): string {
  return files.length === 1 ? `1 file ${one}` : `${files.length} files ${many}`;
}
