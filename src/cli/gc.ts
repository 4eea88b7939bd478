// `flwd gc`: removes what is past its retention and says what it was. A server that has the data dir does it itself.

import type { Client } from '../client/client.ts';
import type { AnswerOf } from '../contract/operations.ts';
import { formatSize } from '../lib/units.ts';
import type { Options } from './command.ts';
import { loadConfiguration } from './configuration.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import { onInstance } from './owner-client.ts';
import { stopSignal } from './stop-signal.ts';

type Removed = AnswerOf<'collectGarbage'>['removed'];

export async function run(options: Options): Promise<ExitCode> {
  const { config } = loadConfiguration(options);
  const isDryRun = options.has('dry-run');
  const stopping = new AbortController();
  void stopSignal().then(() => stopping.abort());
  const { collectGarbage } = await import('../operator.ts');
  await onInstance(config, {
    alone: async () => say(await collectGarbage(config, { isDryRun, signal: stopping.signal }), isDryRun),
    byOwner: (client) => askOwner(client, isDryRun, stopping.signal),
  });
  return stopping.signal.aborted ? exitCodes.interrupted : exitCodes.done;
}

/** Some seconds a call, until there is nothing more. */
async function askOwner(client: Client, isDryRun: boolean, signal: AbortSignal): Promise<void> {
  const total: Record<string, number> = {};
  try {
    for (let isDone = false; !isDone && !signal.aborted; ) {
      const { done, removed } = await client.call('collectGarbage', { query: { dry_run: isDryRun } });
      for (const [kind, count] of Object.entries(removed)) total[kind] = (total[kind] ?? 0) + count;
      // A disk that is full can stand in the way of what is left: it is no better for being asked again.
      isDone = done || Object.values(removed).every((count) => count === 0);
    }
  } finally {
    say(total, isDryRun);
  }
}

const nouns: readonly (readonly [keyof Removed, string, string])[] = [
  ['runs', 'run', 'runs'],
  ['events', 'event', 'events'],
  ['logs', 'log', 'logs'],
  ['artifacts', 'artifact', 'artifacts'],
  ['workspaces', 'workspace', 'workspaces'],
  ['snapshots', 'snapshot', 'snapshots'],
  ['leftovers', 'leftover', 'leftovers'],
  ['audit', 'row of the audit log', 'rows of the audit log'],
];

function say(removed: Partial<Removed>, isDryRun: boolean): void {
  const counts = nouns.flatMap(([kind, one, many]) => {
    const count = removed[kind] ?? 0;
    return count === 0 ? [] : [`${count} ${count === 1 ? one : many}`];
  });
  const what = counts.length === 0 ? 'nothing' : counts.join(', ');
  const { file_bytes: fileBytes = 0, database_bytes: databaseBytes = 0 } = removed;
  const bytes = `${formatSize(fileBytes)} of files, ${formatSize(databaseBytes)} of the database`;
  process.stdout.write(`${isDryRun ? 'would remove' : 'removed'} ${what}: ${bytes}\n`);
}
