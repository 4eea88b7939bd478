// Finds the step that made a file, if no step has named the file. It compares the times of the file with the times of
// the attempts' own files. The kernel sets both in the order of events. Before Linux 6.13, the kernel's clock for files
// may stand still for 10 ms. Changes of two steps within that time cannot be told apart.

import { lstatSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { readStatus, statusPath } from '../proc/shim-status.ts';

/**
 * The times that tell when a file last changed. The change of its content or name began no earlier than `birthtimeMs`,
 * and ended at `ctimeMs`.
 */
export type LastChange = Pick<Stats, 'birthtimeMs' | 'mtimeMs' | 'ctimeMs'>;

type Ran = { readonly stepId: string; readonly fromMs: number; readonly untilMs: number };

/**
 * Returns a function that finds the step that was running when the file last changed. It returns null if there were
 * several, or if this cannot be determined.
 * @param attempts all attempts of all steps, including those that have ended
 */
export function createStepFinder(
  attempts: readonly { readonly stepId: string; readonly attemptDir: string }[],
): (change: LastChange) => string | null {
  let ran: readonly Ran[] | undefined;
  return ({ birthtimeMs, mtimeMs, ctimeMs }) => {
    ran ??= attempts.flatMap(whenItRan);
    // If the two times differ, somebody has set the mtime. Then only the ctime is certain, and the content may be as
    // old as the file.
    const sinceMs = mtimeMs === ctimeMs ? ctimeMs : birthtimeMs;
    const steps = new Set(
      ran.filter(({ fromMs, untilMs }) => fromMs <= ctimeMs && untilMs >= sinceMs).map(({ stepId }) => stepId),
    );
    const [only] = steps;
    return steps.size === 1 && only !== undefined ? only : null;
  };
}

/** Returns the attempt whose last process ended later than all others. */
export function lastToEnd<A extends { readonly attemptDir: string }>(attempts: readonly A[]): A | undefined {
  const endMs = ({ attemptDir }: A): number =>
    lstatSync(statusPath(attemptDir), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return attempts.toSorted((a, b) => endMs(a) - endMs(b)).at(-1);
}

/**
 * Returns the time in which the attempt ran. It begins with the last change of the input's folder, just before the
 * attempt started. It ends with the last change of the status file, when the attempt's last process had ended.
 */
function whenItRan({ stepId, attemptDir }: { readonly stepId: string; readonly attemptDir: string }): Ran[] {
  const input = lstatSync(join(attemptDir, 'in'), { throwIfNoEntry: false });
  const status = lstatSync(statusPath(attemptDir), { throwIfNoEntry: false });
  if (!input || !status) return [];
  const isOver = readStatus(attemptDir)?.isOver === true;
  return [{ stepId, fromMs: input.ctimeMs, untilMs: isOver ? status.mtimeMs : Infinity }];
}
