// Ends what an attempt started: the job's signal, time to act on it, SIGKILL; then the proof that nothing is left.

import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import type { CancelSignal } from '../domain/job.ts';
import type { Termination } from '../domain/run.ts';
import { systemClock, toTimestamp } from '../lib/clock.ts';
import { isAlive, isEmpty, membersOf, type PidNamespace, send } from './process-table.ts';
import { giveUp, readStatus } from './shim-status.ts';

export type Ladder = {
  readonly signal: CancelSignal;
  readonly graceMs: number;
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
  const ended = attempt.ended.then(() => {
    isOver = true;
  });

  await nextTurn();
  if (isOver) return proof(undefined);
  await until(() => isOver || scriptOf(sandbox()).length > 0, startingMs);
  if (ladder.signal !== 'KILL') {
    const reached = isOver ? 0 : scriptOf(sandbox()).filter((pid) => send(pid, `SIG${ladder.signal}`)).length;
    if (reached > 0) {
      record(ladder.signal, reached);
      await within(ended, ladder.graceMs);
    }
  }
  if (!isOver) {
    const namespace = sandbox();
    const left = scriptOf(namespace).length;
    if (namespace && !isEmpty(namespace)) send(namespace.initPid, 'SIGKILL');
    else killShim();
    record('KILL', left);
    await within(ended, recordingMs);
  }
  if (!isOver) {
    killShim();
    await within(ended, dyingMs);
  }
  const namespace = sandbox();
  await until(() => !namespace || isEmpty(namespace), dyingMs);
  return proof(namespace);

  function proof(left: PidNamespace | undefined): Termination {
    return { signals, remaining: left ? membersOf(left).length : 0, finished_at: toTimestamp(systemClock.now()) };
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

async function until(isSo: () => boolean, ms: number): Promise<void> {
  for (const deadlineMs = systemClock.now() + ms; !isSo() && systemClock.now() < deadlineMs; ) await delay(pollMs);
}

/** setTimeout's longest delay: a grace of a month is as good as none that ends. */
const longestTimerMs = 2 ** 31 - 1;

async function within(event: Promise<void>, ms: number): Promise<void> {
  const timer = new AbortController();
  await Promise.race([
    event,
    delay(Math.min(ms, longestTimerMs), undefined, { signal: timer.signal }).catch(() => undefined),
  ]);
  timer.abort();
}
