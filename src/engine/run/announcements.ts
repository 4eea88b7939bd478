// Announces the output of a run in the journal, in the order in which the script printed it: lines by their numbers,
// with progress between them.

import type { OutputType } from '../../domain/event.ts';
import type { Progress, Run } from '../../domain/run.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Transaction } from '../../store/database.ts';
import type { Store } from '../../store/open.ts';
import { isStorageError } from '../../store/storage-error.ts';
import { Superseded } from '../../store/superseded.ts';

type Lines = { readonly firstSeq: number; count: number };
type Between = { readonly afterSeq: number; readonly progress: Progress };

/** Lines printed within this time share a journal row. A run that ends sooner needs no extra transaction for them. */
const lineDelayMs = 10;
const againMs = 1_000;

export function createAnnouncements(o: {
  readonly run: Pick<Run, 'run_id' | 'job_id' | 'tenant'>;
  readonly outputType: OutputType;
  readonly store: Pick<Store, 'db' | 'runs'>;
  readonly epoch: () => number;
  readonly log: Logger;
}) {
  const { run, store } = o;
  const about = { runId: run.run_id, jobId: run.job_id, tenant: run.tenant };
  let waiting: (Lines | Between)[] = [];
  let timer: NodeJS.Timeout | undefined;

  /** Stops the timer: nothing more is announced until the next call. */
  function pause(): void {
    clearTimeout(timer);
    timer = undefined;
  }

  async function write(work?: (tx: Transaction) => Promise<void>): Promise<void> {
    let taken: readonly (Lines | Between)[] = [];
    try {
      await store.db.transact(async (tx) => {
        // The transaction may run more than once: what was taken the first time is still in `taken`.
        taken = [...taken, ...waiting.splice(0)];
        if (taken.length > 0 && !(await store.runs.isHeld(tx, run.run_id, o.epoch()))) {
          throw new Superseded('another process has taken the run over');
        }
        for (const next of taken) {
          if ('count' in next)
            tx.emit({ type: o.outputType, ...about, firstSeq: next.firstSeq, lineCount: next.count });
          else await store.runs.setProgress(tx, run.run_id, next.progress, o.epoch());
        }
        await work?.(tx);
      });
    } catch (error) {
      waiting = error instanceof Superseded ? [] : putBack(taken, waiting);
      throw error;
    }
  }

  function writeIn(delayMs: number): void {
    timer ??= setTimeout(() => {
      timer = undefined;
      writeUnasked();
    }, delayMs);
  }

  function writeUnasked(): void {
    write().catch((error: unknown) => {
      // The store has logged its own errors. The controller's next write finds out if another process has the run.
      if (!isStorageError(error) && !(error instanceof Superseded))
        o.log.error({ err: error }, 'events of the output were not written');
      if (waiting.length > 0) writeIn(againMs);
    });
  }

  return {
    /** Lines are announced a moment later, so that all lines of that moment share a journal row. */
    addLines: ({ firstSeq, count }: Readonly<Lines>): void => {
      if (count <= 0) return;
      enqueue(waiting, { firstSeq, count });
      writeIn(lineDelayMs);
    },
    /** Progress is announced at once, with the lines around it. */
    addProgress: (progress: Progress, afterSeq: number): void => {
      enqueue(waiting, { progress, afterSeq });
      writeUnasked();
    },
    /** Runs `work` in a transaction that also writes everything still to be announced. */
    commit: (work: (tx: Transaction) => Promise<void>): Promise<void> => {
      pause();
      return write(work);
    },
    async flush(): Promise<void> {
      pause();
      if (waiting.length > 0) await write();
    },
    pause,
  };
}

function enqueue(waiting: (Lines | Between)[], next: Lines | Between): void {
  const last = waiting.at(-1);
  if (last && 'count' in last && 'count' in next && last.firstSeq + last.count === next.firstSeq) {
    last.count += next.count;
  } else {
    waiting.push(next);
  }
}

/**
 * Lines that could not be announced are announced with the next ones. Progress is out of date by then and is dropped.
 */
function putBack(taken: readonly (Lines | Between)[], waiting: readonly (Lines | Between)[]): (Lines | Between)[] {
  const lines = taken.filter((next) => 'count' in next);
  const whole: (Lines | Between)[] = [];
  for (const next of [...lines, ...waiting].toSorted((a, b) => placeOf(a) - placeOf(b))) enqueue(whole, next);
  return whole;
}

function placeOf(next: Lines | Between): number {
  return 'count' in next ? next.firstSeq : next.afterSeq + 0.5;
}
