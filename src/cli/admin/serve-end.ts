// Deals with running runs when a server stops: they continue without it or, with --stop-runs, they end first.

import { setTimeout as delay } from 'node:timers/promises';
import { ApiProblem } from '../../client/api-problem.ts';
import type { Client } from '../../client/client.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import type { Logger } from '../../lib/logger.ts';
import { Refusal } from '../exit-code.ts';
import { explained } from '../explained.ts';
import { ownName } from '../own-name.ts';

/** How long to look for running runs. The whole stop may take five seconds. */
const lookMs = 2_000;
const mostNamed = 10;
const mostAtOnce = 100;
const againMs = 250;

type Running = AnswerOf<'listRuns'>;

function listRunning(client: Client, limit: number, signal?: AbortSignal): Promise<Running> {
  return client.call('listRuns', { query: { status: 'running', limit }, ...(signal && { signal }) });
}

/** Logs which runs continue. */
export async function nameRunning(client: Client, log: Logger): Promise<void> {
  const found = await listRunning(client, mostNamed, AbortSignal.timeout(lookMs)).catch(() => undefined);
  if (!found) {
    log.warn('running scripts continue; the next start resumes their runs');
    return;
  }
  const { runs, total } = found;
  for (const { run_id: runId, job_id: jobId } of runs) log.warn(`${runId} of ${jobId} continues without the server`);
  const more = total - runs.length;
  if (more > 0)
    log.warn(
      `${more} more ${more === 1 ? 'run continues' : 'runs continue'}; ${ownName} runs --status running lists them`,
    );
  if (total > 0) log.warn(`the next start resumes them; to end them with the server, use ${ownName} serve --stop-runs`);
}

export type RunsEnd = {
  /** Resolves when no run is left. */
  readonly whole: Promise<void>;
  /** Kills the runs that are left instead of waiting for them. */
  readonly kill: () => void;
};

/** Ends the runs of a server that starts no more runs. */
export function endRuns(client: Client, log: Logger): RunsEnd {
  let isForced = false;

  async function end(runId: string): Promise<boolean> {
    try {
      await client.call('cancelRun', { path: { run_id: runId }, query: { force: isForced } });
      return true;
    } catch (error) {
      // The run ended before it could be cancelled.
      if (error instanceof ApiProblem && error.slug === 'run-already-finished') return true;
      const known = explained(error);
      log.warn(`${runId} could not be cancelled: ${known instanceof Refusal ? known.message : String(known)}`);
      return false;
    }
  }

  async function pass(): Promise<number> {
    const { runs, total } = await listRunning(client, mostAtOnce);
    const areEnded = await Promise.all(runs.map(({ run_id: runId }) => end(runId)));
    if (areEnded.includes(false)) await delay(againMs);
    return total;
  }

  async function untilNone(): Promise<void> {
    const { total } = await listRunning(client, 1);
    if (total > 0) log.warn(`ending ${total === 1 ? '1 run' : `${total} runs`}; a second signal kills the rest`);
    for (let left = total; left > 0; ) left = await pass();
  }

  return {
    whole: untilNone().catch((error: unknown) => log.error({ err: error }, 'the runs could not be ended')),
    kill() {
      isForced = true;
      void pass().catch(() => undefined);
    },
  };
}
