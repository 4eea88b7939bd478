// Finds the step that made a file, if no step has named the file. It compares the file's times with those of the
// attempts' own files. The kernel sets both, in the order of events. Before Linux 6.13 its clock may stand still for
// 10 ms, and it cannot tell apart what two steps did in that time.

import { lstatSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { readStatus, statusPath } from '../proc/shim-status.ts';

/** The earliest time at which the last change of a file's content or name began, and the time of its end. */
export type LastChange = Pick<Stats, 'birthtimeMs' | 'mtimeMs' | 'ctimeMs'>;

type Ran = { readonly stepId: string; readonly fromMs: number; readonly untilMs: number };

/**
 * The only step that was running when the file last changed; null when it cannot be determined.
 * @param attempts all attempts of all steps, including those that have ended
 */
export function createStepFinder(
  attempts: readonly { readonly stepId: string; readonly attemptDir: string }[],
): (change: LastChange) => string | null {
  let ran: readonly Ran[] | undefined;
  return ({ birthtimeMs, mtimeMs, ctimeMs }) => {
    ran ??= attempts.flatMap(whenItRan);
    // Anyone can set another mtime, but then only the ctime says when: the content may be as old as the file.
    const sinceMs = mtimeMs === ctimeMs ? ctimeMs : birthtimeMs;
    const steps = new Set(
      ran.filter(({ fromMs, untilMs }) => fromMs <= ctimeMs && untilMs >= sinceMs).map(({ stepId }) => stepId),
    );
    const [only] = steps;
    return steps.size === 1 && only !== undefined ? only : null;
  };
}

/** The attempt whose last process ended last. */
export function lastToEnd<A extends { readonly attemptDir: string }>(attempts: readonly A[]): A | undefined {
  const endMs = ({ attemptDir }: A): number =>
    lstatSync(statusPath(attemptDir), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return attempts.toSorted((a, b) => endMs(a) - endMs(b)).at(-1);
}

/** The input's folder is last changed before the attempt starts, the status when its last process has ended. */
function whenItRan({ stepId, attemptDir }: { readonly stepId: string; readonly attemptDir: string }): Ran[] {
  const input = lstatSync(join(attemptDir, 'in'), { throwIfNoEntry: false });
  const status = lstatSync(statusPath(attemptDir), { throwIfNoEntry: false });
  if (!input || !status) return [];
  const isOver = readStatus(attemptDir)?.isOver === true;
  return [{ stepId, fromMs: input.ctimeMs, untilMs: isOver ? status.mtimeMs : Infinity }];
}
