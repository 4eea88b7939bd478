// Ends a command without a server if somebody has removed or moved its data dir, its database, or a file that SQLite
// keeps beside the database.

import type { Client } from '../../client/client.ts';
import { exitCodes, Refusal } from '../exit-code.ts';
import type { Session } from './session.ts';

/**
 * The data dir counts as lost only after this many consecutive checks, one second apart, have not found it. Somebody
 * may move it away and back.
 */
const looksUntilLost = 5;
const lookMs = 1_000;

/**
 * Calls `callback` once the data dir is lost, unless the run has ended. Checks every second until the returned function
 * is called.
 */
export function onLost({ lost, client }: Session, runId: string, callback: () => void): () => void {
  let looks = 0;
  const timer = setInterval(() => {
    looks = lost() ? looks + 1 : 0;
    if (looks !== looksUntilLost) return;
    void hasEnded(client, runId).then((isOver) => {
      if (!isOver) callback();
    });
  }, lookMs);
  return () => clearInterval(timer);
}

/** Asks the instance in this process. It can still answer, because it has the removed database open. */
function hasEnded(client: Client, runId: string): Promise<boolean> {
  return client.call('getRun', { path: { run_id: runId } }).then(
    ({ finished_at: finishedAt }) => finishedAt !== null,
    () => false,
  );
}

/** Without the database, no command can find the run. So the run's processes end together with this command. */
export function lostRun({ where, lost, command }: Session, runId: string): Refusal {
  if (lost() === 'part')
    return new Refusal(
      `somebody removed a file beside the database in the data dir ${where}, so this command can store nothing more. ` +
        `${runId} is still running; \`${command('logs', runId, '--follow')}\` continues it.`,
      exitCodes.interrupted,
    );
  const cause = `somebody removed or moved the data dir ${where}`;
  return new Refusal(
    `${cause} or its database, so ${runId} was stopped, and its end is not stored.`,
    exitCodes.interrupted,
  );
}
