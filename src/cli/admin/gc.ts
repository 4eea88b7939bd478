// `flwd gc`: removes data past its retention and prints how much. A running server does the work itself.

import { ApiProblem } from '../../client/api-problem.ts';
import type { Client } from '../../client/client.ts';
import { settingAt } from '../../config/settings.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { formatDurationOrNull, sizeWords } from '../../lib/units.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { loadConfiguration } from '../session/configuration.ts';
import { isOfThisMachine, type Session, withSession } from '../session/session.ts';
import { abortOnStop } from '../session/stop-signal.ts';
import { createOutput, type Output } from '../terminal/output.ts';

type Collected = AnswerOf<'collectGarbage'>;
type Removed = Collected['removed'];

export async function run(options: Options): Promise<ExitCode> {
  const output = createOutput(options);
  const isDryRun = options.has('dry-run');
  const signal = abortOnStop();
  const work = async (session: Session): Promise<void> => {
    await collect(session.client, { isDryRun, output, signal });
    if (isOfThisMachine(options) && !session.isEphemeral()) await compareRetention(session.client, options, output);
  };
  await withSession(options, work, { makesRoom: true });
  return signal.aborted ? exitCodes.interrupted : exitCodes.done;
}

/**
 * Repeats calls of a few seconds each until nothing is left. If a call fails, it still reports what was removed before.
 */
async function collect(
  client: Client,
  o: { readonly isDryRun: boolean; readonly output: Output; readonly signal: AbortSignal },
): Promise<void> {
  let total: Collected | undefined;
  try {
    for (let isOver = false; !isOver && !o.signal.aborted; ) {
      // With this header the request is repeated if the server ends in the middle. Removing again does no harm.
      const headers = { 'idempotency-key': 'gc' };
      const { done, removed } = await client.call('collectGarbage', { query: { dry_run: o.isDryRun }, headers });
      total = { done, removed: total ? sum(total.removed, removed) : removed };
      // A full disk can keep the server from removing the rest. Asking again would not help.
      isOver = done || Object.values(removed).every((count) => count === 0);
    }
  } finally {
    if (total && o.output.isJson) o.output.json(total);
    else if (total) o.output.text(toText(total.removed, o.isDryRun));
  }
}

const keptKinds = [
  ['runs', 'runs'],
  ['logs', 'logs'],
  ['artifacts', 'artifacts'],
  ['events', 'events'],
  ['workspaces', 'workspaces'],
  ['snapshots', 'snapshots'],
  ['stats', 'statistics'],
  ['audit', 'audit entries'],
] as const;

/** A server reads flwd.yaml only when it starts, so it may remove less than the file says now. */
async function compareRetention(client: Client, options: Options, output: Output): Promise<void> {
  const { config, settings, file } = loadConfiguration(options);
  const inFile = keptKinds.filter(
    ([kind]) => settingAt(settings, `persistence.retention.${kind}`)?.origin.kind === 'file',
  );
  if (inFile.length === 0) return;
  const used = await retentionOf(client);
  const differing = inFile.flatMap(([kind, words]) => {
    const wanted = formatDurationOrNull(config.persistence.retention[`${kind}Ms`]);
    if (!used || wanted === used[kind]) return [];
    return [`${words} ${periodWords(used[kind])} and not ${periodWords(wanted)}`];
  });
  if (differing.length === 0) return;
  output.warn(`the running server keeps ${differing.join(', ')}: it reads ${file} when it starts, so restart it`);
}

/** Returns undefined if the server answers with an error, for example because its disk is full. */
async function retentionOf(client: Client): Promise<AnswerOf<'getStorageHealth'>['retention'] | undefined> {
  try {
    return (await client.call('getStorageHealth')).retention;
  } catch (error) {
    if (error instanceof ApiProblem) return undefined;
    throw error;
  }
}

function periodWords(duration: string | null): string {
  return duration === null ? 'forever' : `for ${duration}`;
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
  ['stats', 'statistics counter', 'statistics counters'],
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
  const bytes = `${sizeWords(fileBytes)} in files, ${sizeWords(databaseBytes)} in the database`;
  return `${verb} ${what}: ${bytes}\n`;
}
