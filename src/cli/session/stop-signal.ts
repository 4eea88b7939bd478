// Two events stop a command: a SIGTERM, SIGINT or SIGHUP, and the end of the program that reads standard output. The
// first signal asks the command to stop, the second one forces it.

import { endProcess } from '../../instance/end-process.ts';
import { systemClock } from '../../lib/clock.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';

/**
 * Signals that arrive within this time count as one. A Ctrl-C can arrive twice, because the terminal sends it to every
 * process, and npm forwards it once more.
 */
const echoMs = 250;

const askedSignals = ['SIGTERM', 'SIGINT'] as const;
/** SIGHUP: the terminal was closed. */
const stopSignals = [...askedSignals, 'SIGHUP'] as const;

/**
 * Whether a signal only repeats the one before. The shell and the kernel may both send a SIGHUP, at any interval,
 * so it never counts as a second signal.
 */
function isEcho(signal: NodeJS.Signals, sinceMs: number): boolean {
  return signal === 'SIGHUP' || sinceMs <= echoMs;
}

/** Resolves with the first signal. Each later one calls `again`, which by default ends the process. */
export function stopSignal(again: () => void = endAtOnce): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let countedAtMs: number | undefined;
    const stop = (signal: NodeJS.Signals) => {
      const nowMs = systemClock.monotonicMs();
      const isFirst = countedAtMs === undefined;
      if (countedAtMs !== undefined && isEcho(signal, nowMs - countedAtMs)) return;
      countedAtMs = nowMs;
      if (isFirst) resolve(signal);
      else again();
    };
    for (const signal of stopSignals) process.on(signal, stop);
  });
}

/** Aborted by the first signal. The second one ends the process. */
export function abortOnStop(): AbortSignal {
  const stopping = new AbortController();
  void stopSignal().then(() => stopping.abort());
  return stopping.signal;
}

export function endAtOnce(): never {
  endProcess(exitCodes.interrupted);
}

/** Calls `callback` for each of the signals until the returned function is called. */
function onInterrupt(callback: () => void, signals: readonly NodeJS.Signals[] = stopSignals): () => void {
  let countedAtMs: number | undefined;
  const take = (signal: NodeJS.Signals): void => {
    const nowMs = systemClock.monotonicMs();
    if (countedAtMs !== undefined && isEcho(signal, nowMs - countedAtMs)) return;
    countedAtMs = nowMs;
    callback();
  };
  for (const signal of signals) process.on(signal, take);
  return () => {
    for (const signal of signals) process.off(signal, take);
  };
}

export type Interrupts = {
  /** Calls `callback` for each signal from now on, and at once if a signal came earlier. */
  readonly answer: (callback: () => void) => void;
  readonly release: () => void;
};

/**
 * Call this before creating what Ctrl-C should stop. The first signal is stored until `answer` is called. If a second
 * signal comes before that, the process ends. There is only one listener, so that no signal is lost between two
 * listeners.
 * @param o.isOwn whether this command runs the job itself. Then a closed terminal counts as Ctrl-C. Otherwise it ends
 * only the command, and a server continues the run.
 */
export function keepInterrupts({ isOwn }: { readonly isOwn: boolean }): Interrupts {
  let isKept = false;
  let callback = (): void => {
    if (isKept) endAtOnce();
    isKept = true;
  };
  const release = onInterrupt(() => callback(), isOwn ? stopSignals : askedSignals);
  return {
    answer(next) {
      callback = next;
      if (isKept) next();
    },
    release,
  };
}

/**
 * Calls `callback` when nobody reads standard output any more, as in `flwd logs RUN --follow | head -1`. This is
 * noticed at the next write.
 */
export function onReaderGone(callback: () => void): () => void {
  process.stdout.on('error', callback);
  return () => void process.stdout.off('error', callback);
}

/**
 * A signal aborts the work. If the work does not end, the next signal ends the process. The AbortSignal is also aborted
 * when the work has ended, because an answer of a server that was not read to its end would keep the process alive for
 * more than a minute.
 */
export async function untilInterrupted(work: (signal: AbortSignal) => Promise<void>): Promise<ExitCode> {
  const leaving = new AbortController();
  const release = onInterrupt(() => (leaving.signal.aborted ? endAtOnce() : leaving.abort()));
  try {
    await work(leaving.signal);
    return exitCodes.done;
  } catch (error) {
    if (leaving.signal.aborted) return exitCodes.interrupted;
    throw error;
  } finally {
    release();
    leaving.abort();
  }
}

/** Works until the work is done, a signal asks to stop, or nobody reads standard output any more. */
export async function untilStopped(work: (signal: AbortSignal) => Promise<void>): Promise<ExitCode> {
  const leaving = new AbortController();
  let isInterrupted = false;
  const releases = [
    onInterrupt(() => {
      if (isInterrupted) endAtOnce();
      isInterrupted = true;
      leaving.abort();
    }),
    onReaderGone(() => leaving.abort()),
  ];
  try {
    await work(leaving.signal);
  } finally {
    for (const release of releases) release();
  }
  return isInterrupted ? exitCodes.interrupted : exitCodes.done;
}
