// `flwd gc`: removes data past its retention and prints how much. A running server does the work itself.

import type { Client } from '../../client/client.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { formatSize } from '../../lib/units.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { withSession } from '../session/session.ts';
import { abortOnStop } from '../session/stop-signal.ts';
import { createOutput, type Output } from '../terminal/output.ts';

type Collected = AnswerOf<'collectGarbage'>;
type Removed = Collected['removed'];

export async function run(options: Options): Promise<ExitCode> {
  const output = createOutput(options);
  const isDryRun = options.has('dry-run');
  const signal = abortOnStop();
  await withSession(options, ({ client }) => collect(client, { isDryRun, output, signal }), { makesRoom: true });
  return signal.aborted ? exitCodes.interrupted : exitCodes.done;
}

/** Repeats calls of a few seconds until nothing is left. If it breaks off, it still reports what was removed. */
async function collect(
  client: Client,
  o: { readonly isDryRun: boolean; readonly output: Output; readonly signal: AbortSignal },
): Promise<void> {
  let total: Collected | undefined;
  try {
    for (let isOver = false; !isOver && !o.signal.aborted; ) {
      const { done, removed } = await client.call('collectGarbage', { query: { dry_run: o.isDryRun } });
      total = { done, removed: total ? sum(total.removed, removed) : removed };
      // A full disk can prevent the rest. Asking again would not help.
      isOver = done || Object.values(removed).every((count) => count === 0);
    }
  } finally {
    if (total && o.output.isJson) o.output.json(total);
    else if (total) o.output.text(toText(total.removed, o.isDryRun));
  }
}

function sum(a: Removed, b: Removed): Removed {
  const total = { ...a };
  for (const kind of kinds) total[kind] += b[kind];
  return total;
}

const nouns: readonly (readonly [keyof Removed, string, string])[] = [
  ['runs', 'run', 'runs'],
  ['events', 'event', 'events'],
  ['logs', 'log', 'logs'],
  ['artifacts', 'artifact', 'artifacts'],
  ['workspaces', 'workspace', 'workspaces'],
  ['snapshots', 'snapshot', 'snapshots'],
  ['leftovers', 'leftover', 'leftovers'],
  ['audit', 'audit entry', 'audit entries'],
  ['kv_keys', 'expired key', 'expired keys'],
  ['stats', 'counter of statistics', 'counters of statistics'],
];
const kinds = [...nouns.map(([kind]) => kind), 'file_bytes', 'database_bytes'] as const;

function toText(removed: Removed, isDryRun: boolean): string {
  const counts = nouns.flatMap(([kind, one, many]) => {
    const count = removed[kind];
    return count === 0 ? [] : [`${count} ${count === 1 ? one : many}`];
  });
  const { file_bytes: fileBytes, database_bytes: databaseBytes } = removed;
  const verb = isDryRun ? 'would remove' : 'removed';
  if (counts.length === 0 && fileBytes === 0 && databaseBytes === 0) return `${verb} nothing\n`;
  const what = counts.length === 0 ? 'nothing' : counts.join(', ');
  const bytes = `${formatSize(fileBytes)} in files, ${formatSize(databaseBytes)} in the database`;
  return `${verb} ${what}: ${bytes}\n`;
}
