// Ends all processes of an attempt. Sends the job's signal, waits for the grace period, sends SIGKILL, and then checks
// that no process is left.

import { once } from 'node:events';
import { setTimeout as delay, setImmediate as yieldNow } from 'node:timers/promises';
import type { Termination } from '../../domain/run.ts';
import { systemClock, toTimerDelay, toTimestamp } from '../../lib/clock.ts';
import { isShortage, retryShortage } from '../../lib/shortage.ts';
import type { Ending } from '../executor.ts';
import { type KillDomain, killDomainOf } from './kill-domain.ts';
import { isAlive, send } from './process-table.ts';
import { giveUp, readStatus } from './shim-status.ts';

/**
 * How long to wait for the script to begin. A sandbox usually starts within milliseconds. If it takes longer than this,
 * the attempt is ended before the script begins.
 */
const startingMs = 2_000;
/**
 * How long to wait after SIGKILL: first until the shim has written the exit code and the rest of stderr, and then until
 * the kernel has ended all processes.
 */
const recordingMs = 2_000;
const dyingMs = 10_000;
/** Each check may read all of /proc. The longer a check takes, the longer the pause before the next one. */
const firstPollMs = 5;
const longestPollMs = 100;

/** Ends an attempt. Once `attempt.ended` has resolved, no more signals are sent. */
export async function endAttempt(
  ending: Ending,
  attempt: { readonly attemptDir: string; readonly ended: Promise<unknown> },
): Promise<Termination> {
  const { attemptDir } = attempt;
  const signals: { signal: string; at: string; processes: number }[] = [];
  let known: KillDomain | undefined;
  let isOver = false;
  const over = (): void => {
    isOver = true;
  };
  const ended = attempt.ended.then(over, over);

  await yieldNow();
  if (isOver) return await retryShortage(() => proof(domain()));
  await until(() => isOver || membersOf(domain()).length > 0, startingMs);
  if (ending.signal !== 'KILL') {
    const script = await retryShortage(() => (isOver ? [] : membersOf(domain())));
    const reached = script.filter((pid) => send(pid, `SIG${ending.signal}`)).length;
    if (reached > 0) {
      record(ending.signal, reached);
      await within(ending.graceEnd ? Promise.race([ended, aborted(ending.graceEnd)]) : ended, ending.graceMs);
    }
  }
  if (!isOver) {
    record('KILL', await retryShortage(kill));
    await within(ended, recordingMs);
  }
  if (!isOver) {
    await retryShortage(killShim);
    await within(ended, dyingMs);
  }
  const left = await retryShortage(domain);
  await until(() => !left || left.isEmpty(), dyingMs);
  return await retryShortage(() => proof(left));

  function proof(left: KillDomain | undefined): Termination {
    return {
      signals,
      remaining: left && !left.isEmpty() ? Math.max(1, left.members().length) : 0,
      proven: left?.isProof ?? true,
      finished_at: toTimestamp(systemClock.now()),
    };
  }

  /** Sends SIGKILL. Returns the number of the script's own processes that get it. */
  function kill(): number {
    const found = domain();
    const left = membersOf(found).length;
    if (found && !found.isEmpty()) found.kill();
    else killShim();
    return left;
  }

  /** Returns the same domain each time, because the domain remembers the processes that it has found. */
  function domain(): KillDomain | undefined {
    known ??= killDomainOf(attemptDir, readStatus(attemptDir));
    return known;
  }

  /**
   * Kills the shim and its process group. bwrap and its namespace die with the shim. A shim that has not begun yet can
   * no longer begin.
   */
  function killShim(): void {
    const shim = readStatus(attemptDir)?.shim;
    if (!shim) giveUp(attemptDir);
    else if (isAlive(shim)) send(-shim.pid, 'SIGKILL');
  }

  function record(signal: string, processes: number): void {
    signals.push({ signal, at: toTimestamp(systemClock.now()), processes });
    ending.onSignal?.(signal, processes);
  }
}

function membersOf(domain: KillDomain | undefined): number[] {
  return domain?.members() ?? [];
}

/** If the host lacks the descriptors for the check, the condition counts as not met. */
async function until(isSo: () => boolean, ms: number): Promise<void> {
  const looksSo = (): boolean => {
    try {
      return isSo();
    } catch (error) {
      if (isShortage(error)) return false;
      throw error;
    }
  };
  const deadlineMs = systemClock.monotonicMs() + ms;
  for (let pauseMs = firstPollMs; !looksSo() && systemClock.monotonicMs() < deadlineMs; ) {
    await delay(pauseMs);
    pauseMs = Math.min(pauseMs * 1.2, longestPollMs);
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

async function within(event: Promise<void>, ms: number): Promise<void> {
  const timer = new AbortController();
  await Promise.race([event, delay(toTimerDelay(ms), undefined, { signal: timer.signal }).catch(() => undefined)]);
  timer.abort();
}
