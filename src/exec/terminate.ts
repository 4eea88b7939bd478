// Ends what an attempt started: the job's signal, time to act on it, SIGKILL; then the proof that nothing is left.

import { once } from 'node:events';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import type { CancelSignal } from '../domain/job.ts';
import type { Termination } from '../domain/run.ts';
import { systemClock, toTimerDelay, toTimestamp } from '../lib/clock.ts';
import { isShortage, outlast } from '../lib/shortage.ts';
import { isAlive, isEmpty, membersOf, type PidNamespace, send } from './process-table.ts';
import { giveUp, readStatus } from './shim-status.ts';

export type Ladder = {
  readonly signal: CancelSignal;
  readonly graceMs: number;
  /** Cuts the grace period short. */
  readonly hurry?: AbortSignal;
  /** A signal was sent, to so many processes. */
  readonly onSignal?: (signal: string, processes: number) => void;
};

/** A sandbox is there after milliseconds; on a machine that is slower than this, the script is ended before it began. */
const startingMs = 2_000;
/** After SIGKILL: for the exit code and the last of stderr to be written, then for the kernel. */
const recordingMs = 2_000;
const dyingMs = 10_000;
const pollMs = 5;

/** `ended` is the attempt's. Once it is over, nothing is sent any more. */
export async function climb(
  ladder: Ladder,
  attempt: { readonly attemptDir: string; readonly ended: Promise<unknown> },
): Promise<Termination> {
  const { attemptDir } = attempt;
  const signals: { signal: string; at: string; processes: number }[] = [];
  let isOver = false;
  const over = (): void => {
    isOver = true;
  };
  const ended = attempt.ended.then(over, over);

  await nextTurn();
  if (isOver) return proof(undefined);
  await until(() => isOver || scriptOf(sandbox()).length > 0, startingMs);
  if (ladder.signal !== 'KILL') {
    const script = await outlast(() => (isOver ? [] : scriptOf(sandbox())));
    const reached = script.filter((pid) => send(pid, `SIG${ladder.signal}`)).length;
    if (reached > 0) {
      record(ladder.signal, reached);
      await within(ladder.hurry ? Promise.race([ended, aborted(ladder.hurry)]) : ended, ladder.graceMs);
    }
  }
  if (!isOver) {
    record('KILL', await outlast(kill));
    await within(ended, recordingMs);
  }
  if (!isOver) {
    await outlast(killShim);
    await within(ended, dyingMs);
  }
  const namespace = await outlast(sandbox);
  await until(() => !namespace || isEmpty(namespace), dyingMs);
  return await outlast(() => proof(namespace));

  function proof(left: PidNamespace | undefined): Termination {
    return { signals, remaining: left ? membersOf(left).length : 0, finished_at: toTimestamp(systemClock.now()) };
  }

  /** How many of the script's own it reaches. */
  function kill(): number {
    const namespace = sandbox();
    const left = scriptOf(namespace).length;
    if (namespace && !isEmpty(namespace)) send(namespace.initPid, 'SIGKILL');
    else killShim();
    return left;
  }

  function sandbox(): PidNamespace | undefined {
    return readStatus(attemptDir)?.sandbox;
  }

  /** The shim leads a process group; bwrap, which dies with it, takes the namespace along. One yet to begin never will. */
  function killShim(): void {
    const shim = readStatus(attemptDir)?.shim;
    if (!shim) giveUp(attemptDir);
    else if (isAlive(shim)) send(-shim.pid, 'SIGKILL');
  }

  function record(signal: string, processes: number): void {
    signals.push({ signal, at: toTimestamp(systemClock.now()), processes });
    ladder.onSignal?.(signal, processes);
  }
}

/** All but the namespace's first process, which is bwrap's and takes no signal but SIGKILL. */
function scriptOf(namespace: PidNamespace | undefined): number[] {
  return namespace ? membersOf(namespace).filter((pid) => pid !== namespace.initPid) : [];
}

/** A look that the host has no descriptors for is not so. */
async function until(isSo: () => boolean, ms: number): Promise<void> {
  const looksSo = (): boolean => {
    try {
      return isSo();
    } catch (error) {
      if (isShortage(error)) return false;
      throw error;
    }
  };
  for (const deadlineMs = systemClock.now() + ms; !looksSo() && systemClock.now() < deadlineMs; ) await delay(pollMs);
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

async function within(event: Promise<void>, ms: number): Promise<void> {
  const timer = new AbortController();
  await Promise.race([event, delay(toTimerDelay(ms), undefined, { signal: timer.signal }).catch(() => undefined)]);
  timer.abort();
}
